"""Reports progress to the operator from a background thread that never blocks and never fails the training.

Updates are merged, so a post always sends the latest state; at most one post in two seconds, but a transition
is sent at once. The bearer token is read anew for each post, because it rotates. The final report also goes
to the container's termination message, so it survives while the operator is unreachable.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

log = logging.getLogger("sparsedm.report")

DEFAULT_TOKEN_FILE = "/var/run/secrets/sparsedm.io/token"
DEFAULT_TERMINATION_LOG = "/dev/termination-log"
TERMINATION_LIMIT = 4096
MOST_NEEDED = ("error", "model", "fid", "macs", "sparsity")
INTERVAL_SECONDS = 2.0
POST_TIMEOUT_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 60.0
CLOSING_PAUSE_SECONDS = 1.0

Post = Callable[[dict[str, Any]], None]
Ask = Callable[[dict[str, Any]], dict[str, Any]]
"""As Post, and returns the JSON object that the server answers; {} where it answers none. Raises Refused."""


class Refused(Exception):
    """A failed post; `retry_after` is the server's Retry-After in seconds, `status` None where no answer
    came."""

    def __init__(self, message: str, retry_after: float | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.status = status


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects)
"""No proxy and no redirect: the token goes to the operator's Service and nowhere else."""


def http_post(url: str, token_file: Path) -> Post:
    """A Post that sends JSON to `url` with the token of `token_file`, where there is one."""

    def post(body: dict[str, Any]) -> None:
        _exchange(url, token_file, body, POST_TIMEOUT_SECONDS)

    return post


