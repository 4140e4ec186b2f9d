"""What uvicorn's HTTP/1.1 lacks for a server of which something is asked for hours."""

from __future__ import annotations

from uvicorn.protocols.http.h11_impl import H11Protocol


class Protocol(H11Protocol):
    """A connection. Uvicorn calls `shutdown` once everything accepted has been drawn."""

    def shutdown(self) -> None:
        """Closes after the answer to a request that has come whole; without one, at once."""
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete and not cycle.more_body:
            cycle.keep_alive = False
        else:
            self._drop()

    def _drop(self) -> None:
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()
