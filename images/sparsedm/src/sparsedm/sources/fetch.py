"""Turns the remote URIs of a configuration into paths in this pod, before work starts."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sparsedm.errors import InputError, SparseDMError
from sparsedm.runtime.progress import format_duration
from sparsedm.sources.cache import Cache, Fetched, Request, amount, pinned_key, retried
from sparsedm.sources.settings import Credentials, Settings, trust
from sparsedm.sources.source import Listing, Source, SourceError
from sparsedm.uris import is_remote, remember

REPORT_SECONDS = 2.0
Result = TypeVar("Result")
Show = Callable[[dict[str, Any], bool], None]
"""Takes `status.progress`, and whether it is to be seen at once."""


@dataclass(frozen=True)
class Use:
    """A URI of the configuration, the field that holds it, and the digest that its file must have."""

    field: str
    uri: str
    sha256: str | None = None


def open_source(uri: str, credentials: Credentials, revision: str | None) -> Source:
    """Imports the scheme's client. `revision` is what an earlier attempt of this run had."""
    scheme = uri.partition("://")[0]
    if scheme == "s3":
        from sparsedm.sources.s3 import S3Source

        return S3Source(uri, credentials)
    if scheme == "hf":
        from sparsedm.sources.hub import HubSource

        return HubSource(uri, credentials, revision)
    if scheme == "gs":
        from sparsedm.sources.gcs import GcsSource

        return GcsSource(uri, credentials)
    if scheme == "oci":
        from sparsedm.sources.oci import OciSource

        return OciSource(uri, credentials, revision)
    from sparsedm.sources.web import WebSource

    return WebSource(uri, credentials)


