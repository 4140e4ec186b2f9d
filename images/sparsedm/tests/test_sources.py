"""Files from elsewhere: https under an authority of its own, S3, and a hub; whole, resumed, and refused."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import random
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from threading import Event, Semaphore
from typing import Any

import pytest

from serve_tools import FakeEngine
from source_servers import (
    BEHIND_PROXY,
    Files,
    connect_proxy,
    hub,
    private_authority,
    s3_server,
    web_server,
)
from sparsedm.errors import InputError, SparseDMError
from sparsedm.runtime.report_client import ReportClient
from sparsedm.serve.config import read_config
from sparsedm.serve.engine import Engine
from sparsedm.serve.service import Service
from sparsedm.sources.fetch import Meter, Use, fetch_all
from sparsedm.sources.settings import BUNDLE_VARIABLES, Credentials, Settings
from sparsedm.uris import FETCHED, resolve_uri, sources_status, uri_of, with_uris

BODY = random.Random(0).randbytes(3_000_000)
DIGEST = hashlib.sha256(BODY).hexdigest()


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    proxies = ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy")
    for name in (FETCHED, *BUNDLE_VARIABLES, "HF_ENDPOINT", "HF_TOKEN", *proxies):
        # Set first, so that what the code sets is taken back.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()


@pytest.fixture
def files() -> Files:
    return Files({"/m/model.safetensors": BODY})


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    return private_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def host(files: Files, authority: tuple[Path, Any]) -> Iterator[str]:
    with web_server(files, authority[1]) as address:
        yield address


@pytest.fixture
def settings(authority: tuple[Path, Any], tmp_path: Path) -> Settings:
    return Settings(cache=tmp_path / "cache", trusted_ca=authority[0])


def secret(folder: Path, **values: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        (folder / name.replace("__", "-")).write_text(value + "\n")
    return folder


def fetch(uri: str, settings: Settings, sha256: str | None = None, **more: Any) -> Path:
    pauses: list[float] = []
    fetch_all([Use("dataset.uri", uri, sha256)], settings, sleep=pauses.append, **more)
    return resolve_uri(uri)


class TestWeb:
    def test_arrives_and_is_kept(self, files: Files, host: str, settings: Settings) -> None:
        uri = f"https://{host}/m/model.safetensors"
        path = fetch(uri, settings)
        assert path.read_bytes() == BODY
        assert path.name == "model.safetensors"
        assert sources_status() == [{"uri": uri, "sha256": DIGEST, "sizeBytes": len(BODY)}]
        assert uri_of(path) == uri
        assert with_uris(f"{path} is damaged.") == f"{uri} is damaged."
        files.asked.clear()
        assert fetch(uri, settings) == path
        assert [range_ for _, range_, _ in files.asked] == ["bytes=0-0"]

    def test_a_known_digest_asks_nobody(self, files: Files, host: str, settings: Settings) -> None:
        fetch(f"https://{host}/m/model.safetensors", settings, DIGEST)
        files.asked.clear()
        other = fetch("https://away.example/other.safetensors", settings, DIGEST)
        assert other.read_bytes() == BODY
        assert files.asked == []

    @pytest.mark.parametrize("etags", [True, False])
    @pytest.mark.parametrize("ranges", [True, False])
    def test_goes_on_where_it_was_cut(
        self, files: Files, host: str, settings: Settings, etags: bool, ranges: bool
    ) -> None:
        files.etags, files.ranges = etags, ranges
        # The first answer without ranges is the whole file too, of which only the head is read.
        files.cuts = [1_200_000, 1_100_000] if ranges else [3_000_000, 1_200_000, 1_500_000]
        assert fetch(f"https://{host}/m/model.safetensors", settings).read_bytes() == BODY
        starts = [range_ for _, range_, _ in files.asked[1:]]
        assert starts[0] == ""
        first, second = (int(start.removeprefix("bytes=").rstrip("-")) for start in starts[1:])
        assert 1_000_000 < first < second

    def test_a_silent_server_is_asked_again(
        self, files: Files, host: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It says nothing more on the first connection, for as long as the test takes."""
        monkeypatch.setattr("sparsedm.sources.web.READ_SECONDS", 1.0)
        files.cuts, files.silence = [1_200_000], Event()
        silence = files.silence
        try:
            assert fetch(f"https://{host}/m/model.safetensors", settings).read_bytes() == BODY
        finally:
            silence.set()
        assert files.asked[-1][1].startswith("bytes=1")

    def test_a_slow_server_is_waited_for_and_its_progress_is_told(
        self, files: Files, host: str, settings: Settings
    ) -> None:
        """It sends a piece when the one before has been reported."""
        told: list[str] = []
        reported = Semaphore(1)

        def show(progress: dict[str, Any], urgent: bool) -> None:
            told.append(progress["display"])
            reported.release()

        files.trickle = lambda: reported.acquire(timeout=30)
        seconds = count(step=10)  # so that every piece is due to be told
        fetch(
            f"https://{host}/m/model.safetensors", settings, meter=Meter(show, lambda: float(next(seconds)))
        )
        assert told[0] == "fetching 0.0 of 3.0 MB"
        assert len(set(told)) >= len(BODY) // 500_000
        assert len(files.asked) == 2, "on one connection, after the question how large it is"

    def test_a_proxy_and_what_goes_around_it(
        self, files: Files, host: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files.content["/data/x.bin"] = BODY
        keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}
        place = secret(tmp_path / "s3", **keys, AWS_ENDPOINT_URL=f"https://{BEHIND_PROXY}")
        settings = replace(settings, credentials=(Credentials("s3://", "reader", place),))
        with connect_proxy(host) as (proxy, asked):
            monkeypatch.setenv("HTTPS_PROXY", proxy)
            monkeypatch.setenv("NO_PROXY", "localhost")
            assert fetch(f"https://{BEHIND_PROXY}/m/model.safetensors", settings).read_bytes() == BODY
            assert set(asked) == {f"CONNECT {BEHIND_PROXY}:443 HTTP/1.1"}
            asked.clear()
            assert fetch("s3://data/x.bin", settings).read_bytes() == BODY
            assert {line.rpartition(" ")[0] for line in asked} == {f"CONNECT {BEHIND_PROXY}:443"}
            asked.clear()
            files.content["/near.bin"] = b"near"
            assert fetch(f"https://{host}/near.bin", settings).read_bytes() == b"near"
            assert asked == []
            monkeypatch.setenv("NO_PROXY", f"localhost,{BEHIND_PROXY}")
            with pytest.raises(
                SparseDMError, match=r"dataset\.uri .*: the connection failed \(ConnectError\)"
            ):
                fetch(f"https://{BEHIND_PROXY}/other.bin", settings)
            assert asked == []

    def test_gives_up_and_the_next_goes_on(self, files: Files, host: str, settings: Settings) -> None:
        uri = f"https://{host}/m/model.safetensors"
        files.cuts = [1_048_576, *[0] * 6]
        with pytest.raises(SparseDMError, match=r"dataset\.uri https.*connection failed") as failed:
            fetch(uri, settings)
        assert failed.value.exit_code == 1
        files.cuts, files.asked = [], []
        assert fetch(uri, settings).read_bytes() == BODY
        assert files.asked[-1][1] == "bytes=1048576-"

    def test_waits_as_long_as_the_server_asks(self, files: Files, host: str, settings: Settings) -> None:
        files.refusals = [(503, {"Retry-After": "7"}, b""), (429, {}, b"")]
        pauses: list[float] = []
        fetch_all([Use("dataset.uri", f"https://{host}/m/model.safetensors")], settings, sleep=pauses.append)
        assert pauses == [7.0, 2.0]

    def test_a_replaced_file_is_not_mixed(self, files: Files, host: str, settings: Settings) -> None:
        uri = f"https://{host}/m/model.safetensors"
        files.cuts = [1_048_576]

        def exchange(_: float) -> None:
            files.content["/m/model.safetensors"] = BODY[::-1]

        with pytest.raises(SparseDMError, match="was replaced while it was fetched"):
            fetch_all([Use("dataset.uri", uri)], settings, sleep=exchange)
        assert fetch(uri, settings).read_bytes() == BODY[::-1]

    def test_wrong_digest(self, host: str, settings: Settings) -> None:
        with pytest.raises(InputError, match=f"has SHA-256 {DIGEST}, and the spec says {'0' * 64}") as failed:
            fetch(f"https://{host}/m/model.safetensors", settings, "0" * 64)
        assert failed.value.reason == "DigestMismatch"
        assert settings.cache is not None
        assert [path.name for path in settings.cache.glob("sha256*")] == [f"sha256-{'0' * 64}.lock"]

    @pytest.mark.parametrize(
        ("answer", "want"),
        [
            (
                (403, {}, b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"),
                "AccessDenied (HTTP",
            ),
            ((401, {"WWW-Authenticate": 'Bearer error="no_scope"'}, b""), "no_scope (HTTP 401 Unauthorized)"),
            ((404, {}, b""), "there is nothing: HTTP 404"),
        ],
    )
    def test_refusals_are_final_sentences(
        self, files: Files, host: str, settings: Settings, answer: Any, want: str
    ) -> None:
        files.refusals = [answer]
        with pytest.raises(InputError) as failed:
            fetch(f"https://{host}/m/model.safetensors", settings)
        assert want in failed.value.message
        assert failed.value.message.startswith(f"dataset.uri https://{host}/m/model.safetensors: ")

    def test_credentials_stay_with_their_host(
        self, files: Files, host: str, settings: Settings, tmp_path: Path, authority: tuple[Path, Any]
    ) -> None:
        folder = secret(tmp_path / "secret", token="t0p-secret")
        settings = replace(settings, credentials=(Credentials(f"https://{host}", "web", folder),))
        files.needs = {"Authorization": "Bearer t0p-secret"}
        other = Files({"/m/model.safetensors": BODY})
        with web_server(other, authority[1]) as elsewhere:
            files.redirects["/m/model.safetensors"] = (
                f"https://{elsewhere}/m/model.safetensors?signature=s1gned"
            )
            other.cuts = [0] * 7
            with pytest.raises(SparseDMError) as failed:
                fetch(f"https://{host}/m/model.safetensors", settings)
            assert "s1gned" not in failed.value.message
            assert "t0p-secret" not in failed.value.message
        assert {authorization for _, _, authorization in files.asked} == {"Bearer t0p-secret"}
        assert {authorization for _, _, authorization in other.asked} == {""}
        assert "t0p-secret" not in json.dumps(dict(os.environ))

    def test_expired_credentials_are_renewed(
        self, files: Files, host: str, settings: Settings, tmp_path: Path
    ) -> None:
        folder = secret(tmp_path / "secret", token="old")
        settings = replace(settings, credentials=(Credentials("https://", "web", folder),))
        uri = f"https://{host}/m/model.safetensors"
        expired = (401, {"WWW-Authenticate": 'Bearer error="invalid_token"'}, b"")
        files.refusals = [expired]
        with pytest.raises(SparseDMError, match=r"have expired: invalid_token .*\(Secret web\)") as failed:
            fetch(uri, settings)
        assert failed.value.exit_code == 1  # the next pod may find another Secret

        class Renewed(list):
            def pop(self, *_: Any) -> Any:
                secret(folder, token="new")
                return super().pop(0)

        files.refusals = Renewed([expired])
        assert fetch(uri, settings).read_bytes() == BODY
        assert files.asked[-1][2] == "Bearer new"

    def test_unknown_authority(self, host: str, settings: Settings) -> None:
        with pytest.raises(InputError, match=r"not trusted .*sources\.trustedCA") as failed:
            fetch(f"https://{host}/m/model.safetensors", Settings(cache=settings.cache))
        assert failed.value.reason == "CertificateUnknown"

    def test_no_redirect_to_plain_http(self, files: Files, host: str, settings: Settings) -> None:
        files.redirects["/m/model.safetensors"] = f"http://{host}/m/model.safetensors"
        with pytest.raises(InputError, match="not encrypted"):
            fetch(f"https://{host}/m/model.safetensors", settings)

    def test_archives_are_folders(self, files: Files, host: str, settings: Settings) -> None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("a/x.png", b"x")
        files.content["/data.zip"] = packed.getvalue()
        folder = fetch(f"https://{host}/data.zip", settings)
        assert folder.name == "data"
        assert (folder / "a/x.png").read_bytes() == b"x"

    def test_archives_stay_in_their_folder(
        self, files: Files, host: str, settings: Settings, tmp_path: Path
    ) -> None:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            link = tarfile.TarInfo("out")
            link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
            archive.addfile(link)
        files.content["/data.tar.gz"] = packed.getvalue()
        with pytest.raises(InputError, match=r"data\.tar\.gz holds a file that would leave its folder"):
            fetch(f"https://{host}/data.tar.gz", settings)

    def test_an_attempt_reads_what_the_first_read(self, files: Files, host: str, settings: Settings) -> None:
        uri = f"https://{host}/m/model.safetensors"
        fetch(uri, settings)
        pinned = {each["uri"]: each for each in sources_status()}
        files.content["/m/model.safetensors"] = BODY[::-1]
        with pytest.raises(InputError, match="has changed since this run began"):
            fetch(uri, settings, pinned=pinned)

    def test_progress(self, host: str, settings: Settings) -> None:
        shown: list[dict[str, Any]] = []
        fetch_all(
            [Use("dataset.uri", f"https://{host}/m/model.safetensors")],
            settings,
            Meter(lambda progress, urgent: shown.append(progress)),
        )
        assert shown[-1]["phase"] == "fetching"
        assert shown[-1]["display"].endswith(" of 3.0 MB")


FULL = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000))
from pathlib import Path
from sparsedm.errors import SparseDMError
from sparsedm.sources.fetch import Use, fetch_all
from sparsedm.sources.settings import Settings
try:
    settings = Settings(cache=Path(sys.argv[2]), trusted_ca=Path(sys.argv[3]))
    fetch_all([Use("dataset.uri", sys.argv[1])], settings)
