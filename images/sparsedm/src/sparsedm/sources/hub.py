"""hf:// URIs: hf://owner/repo[@revision][/path], and hf://datasets/owner/repo[...] for data sets.

huggingface_hub resolves the revision to a commit and lists the files with their digests; bytes come by
ranges. HF_ENDPOINT, in the Secret or the environment, names another hub.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

from sparsedm.sources.formats import read_ones
from sparsedm.sources.settings import Credentials
from sparsedm.sources.source import Entry, Listing, SourceError, denied, expired, not_found, unavailable
from sparsedm.sources.web import HttpFile, explained, open_client

DEFAULT_ENDPOINT = "https://huggingface.co"
_URI = re.compile(r"hf://(?P<kind>datasets/)?(?P<repo>[^/@]+/[^/@]+)(@(?P<revision>[^/]+))?(/(?P<path>.+))?")


class HubSource:
    """`commit` pins what a branch stood for when the run began."""

    def __init__(self, uri: str, credentials: Credentials, commit: str | None = None) -> None:
        found = _URI.fullmatch(uri)
        if found is None:
            raise SourceError("SourceNotFound", "it is no repository: write hf://OWNER/REPO, then a path")
        self._repo, self._path = found["repo"], found["path"] or ""
        self._type = "dataset" if found["kind"] else "model"
        self._revision = commit or found["revision"] or "main"
        self._token = credentials.value("token", "HF_TOKEN") or os.environ.get("HF_TOKEN")
        endpoint = credentials.value("HF_ENDPOINT") or os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT
        self._endpoint = endpoint.rstrip("/")
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        self._client = open_client(headers, encrypted=self._endpoint.startswith("https://"))
        self._is_file = False

    def list(self) -> Listing:
        """The file of this path, else all below it; of a model, what is read of that (formats.py)."""
        commit, files = self._tree()
        own = [each for each in files if each.path == self._path]
        self._is_file = bool(own)
        self._revision = commit
        folder = f"{self._path}/" if self._path else ""
        found = own or [each for each in files if each.path.startswith(folder)]
        if not found:
            raise not_found(f"revision {commit} has neither the file {self._path} nor any in {self._path}/")
        if self._type == "model" and not own:
            read = set(read_ones(each.path for each in found))
            found = [each for each in found if each.path in read]
        entries = tuple(
            Entry(
                "" if own else each.path.removeprefix(folder),
                each.size,
                each.blob_id,
                each.lfs.sha256 if each.lfs else None,
            )
            for each in found
        )
        return Listing(entries, is_file=bool(own), revision=commit)

    def _tree(self) -> tuple[str, list[Any]]:
        import httpx2
        from huggingface_hub import HfApi, set_client_factory
        from huggingface_hub import errors as hub
        from huggingface_hub.hf_api import RepoFile

        encrypted = self._endpoint.startswith("https://")
        set_client_factory(lambda: open_client({}, encrypted))
        api = HfApi(self._endpoint, token=self._token or False)
        where = {"repo_id": self._repo, "repo_type": self._type}
        try:
            with explained():
                commit = api.repo_info(revision=self._revision, **where).sha
                listed = api.list_repo_tree(recursive=True, revision=commit, **where)
                return commit, [each for each in listed if isinstance(each, RepoFile)]
        except hub.RevisionNotFoundError as error:
            raise not_found(f"the repository has no revision {self._revision}") from error
        except hub.GatedRepoError as error:
            raise denied("its owner gives access on request (GatedRepo)") from error
        except hub.RepositoryNotFoundError as error:
            raise denied("there is no such repository, or it is private (RepoNotFound)") from error
        except hub.HfHubHTTPError as error:
            code = error.response.status_code
            if code in (401, 403):
                words = f"HTTP {code}"
                raise (expired if "expired" in str(error).lower() else denied)(words) from error
            if code < 500 and code != 429:
                raise not_found(f"the hub answers HTTP {code}") from error
            raise unavailable(f"the hub answers HTTP {code}") from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise unavailable(f"the hub does not answer ({type(error).__name__})") from error

    def read(self, entry: Entry, start: int) -> Iterator[bytes]:
        from huggingface_hub import hf_hub_url

        inside = f"{self._path}/{entry.path}".strip("/") if not self._is_file else self._path
        url = hf_hub_url(
            self._repo, inside, repo_type=self._type, revision=self._revision, endpoint=self._endpoint
        )
        # The ETag of the hub is not the blob's name on every store that it redirects to; the digest tells.
        return HttpFile(self._client, url).read(Entry(entry.path, entry.size, None), start)
