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


class GcsSource:
    def __init__(self, uri: str, credentials: Credentials) -> None:
        bucket, _, self._key = uri.removeprefix("gs://").partition("/")
        endpoint = (
            credentials.value("STORAGE_EMULATOR_HOST")
            or os.environ.get("STORAGE_EMULATOR_HOST")
            or DEFAULT_ENDPOINT
        )
        self._objects = f"{endpoint.rstrip('/')}/storage/v1/b/{bucket}/o"
        self._client = open_client({}, encrypted=endpoint.startswith("https://"))
        self._identity = _identity(credentials)
        self._lock = threading.Lock()
        self._is_file = False

    def list(self) -> Listing:
        """The object of this very name, else all below it as a folder."""
        try:
            found = self._ask(f"{self._objects}/{quote(self._key, safe='')}", {})
        except SourceError as error:
            if error.reason != "SourceNotFound":
                raise
        else:
            self._is_file = True
            return Listing((_entry(found, ""),), is_file=True)
        entries = tuple(self._below(f"{self._key}/"))
        if not entries:
            raise not_found(f"the bucket has neither the object {self._key} nor any below {self._key}/")
        return Listing(entries, is_file=False)

    def _below(self, folder: str) -> Iterator[Entry]:
        page: str | None = None
        while True:
            answer = self._ask(self._objects, {"prefix": folder, **({"pageToken": page} if page else {})})
            for item in answer.get("items", []):
                if not item["name"].endswith("/"):
                    yield _entry(item, item["name"].removeprefix(folder))
            page = answer.get("nextPageToken")
            if not page:
                return

    def _ask(self, url: str, params: dict[str, str]) -> dict[str, Any]:
        self._authorize()
        with explained():
            answer = self._client.get(url, params=params)
            check(answer)
        return answer.json()

    def _authorize(self) -> None:
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
            self._client.headers["Authorization"] = f"Bearer {self._identity.token}"

    def read(self, entry: Entry, start: int) -> Iterator[bytes]:
        self._authorize()
        name = self._key if self._is_file else f"{self._key}/{entry.path}"
        url = f"{self._objects}/{quote(name, safe='')}?alt=media&generation={entry.version}"
        return HttpFile(self._client, url).read(Entry(entry.path, entry.size, None), start)


def _entry(item: dict[str, Any], path: str) -> Entry:
    return Entry(path, int(item["size"]), item["generation"])


def _identity(credentials: Credentials) -> Any:
    import google.auth
    from google.auth import exceptions
    from google.oauth2 import service_account

    key = credentials.value("service-account.json")
    if key is not None:
        try:
            return service_account.Credentials.from_service_account_info(json.loads(key), scopes=[SCOPE])
        except (ValueError, exceptions.GoogleAuthError) as error:
            raise SourceError(
                "SourceDenied",
                "its Secret holds no key of a service account: put the JSON file that Google gave into "
                "service-account.json",
            ) from error
    if credentials.secret:
        return None
    try:
        return google.auth.default(scopes=[SCOPE])[0]
    except exceptions.DefaultCredentialsError:
        return None