def http_ask(url: str, token_file: Path, timeout: float) -> Ask:
    """An Ask, as `http_post`."""

    def ask(body: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = json.loads(_exchange(url, token_file, body, timeout) or b"{}")
        except ValueError as error:
            raise Refused("the answer is not JSON") from error
        return answer if isinstance(answer, dict) else {}

    return ask


LONGEST_ANSWER = 4096


def _exchange(url: str, token_file: Path, body: dict[str, Any], timeout: float) -> bytes:
    """The answer's body, or its beginning. Raises Refused."""
    try:
        headers = {"Content-Type": "application/json"}
        if token_file.is_file():
            headers["Authorization"] = f"Bearer {token_file.read_text().strip()}"
        request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
        with _opener.open(request, timeout=timeout) as answer:
            return bytes(answer.read(LONGEST_ANSWER))
    except urllib.error.HTTPError as error:
        with error:
            raise Refused(
                f"HTTP {error.code} {error.reason}", _seconds(error.headers.get("Retry-After")), error.code
            ) from error
    except (OSError, http.client.HTTPException) as error:
        raise Refused(str(error)) from error


def _seconds(value: str | None) -> float | None:
    try:
        return max(0.0, float(value)) if value else None
    except ValueError:
        return None


def token_file(env: Mapping[str, str] = os.environ) -> Path:
    return Path(env.get("SPARSEDM_TOKEN_FILE") or DEFAULT_TOKEN_FILE)


class ReportClient:
    """`update` merges and returns at once; `close` sends the final report and ends the thread."""

    def __init__(
        self, post: Post | None, termination_log: Path | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._post = post
        self._termination_log = termination_log
        self._clock = clock
        self._state: dict[str, Any] = {}
        self._dirty: set[str] = set()
        self._urgent = False
        self._closing = False
        self._muted = False
        self._give_up = 0.0
        self._not_before = 0.0
        self._failures = 0
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="report", daemon=True)
        if post is not None:
            self._thread.start()

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> ReportClient:
        url = env.get("SPARSEDM_REPORT_URL")
        post = http_post(url, token_file(env)) if url else None
        given = env.get("SPARSEDM_TERMINATION_LOG")
        path = Path(given or DEFAULT_TERMINATION_LOG)
        return cls(post, path if given or path.exists() else None)

    def update(self, urgent: bool = False, **parts: Any) -> None:
        """Parts of the report (progress, checkpoint, ...): each replaces the part of the same name."""
        with self._changed:
            self._state.update(parts)
            self._dirty.update(parts)
            self._urgent = self._urgent or urgent
            self._changed.notify()

    def mute(self) -> None:
        """Posts nothing more: another trainer reports to the operator now."""
        with self._changed:
            self._muted = True
            self._changed.notify()

    def close(self, timeout: float = 10.0, **last_word: Any) -> None:
        """Writes the termination message, posts what is unsent (with retries for `timeout` seconds), and
        stops."""
        self.update(urgent=True, **last_word)
        self._write_termination_message()
        with self._changed:
            self._closing = True
            self._give_up = self._clock() + timeout
            self._not_before = min(self._not_before, self._clock())
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout + POST_TIMEOUT_SECONDS)

    def _write_termination_message(self) -> None:
        if self._termination_log is None:
            return
        try:
            self._termination_log.write_bytes(termination_message(self._state))
        except OSError as error:
            log.warning("The termination message can't be written to %s: %s.", self._termination_log, error)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._may_go_on():
                    self._changed.wait(self._pause())
                if self._muted or (self._closing and (not self._dirty or self._clock() >= self._give_up)):
                    return
                body = {name: self._state[name] for name in self._dirty}
                self._dirty.clear()
                self._urgent = False
            self._send(body)

    def _may_go_on(self) -> bool:
        if self._muted or not self._dirty:
            return self._muted or self._closing
        return self._clock() >= self._not_before or (self._urgent and not self._failures)

    def _pause(self) -> float | None:
        """Seconds until the next post; None waits for an update."""
        return max(0.01, self._not_before - self._clock()) if self._dirty else None

    def _send(self, body: dict[str, Any]) -> None:
        try:
            assert self._post is not None
            self._post(body)
        except Exception as error:  # whatever a report raises, the training must go on
            self._failed(body, error)
            return
        if self._failures:
            log.info("Reports get through again.")
        self._failures = 0
        self._not_before = self._clock() + INTERVAL_SECONDS

    def _failed(self, body: dict[str, Any], error: Exception) -> None:
        self._failures += 1
        if self._failures == 1:
            log.warning(
                "A progress report did not get through (%s); training goes on, reports are retried.", error
            )
        backoff = min(LONGEST_PAUSE_SECONDS, INTERVAL_SECONDS * 2 ** min(self._failures, 5))
        wished = getattr(error, "retry_after", None)
        pause = backoff if wished is None else wished
        self._not_before = self._clock() + (min(pause, CLOSING_PAUSE_SECONDS) if self._closing else pause)
        with self._changed:
            self._dirty.update(body)


def termination_message(state: Mapping[str, Any]) -> bytes:
    """JSON of the state in at most 4096 bytes: the least important parts are dropped first. The most
    important come first, because the kubelet truncates the end where many containers share its 12 KiB."""
    state = json.loads(json.dumps(state))
    state = {name: state[name] for name in sorted(state, key=_rank)}
    shortenings: list[Callable[[], Any]] = [
        lambda: state.get("progress", {}).pop("history", None),
        lambda: state.pop("progress", None),
        lambda: (
            state.get("error", {}).update(message=state["error"]["message"][:1000])
            if "error" in state
            else None
        ),
        lambda: state.pop("checkpoint", None),
        lambda: state.pop("macs", None),
    ]
    for shorten in shortenings:
        if len(_encode(state)) <= TERMINATION_LIMIT:
            break
        shorten()
    return _encode(state)[:TERMINATION_LIMIT]


def _rank(part: str) -> int:
    return MOST_NEEDED.index(part) if part in MOST_NEEDED else len(MOST_NEEDED)


def _encode(state: Mapping[str, Any]) -> bytes:
    return json.dumps(state, separators=(",", ":"), ensure_ascii=False).encode()
