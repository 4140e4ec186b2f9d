"""Artifacts of a registry and objects of Google Cloud Storage, from servers of ours that speak their APIs."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from source_servers import Files, private_authority, web_server
from sparsedm.errors import InputError, SparseDMError
from sparsedm.sources.fetch import Use, fetch_all, local_name
from sparsedm.sources.settings import BUNDLE_VARIABLES, Credentials, Settings
from sparsedm.uris import FETCHED, REMOTE, resolve_uri, sources_status

BODY = bytes(range(256)) * 4000
TITLE = "org.opencontainers.image.title"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (FETCHED, *BUNDLE_VARIABLES):
        monkeypatch.setenv(name, "")  # so that what the code sets is taken back
        monkeypatch.delenv(name)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    return private_authority(tmp_path_factory.mktemp("authority"))


def fetch(uri: str, settings: Settings, **more: Any) -> Path:
    fetch_all([Use("dataset.uri", uri)], settings, sleep=lambda _: None, **more)
    return resolve_uri(uri)


def digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


@pytest.fixture
def registry() -> Files:
    """An artifact of two files, and an image without names."""
    layers = [
        {"digest": digest(body), "size": len(body), "annotations": {TITLE: title}}
        for title, body in (("model.safetensors", BODY), ("config.json", b"{}"))
    ]
    artifact, image = ({"layers": made} for made in (layers, [{"digest": digest(BODY), "size": 1}]))
    files = Files({f"/v2/team/m/blobs/{digest(body)}": body for body in (BODY, b"{}")})
    files.content["/v2/team/m/manifests/v1"] = json.dumps(artifact).encode()
    files.content["/v2/team/m/manifests/image"] = json.dumps(image).encode()
    return files


@pytest.fixture
def host(registry: Files, authority: tuple[Path, Any]) -> Iterator[str]:
    with web_server(registry, authority[1]) as address:
        yield address


@pytest.fixture
def settings(authority: tuple[Path, Any], tmp_path: Path, host: str) -> Settings:
    (tmp_path / "secret").mkdir()
    auth = base64.b64encode(b"me:pw").decode()
    (tmp_path / "secret/.dockerconfigjson").write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    return Settings(
        (Credentials(f"oci://{host}", "pull", tmp_path / "secret"),), tmp_path / "cache", authority[0]
    )


class TestRegistry:
    def test_all_files_or_one(self, registry: Files, host: str, settings: Settings) -> None:
        folder = fetch(f"oci://{host}/team/m:v1", settings)
        assert folder.name == "m"
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
            "model.safetensors": BODY, "config.json": b"{}",
        }  # fmt: skip
        manifest = digest(registry.content["/v2/team/m/manifests/v1"])
        assert sources_status()[0]["revision"] == manifest
        registry.cuts = [300_000]
        assert fetch(f"oci://{host}/team/m:v1/model.safetensors", settings).read_bytes() == BODY

    def test_a_tag_that_moves_does_not_move_the_run(
        self, registry: Files, host: str, settings: Settings
    ) -> None:
        uri = f"oci://{host}/team/m:v1/config.json"
        was = registry.content.pop("/v2/team/m/manifests/v1")
        registry.content[f"/v2/team/m/manifests/{digest(was)}"] = was
        pinned = {uri: {"revision": digest(was), "sha256": hashlib.sha256(b"{}").hexdigest()}}
        assert fetch(uri, settings, pinned=pinned).read_bytes() == b"{}"

    def test_another_manifest_than_its_digest(self, registry: Files, host: str, settings: Settings) -> None:
        wrong = digest(b"other")
        registry.content[f"/v2/team/m/manifests/{wrong}"] = registry.content["/v2/team/m/manifests/v1"]
        with pytest.raises(SparseDMError, match="the manifest arrived with digest"):
            fetch(f"oci://{host}/team/m@{wrong}", settings)

    @pytest.mark.parametrize("token", [True, False])
    def test_logs_in_as_the_registry_asks(
        self, registry: Files, host: str, settings: Settings, token: bool, authority: tuple[Path, Any]
    ) -> None:
        tokens = Files({})
        tokens.answer = lambda path: {"token": "t0ken"} if path == "/token" else None
        basic = f"Basic {base64.b64encode(b'me:pw').decode()}"
        with web_server(tokens, authority[1]) as elsewhere:
            realm = f'Bearer realm="https://{elsewhere}/token",service="r",scope="repository:team/m:pull"'
            registry.challenge = realm if token else 'Basic realm="r"'
            registry.needs = {"Authorization": "Bearer t0ken" if token else basic}
            assert fetch(f"oci://{host}/team/m:v1/config.json", settings).read_bytes() == b"{}"
        assert [authorization for _, _, authorization in tokens.asked] == ([basic] if token else [])

    def test_a_token_that_expires_is_asked_for_again(
        self, registry: Files, host: str, settings: Settings
    ) -> None:
        registry.challenge = 'Basic realm="r"'
        registry.needs = {"Authorization": f"Basic {base64.b64encode(b'me:pw').decode()}"}
        blob = f"/v2/team/m/blobs/{digest(BODY)}"
        registry.refused_once = {blob}
        assert fetch(f"oci://{host}/team/m:v1/model.safetensors", settings).read_bytes() == BODY

    @pytest.mark.parametrize(
        ("rest", "want"),
        [
            ("m:image", "names no files"),
            ("m:v1/none", "has no file none"),
            ("m:v2", "there is nothing: HTTP 404"),
        ],
    )
    def test_refusals(self, host: str, settings: Settings, rest: str, want: str) -> None:
        with pytest.raises(InputError, match=want):
            fetch(f"oci://{host}/team/{rest}", settings)


def test_google_storage(authority: tuple[Path, Any], tmp_path: Path) -> None:
    """With a service account, whose token another server gives."""
    files = Files({})
    listed = {
        "items": [{"name": "data/a.png", "size": "3", "generation": "7"}, {"name": "data/", "size": "0"}]
    }

    def answer(path: str) -> Any:
        if path == "/token":
            return {"access_token": "g00gle", "expires_in": 3600, "token_type": "Bearer"}
        return listed if path == "/storage/v1/b/bucket/o" else None

    files.answer = answer
    files.content["/storage/v1/b/bucket/o/data%2Fa.png"] = b"png"
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with web_server(files, authority[1]) as host:
        account = {
            "type": "service_account",
            "client_email": "me@project.example",
            "token_uri": f"https://{host}/token",
            "private_key": key.decode(),
        }
        (tmp_path / "service-account.json").write_text(json.dumps(account))
        (tmp_path / "STORAGE_EMULATOR_HOST").write_text(f"https://{host}")
        settings = Settings((Credentials("gs://", "reader", tmp_path),), tmp_path / "cache", authority[0])
        assert (fetch("gs://bucket/data", settings) / "a.png").read_bytes() == b"png"
        assert {auth for path, _, auth in files.asked if path != "/token"} == {"Bearer g00gle"}
        files.answer = lambda path: {"items": []} if path == "/storage/v1/b/bucket/o" else None
        with pytest.raises(InputError, match="Google gives no token"):
            fetch("gs://bucket/none", settings)


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("oci://ghcr.io/team/m:v1", "m"),
        (f"oci://localhost:5000/m@sha256:{'0' * 64}", "m"),
        ("oci://ghcr.io/team/m:v1/x@y.safetensors", "x@y.safetensors"),
        ("hf://owner/repo@v1", "repo"),
        ("hf://datasets/owner/repo", "repo"),
        ("gs://bucket/a@b.pth", "a@b.pth"),
    ],
)
def test_names(uri: str, name: str) -> None:
    assert REMOTE.fullmatch(uri)
    assert local_name(uri) == name


@pytest.mark.parametrize(
    "uri",
    ["oci://ghcr.io/team/m", "oci://ghcr.io/m:v1@sha256:12", "hf://owner", "s3://b/x", "http://h/x"],
)
def test_no_uris(uri: str) -> None:
    assert not REMOTE.fullmatch(uri)
