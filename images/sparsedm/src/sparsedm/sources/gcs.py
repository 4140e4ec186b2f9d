"""gs:// URIs: one object, or all below a prefix, over the JSON API of Google Cloud Storage.

The Secret holds the key file of a service account as service-account.json. Without it the pod's own identity
is asked for, and without any the requests have none, as for public buckets. STORAGE_EMULATOR_HOST names
another server.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from sparsedm.sources.settings import Credentials
from sparsedm.sources.source import Entry, Listing, SourceError, denied, not_found, unavailable
from sparsedm.sources.web import HttpFile, check, explained, open_client

DEFAULT_ENDPOINT = "https://storage.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"


class Gcs:
    """A bucket, and who asks."""

    def __init__(self, uri: str, credentials: Credentials, scope: str) -> None:
        bucket, _, self.key = uri.removeprefix("gs://").partition("/")
        endpoint = (
            credentials.value("STORAGE_EMULATOR_HOST")
            or os.environ.get("STORAGE_EMULATOR_HOST")
            or DEFAULT_ENDPOINT
        )
        self.objects = f"{endpoint.rstrip('/')}/storage/v1/b/{bucket}/o"
        self.uploads = f"{endpoint.rstrip('/')}/upload/storage/v1/b/{bucket}/o"
        self.client = open_client({}, encrypted=endpoint.startswith("https://"))
        self._identity = _identity(credentials, scope)
        self._lock = threading.Lock()

    def below(self, folder: str) -> Iterator[dict[str, Any]]:
        """What the server says of each object below it."""
        page: str | None = None
        while True:
            answer = self.ask(self.objects, {"prefix": folder, **({"pageToken": page} if page else {})})
            yield from (item for item in answer.get("items", []) if not item["name"].endswith("/"))
            page = answer.get("nextPageToken")
            if not page:
                return

    def ask(self, url: str, params: dict[str, str]) -> dict[str, Any]:
        self.authorize()
        with explained():
            answer = self.client.get(url, params=params)
            check(answer)
        return answer.json()

    def authorize(self) -> None:
        """With a token that is still valid."""
        from google.auth import exceptions
        from google.auth.transport.requests import Request

        if self._identity is None:
            return
        with self._lock:
            try:
                if not self._identity.valid:
                    self._identity.refresh(Request())
            except exceptions.RefreshError as error:
                raise denied("Google gives no token for the service account (RefreshError)") from error
            except exceptions.GoogleAuthError as error:
                raise unavailable(f"Google gives no token ({type(error).__name__})") from error
            self.client.headers["Authorization"] = f"Bearer {self._identity.token}"


class GcsSource(Gcs):
    def __init__(self, uri: str, credentials: Credentials) -> None:
        super().__init__(uri, credentials, SCOPE)
        self._is_file = False

    def list(self) -> Listing:
        """The object of this very name, else all below it as a folder."""
        try:
            found = self.ask(f"{self.objects}/{quote(self.key, safe='')}", {})
        except SourceError as error:
            if error.reason != "SourceNotFound":
                raise
        else:
            self._is_file = True
            return Listing((_entry(found, ""),), is_file=True)
        folder = f"{self.key}/"
        entries = tuple(_entry(item, item["name"].removeprefix(folder)) for item in self.below(folder))
        if not entries:
            raise not_found(f"the bucket has neither the object {self.key} nor any below {folder}")
        return Listing(entries, is_file=False)

    def read(self, entry: Entry, start: int) -> Iterator[bytes]:
        self.authorize()
        name = self.key if self._is_file else f"{self.key}/{entry.path}"
        url = f"{self.objects}/{quote(name, safe='')}?alt=media&generation={entry.version}"
        return HttpFile(self.client, url).read(Entry(entry.path, entry.size, None), start)


def _entry(item: dict[str, Any], path: str) -> Entry:
    return Entry(path, int(item["size"]), item["generation"])


def _identity(credentials: Credentials, scope: str) -> Any:
    import google.auth
    from google.auth import exceptions
    from google.oauth2 import service_account

    key = credentials.value("service-account.json")
    if key is not None:
        try:
            return service_account.Credentials.from_service_account_info(json.loads(key), scopes=[scope])
        except (ValueError, exceptions.GoogleAuthError) as error:
            raise SourceError(
                "SourceDenied",
                "its Secret holds no key of a service account: put the JSON file that Google gave into "
                "service-account.json",
            ) from error
    if credentials.secret:
        return None
    try:
        return google.auth.default(scopes=[scope])[0]
    except exceptions.DefaultCredentialsError:
        return None