except SparseDMError as error:
    print(json.dumps([error.exit_code, error.reason, error.message]))
"""


def test_full_volume(host: str, settings: Settings) -> None:
    uri = f"https://{host}/m/model.safetensors"
    command = [sys.executable, "-c", FULL, uri, str(settings.cache), str(settings.trusted_ca)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "src")}
    ended = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    code, reason, message = json.loads(ended.stdout)
    assert (code, reason) == (1, "CacheFull")
    assert "has no room for files of 3.0 MB" in message
    assert fetch(uri, settings).read_bytes() == BODY


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    import boto3

    with s3_server() as url:
        client = boto3.client(
            "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="s"
        )
        client.create_bucket(Bucket="bucket")
        yield client


@pytest.fixture
def s3_settings(s3: Any, tmp_path: Path) -> Settings:
    folder = secret(
        tmp_path / "s3-secret",
        AWS_ACCESS_KEY_ID="a",
        AWS_SECRET_ACCESS_KEY="s",
        AWS_ENDPOINT_URL=s3.meta.endpoint_url,
    )
    return Settings((Credentials("s3://bucket", "reader", folder),), tmp_path / "cache")


class TestS3:
    def test_one_object(self, s3: Any, s3_settings: Settings) -> None:
        s3.put_object(Bucket="bucket", Key="m/model.safetensors", Body=BODY)
        assert fetch("s3://bucket/m/model.safetensors", s3_settings, DIGEST).read_bytes() == BODY

    def test_a_folder_is_no_prefix(self, s3: Any, s3_settings: Settings) -> None:
        for key in ("data/a/0.png", "data/b/1.png", "data/", "data-other/2.png"):
            s3.put_object(Bucket="bucket", Key=key, Body=key.encode())
        s3.put_object(Bucket="bucket", Key="data/empty", Body=b"")
        folder = fetch("s3://bucket/data", s3_settings)
        found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        assert found == {"a/0.png", "b/1.png", "empty"}
        lines = "".join(
            f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in sorted(found)
        )
        assert sources_status()[0]["sha256"] == hashlib.sha256(lines.encode()).hexdigest()

    def test_nothing_there(self, s3_settings: Settings) -> None:
        with pytest.raises(InputError, match="neither the object none nor any below none/"):
            fetch("s3://bucket/none", s3_settings)

    def test_a_key_that_climbs(self, s3: Any, s3_settings: Settings) -> None:
        s3.put_object(Bucket="bucket", Key="evil/../../x", Body=b"x")
        with pytest.raises(InputError, match=r"which can't be one of its folder"):
            fetch("s3://bucket/evil", s3_settings)

    @pytest.mark.parametrize(
        ("code", "want", "exit_code"),
        [("AccessDenied", "AccessDenied (HTTP 403)", 3), ("ExpiredToken", "have expired: ExpiredToken", 1)],
    )
    def test_refusals(
        self, files: Files, s3_settings: Settings, tmp_path: Path, code: str, want: str, exit_code: int
    ) -> None:
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>key AKIA1</Message></Error>".encode()
        files.refusals = [(403, {"Content-Type": "application/xml"}, body)]
        with web_server(files) as address:
            secret(tmp_path / "s3-secret", AWS_ENDPOINT_URL=f"http://{address}")
            with pytest.raises(SparseDMError) as failed:
                fetch("s3://bucket/m/model.safetensors", s3_settings)
        assert want in failed.value.message
        assert "(Secret reader)" in failed.value.message
        assert "AKIA1" not in failed.value.message
        assert failed.value.exit_code == exit_code

    def test_goes_on_where_it_was_cut(self, files: Files, s3_settings: Settings, tmp_path: Path) -> None:
        """moto cuts nothing, so that this one is the web server, which an S3 client takes for one."""
        files.content = {"/bucket/m/model.safetensors": BODY}
        files.cuts = [1_500_000, 700_000]
        with web_server(files) as address:
            secret(tmp_path / "s3-secret", AWS_ENDPOINT_URL=f"http://{address}")
            assert fetch("s3://bucket/m/model.safetensors", s3_settings).read_bytes() == BODY
        assert len(files.asked) == 4


PIPELINE = (
    "model_index.json",
    "README.md",
    "text_encoder/config.json",
    "text_encoder/model-00001-of-00002.safetensors",
    "text_encoder/model.safetensors.index.json",
    "tokenizer/merges.txt",
    "transformer/config.json",
    "transformer/diffusion_pytorch_model.safetensors",
    "vae/diffusion_pytorch_model.bin",  # the only one
)
PIPELINE_DOUBLES = (
    "sd3_medium.safetensors",
    "text_encoder/model.fp16-00001-of-00002.safetensors",
    "text_encoder/model.safetensors.index.fp16.json",
    "text_encoder/openvino_model.bin",
    "text_encoder/openvino_model.xml",
    "transformer/diffusion_pytorch_model.fp16.safetensors",
    "transformer/diffusion_pytorch_model.bin",
    "transformer/model.onnx_data",
)


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


class TestHub:
    @pytest.fixture
    def repo(self) -> Files:
        first = {"model.safetensors": BODY, "vae/config.json": b"{}", "README.md": b"one"}
        return hub({"o/r": {"c" * 40: first, "d" * 40: {**first, "README.md": b"two"}}}, {"main": "c" * 40})

    @pytest.fixture
    def hub_settings(self, repo: Files, tmp_path: Path) -> Iterator[Settings]:
        repo.needs = {"Authorization": "Bearer hf_t"}
        with web_server(repo) as address:
            folder = secret(tmp_path / "hf", token="hf_t", HF_ENDPOINT=f"http://{address}")
            yield Settings((Credentials("hf://", "hub", folder),), tmp_path / "cache")

    @pytest.mark.parametrize(
        ("uri", "want"),
        [
            ("hf://o/r", {"model.safetensors", "vae/config.json", "README.md"}),
            ("hf://o/r@main/vae", {"config.json"}),
            (f"hf://datasets/o/r@{'d' * 40}/vae", {"config.json"}),
        ],
    )
    def test_folders(self, hub_settings: Settings, uri: str, want: set[str]) -> None:
        folder = fetch(uri, hub_settings)
        assert files_of(folder) == want
        assert sources_status()[0]["revision"] == ("d" if "d" * 40 in uri else "c") * 40

    def test_of_a_model_only_what_is_read(self, tmp_path: Path) -> None:
        held = {path: b"{}" for path in (*PIPELINE, *PIPELINE_DOUBLES)}
        with web_server(hub({"o/r": {"c" * 40: held}}, {"main": "c" * 40})) as address:
            folder = secret(tmp_path / "hf", HF_ENDPOINT=f"http://{address}")
            settings = Settings((Credentials("hf://", "hub", folder),), tmp_path / "cache")
            models, data = fetch("hf://o/r", settings), fetch("hf://datasets/o/r", settings)
            single = fetch("hf://o/r/sd3_medium.safetensors", settings)
        assert files_of(models) == set(PIPELINE)
        assert files_of(data) == set(held)
        assert single.is_file()

    def test_a_file(self, repo: Files, hub_settings: Settings) -> None:
        repo.cuts = [1_000_000]
        assert fetch("hf://o/r/model.safetensors", hub_settings).read_bytes() == BODY

    def test_a_branch_that_moves_does_not_move_the_run(self, repo: Files, hub_settings: Settings) -> None:
        pinned = {"hf://o/r/README.md": {"revision": "d" * 40, "sha256": hashlib.sha256(b"two").hexdigest()}}
        assert fetch("hf://o/r/README.md", hub_settings, pinned=pinned).read_bytes() == b"two"

    def test_what_arrives_is_what_the_hub_announced(self, repo: Files, hub_settings: Settings) -> None:
        repo.content[f"/o/r/resolve/{'c' * 40}/model.safetensors"] = BODY[::-1]
        with pytest.raises(SparseDMError, match=f"the server announced {DIGEST}"):
            fetch("hf://o/r/model.safetensors", hub_settings)

    @pytest.mark.parametrize(
        ("uri", "want"),
        [
            ("hf://o/none", "there is no such repository, or it is private"),
            ("hf://o/r@v2/x", "no revision v2"),
            ("hf://o/r/none", "has neither the file none nor any in none/"),
        ],
    )
    def test_refusals(self, repo: Files, hub_settings: Settings, uri: str, want: str) -> None:
        with pytest.raises(InputError, match=want):
            fetch(uri, hub_settings)


class Reports(ReportClient):
    """Keeps what a server reports while it starts."""

    def __init__(self) -> None:
        super().__init__(None, None)
        self.loading: list[dict[str, Any]] = []

    def update(self, urgent: bool = False, **parts: Any) -> None:
        self.loading += [parts["loading"]] if "loading" in parts else []


def test_a_server_fetches_its_model_first(
    files: Files, host: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("manifest.json"))
    files.content["/clothes.tar"] = packed.getvalue()
    given = {"cache": str(settings.cache), "trustedCA": str(settings.trusted_ca)}
    uri = f"https://{host}/clothes.tar"
    environment = {"SPARSEDM_MODEL": uri}
    monkeypatch.setenv("SPARSEDM_SOURCES", json.dumps(given))
    config = read_config(None, None, None, "", 0, False, environment)
    assert config.remote == uri
    engine, loaded = FakeEngine(0.0), []
    monkeypatch.setattr(Engine, "load", lambda directory, *_: loaded.append(directory) or engine)

    async def main() -> None:
        reporter = Reports()
        service = Service(config, reporter)
        await service.start()
        assert reporter.loading[0]["phase"] == "Fetching"
        assert uri_of(service.config.model) == uri
        service.close()

    asyncio.run(main())
    assert [path.name for path in loaded[0].iterdir()] == ["manifest.json"]


def test_the_longest_prefix_wins(tmp_path: Path) -> None:
    settings = Settings(
        tuple(
            Credentials(prefix, prefix, tmp_path)
            for prefix in ("s3://", "s3://b", "s3://b/a", "https://h", "hf://o/r")
        )
    )
    wanted = {"s3://c/x": "s3://", "s3://b/x": "s3://b", "s3://b/a/x": "s3://b/a", "s3://b/ax": "s3://b"}
    wanted |= {"hf://o/r@v1/x": "hf://o/r", "hf://o/r2": "", "https://h:8443/x": ""}
    assert {uri: settings.credentials_of(uri).secret for uri in wanted} == wanted
    assert settings.credentials_of("https://h2/x").secret == ""
