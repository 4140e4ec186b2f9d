"""Outputs that no volume holds: a bucket of Google's, and an artifact of a registry."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from threading import Thread

import pytest

from source_servers import private_authority
from sparsedm.errors import InputError, SparseDMError, Superseded
from sparsedm.sources import gcs_output, oci_output
from sparsedm.sources.bucket import Bucket
from sparsedm.sources.fetch import Use, fetch_all
from sparsedm.sources.oci import TITLE
from sparsedm.sources.settings import BUNDLE_VARIABLES, Settings
from sparsedm.uris import FETCHED, resolve_uri
from store_servers import Held, registry, storage
from tiny_run import Workplace


@dataclass
class Place:
    uri: str
    held: Held

    def files(self) -> set[str]:
        """Of the folder, as others see it."""
        if self.uri.startswith("gs://"):
            return {name.removeprefix("run/") for name in self.held.files} - {".trainer"}
        manifest = self.held.files.get("/v2/team/run/manifests/v1")
        layers = json.loads(manifest[0])["layers"] if manifest else []
        return {layer["annotations"][TITLE] for layer in layers if "annotations" in layer}


@pytest.fixture(params=["gs", "oci"])
def output(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    for name in (FETCHED, *BUNDLE_VARIABLES):
        monkeypatch.setenv(name, "")  # so that what the run sets is taken back
        monkeypatch.delenv(name)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(gcs_output, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(gcs_output, "PART_BYTES", 2**18)
    authority, tls = private_authority(tmp_path)
    held, secret = Held(), tmp_path / "secret"
    secret.mkdir()
    with storage(held) if request.param == "gs" else registry(held, tls) as host:
        (secret / "STORAGE_EMULATOR_HOST").write_text(f"http://{host}")
        uri = "gs://models/run" if request.param == "gs" else f"oci://{host}/team/run:v1"
        credentials = [{"prefix": f"{request.param}://", "secret": "writer", "folder": str(secret)}]
        given = {"credentials": credentials, "trustedCA": str(authority)}
        monkeypatch.setenv("SPARSEDM_SOURCES", json.dumps(given))
        yield Place(uri, held)


def test_a_run_goes_on_in_another_pod(output: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Workplace(tmp_path)
    spec = place.spec(training__steps=6, training__warmupSteps=1, checkpoint={"everySteps": 3, "keep": 1})
    spec["output"]["uri"] = output.uri
    first, second = (f"checkpoints/step-{step:08d}/digest.json" for step in (3, 6))

    # The first pod is killed while it uploads the tensors of its second checkpoint.
    upload = (gcs_output.GcsStore if output.uri.startswith("gs") else oci_output.OciStore).upload

    def killed(self: object, path: str, file: Path) -> str:
        if path == "checkpoints/step-00000006/tensors.safetensors":
            raise KeyboardInterrupt
        return upload(self, path, file)  # type: ignore[arg-type]

    with monkeypatch.context() as until:
        until.setattr(gcs_output.GcsStore, "upload", killed)
        until.setattr(oci_output.OciStore, "upload", killed)
        with pytest.raises(KeyboardInterrupt):
            place.command(spec, monkeypatch)
    assert first in output.files()
    assert not {second, "manifest.json"} & output.files()

    monkeypatch.delenv(FETCHED)
    code, report = place.command(spec, monkeypatch)
    assert code == 0, report
    assert report["attempt"] == {"resumedFromStep": 3}
    assert report["model"]["uri"] == output.uri
    assert {"manifest.json", "model.safetensors", "report.html", "run.json"} < output.files()
    assert first not in output.files()

    # A third finds it finished, and what it fetches is proven against the manifest.
    monkeypatch.delenv(FETCHED)
    code, again = place.command(spec, monkeypatch)
    assert (code, again["model"]) == (0, report["model"])


def taken(output: Place, folder: Path) -> Bucket:
    folder.mkdir()
    bucket = Bucket(output.uri, folder, Settings.from_environment(), sleep=lambda seconds: None)
    bucket.pull()
    bucket.take()
    return bucket


def test_who_was_displaced_uploads_nothing(output: Place, tmp_path: Path) -> None:
    first = taken(output, tmp_path / "first")
    (tmp_path / "first/run.json").write_text("{}")
    first.push()
    taken(output, tmp_path / "second")
    assert (tmp_path / "second/run.json").read_text() == "{}"
    (tmp_path / "first/manifest.json").write_text("{}")
    with pytest.raises(Superseded, match="has taken over"):
        first.push()
    assert output.files() == {"run.json"}


def test_an_upload_that_is_cut_goes_on_and_shows_nothing_half(output: Place, tmp_path: Path) -> None:
    bucket, body = taken(output, tmp_path / "first"), bytes(range(256)) * 4096
    (tmp_path / "first/model.safetensors").write_bytes(body)
    (tmp_path / "first/empty.txt").write_bytes(b"")
    output.held.cut, output.held.busy = [100_000, 0], 2
    bucket.push()
    assert output.files() == {"model.safetensors", "empty.txt"}
    taken(output, tmp_path / "second")
    assert (tmp_path / "second/model.safetensors").read_bytes() == body
    assert (tmp_path / "second/empty.txt").read_bytes() == b""

    # One that never ends well leaves what was there.
    (tmp_path / "second/model.safetensors").write_bytes(body[1:])
    other = Bucket(output.uri, tmp_path / "second", Settings.from_environment())
    other.take()
    output.held.cut = [1000] * 20
    with pytest.raises(SparseDMError, match=rf"output\.uri {output.uri}: the connection failed"):
        other.push()
    output.held.cut = []
    taken(output, tmp_path / "third")
    assert (tmp_path / "third/model.safetensors").read_bytes() == body


@pytest.fixture
def real_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A tag of Debian's docker-registry, under an authority of the test's own."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("needs docker-registry, which npm test unpacks from Debian")
    for name in (FETCHED, *BUNDLE_VARIABLES):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    authority, _ = private_authority(tmp_path)
    monkeypatch.setenv("SPARSEDM_SOURCES", json.dumps({"trustedCA": str(authority)}))
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"localhost:{free.getsockname()[1]}"
    pem = str(tmp_path / "server.pem")
    tls = {"certificate": pem, "key": pem}
    settings = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "registry")}},
        "http": {"addr": host, "tls": tls},
    }
    (tmp_path / "registry.yml").write_text(json.dumps(settings))
    with subprocess.Popen(
        [program, "serve", str(tmp_path / "registry.yml")], stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        try:
            assert any("listening on" in line for line in server.stderr), "it has ended"
            reader = Thread(target=server.stderr.read, daemon=True)  # so that it is never held up
            reader.start()
            yield f"oci://{host}/team/run:v1"
        finally:
            server.kill()


def test_a_real_registry_takes_it_and_gives_it_back(real_registry: str, tmp_path: Path) -> None:
    output, body = Place(real_registry, Held()), random.Random(0).randbytes(9_000_000)
    first = taken(output, tmp_path / "first")
    (tmp_path / "first/checkpoints").mkdir()
    (tmp_path / "first/checkpoints/latest").write_text("step-00000003")
    (tmp_path / "first/model.safetensors").write_bytes(body)
    first.push()
    second = taken(output, tmp_path / "second")
    assert (tmp_path / "second/model.safetensors").read_bytes() == body
    assert (tmp_path / "second/checkpoints/latest").read_text() == "step-00000003"
    (tmp_path / "first/manifest.json").write_text("late")
    with pytest.raises(Superseded):
        first.push()
    (tmp_path / "second/manifest.json").write_text("{}")
    second.push()
    fetch_all([Use("model.uri", real_registry, None)], Settings.from_environment())
    model = resolve_uri(real_registry)
    assert {path.name for path in model.rglob("*")} == {"manifest.json", "model.safetensors"}
    assert (model / "manifest.json").read_text() == "{}"


def test_a_server_that_refuses(output: Place, tmp_path: Path) -> None:
    output.held.denied = True
    with pytest.raises(InputError, match=r"the server refuses: HTTP 403 Forbidden.* \(Secret writer\)"):
        taken(output, tmp_path / "first")