class Meter:
    """Counts bytes, and says how far all files are: "fetching 3.1 of 9.8 GB"."""

    def __init__(
        self,
        show: Show = lambda progress, urgent: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total: int | None = 0
        self._show, self._clock = show, clock
        self.done = 0
        """Bytes that are here."""
        self._began = clock()
        self._at_begin = 0
        self._shown = -REPORT_SECONDS
        self._lock = threading.Lock()

    def count(self, size: int) -> None:
        with self._lock:
            self.done += size
            due = self._clock() - self._shown >= REPORT_SECONDS
            if due:
                self._shown = self._clock()
        if due:
            self._show(self.progress(), False)

    def begin(self) -> None:
        """What is there already has cost no time."""
        self._began, self._at_begin = self._clock(), self.done
        self._show(self.progress(), True)

    def progress(self) -> dict[str, Any]:
        whole = self.done if self.total is None else self.total
        unit = amount(whole).rpartition(" ")[2]
        done = self.done / {"MB": 10**6, "GB": 10**9, "TB": 10**12}[unit]
        display = f"fetching {done:.1f} of {amount(whole)}" if self.total else f"fetching {done:.1f} {unit}"
        progress: dict[str, Any] = {"phase": "fetching", "display": display}
        seconds, fetched = self._clock() - self._began, self.done - self._at_begin
        if self.total and fetched > 0 and seconds > 0:
            left = max(0, self.total - self.done) * seconds / fetched
            progress |= {"remainingSeconds": round(left), "eta": format_duration(left)}
        return progress


def fetch_all(
    uses: Sequence[Use],
    settings: Settings,
    meter: Meter | None = None,
    pinned: Mapping[str, Mapping[str, Any]] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Fetches what is remote, each URI once, and remembers its path for `resolve_uri`. `pinned` is what an
    earlier attempt had in `sources_status`, by URI: the content must be the same.

    Raises SparseDMError with a sentence that names the field; an InputError where a retry can't help.
    """
    wanted: dict[str, Use] = {}
    for use in uses:
        if is_remote(use.uri) and (use.uri not in wanted or use.sha256):
            wanted[use.uri] = use
    if not wanted:
        return
    trust(settings)
    meter = meter or Meter()
    fetches = [_Fetch(use, settings, (pinned or {}).get(use.uri), meter, sleep) for use in wanted.values()]
    sizes = [one.prepare() for one in fetches]
    meter.total = None if None in sizes else sum(size for size in sizes if size is not None)
    meter.begin()
    for one in fetches:
        one.run()


class _Fetch:
    def __init__(
        self,
        use: Use,
        settings: Settings,
        pinned: Mapping[str, Any] | None,
        meter: Meter,
        sleep: Callable[[float], None],
    ) -> None:
        self._use, self._settings, self._pinned = use, settings, pinned
        self._meter, self._sleep = meter, sleep
        self._credentials = settings.credentials_of(use.uri)
        self._used: dict[str, str] = {}
        """What the Secret held when the source was opened."""
        self._opened: tuple[Source, Listing] | None = None
        self._known: tuple[Path, Fetched] | None = None

    def prepare(self) -> int | None:
        """Lists the files, unless the one with this digest is there, and returns their size."""
        if self._use.sha256 is not None:
            self._known = self._cache(shared=True).find(pinned_key(self._use.sha256))
        if self._known is not None:
            return self._known[1].size
        return self._renewing(lambda source, listing: listing.size)

    def run(self) -> None:
        use = self._use

        def fetch(source: Source, listing: Listing) -> tuple[Path, Fetched]:
            cache = self._cache(shared=listing.versioned or use.sha256 is not None)
            return cache.fetch(Request(use.uri, local_name(use.uri), source, use.sha256), listing)

        if self._known is not None:
            self._meter.count(self._known[1].size)
        path, fetched = self._known or self._renewing(fetch)
        self._check_pinned(fetched)
        status = {"uri": use.uri, "sha256": fetched.sha256, "sizeBytes": fetched.size}
        remember(path, status | ({"revision": fetched.revision} if fetched.revision else {}))

    def _cache(self, shared: bool) -> Cache:
        folder = self._settings.cache if shared else None
        return Cache(folder or self._settings.scratch, self._meter.count, self._sleep)

    def _check_pinned(self, fetched: Fetched) -> None:
        if self._pinned is not None and self._pinned["sha256"] != fetched.sha256:
            raise self._failure(
                SourceError(
                    "SourceChanged",
                    f"has changed since this run began: its digest was {self._pinned['sha256']}, and now is "
                    f"{fetched.sha256}. Put the earlier content back, or begin again with another output.uri",
                )
            )

    def _renewing(self, work: Callable[[Source, Listing], Result]) -> Result:
        """Goes on with credentials that were renewed, as long as they are. Raises SparseDMError."""
        while True:
            try:
                if self._opened is None:
                    self._used = self._credentials.values()
                    self._opened = retried(self._open, self._sleep)
                return work(*self._opened)
            except SourceError as error:
                self._opened = None
                if error.reason != "CredentialsExpired" or self._credentials.values() == self._used:
                    raise self._failure(error) from error

    def _open(self) -> tuple[Source, Listing]:
        source = open_source(self._use.uri, self._credentials, (self._pinned or {}).get("revision"))
        return source, source.list()

    def _failure(self, error: SourceError) -> SparseDMError:
        message = f"{self._use.field} {self._use.uri}: {error.of(self._credentials.secret)}."
        return (SparseDMError if error.retry else InputError)(error.reason, message)


def local_name(uri: str) -> str:
    """Worked examples: "model.safetensors" of s3://bucket/model.safetensors, "repo" of hf://owner/repo@main
    and of oci://host/repo:v1."""
    repository = re.fullmatch(r"hf://(?:datasets/)?[^/]+/([^/@]+)(@[^/]+)?", uri) or re.fullmatch(
        r"oci://[^/]+(?:/[^/:@]+)*/([^/:@]+)[:@][^/]+", uri
    )
    return repository[1] if repository else uri.rpartition("/")[2]
