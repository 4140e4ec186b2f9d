"""A run whose weights, data and extractor lie elsewhere."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from source_servers import Files, private_authority, s3_server, web_server
from sparsedm.errors import InputError, Superseded
from sparsedm.sources.bucket import Bucket
from sparsedm.sources.settings import BUNDLE_VARIABLES, Settings
from sparsedm.uris import FETCHED
from tiny_run import Workplace


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


@pytest.fixture
def files(place: Workplace) -> Files:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(place.images, ".")
    return Files(
        {
            "/dense.safetensors": place.weights.read_bytes(),
            "/images.tar.gz": packed.getvalue(),
            "/extractor.safetensors": place.extractor.read_bytes(),
        }
    )


@pytest.fixture
def remote(
    place: Workplace, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, Any]]:
    """The configuration of the run."""
    authority, tls = private_authority(tmp_path)
    for name in (FETCHED, *BUNDLE_VARIABLES):
        monkeypatch.setenv(name, "")  # so that what the run sets is taken back
        monkeypatch.delenv(name)
    cache = tmp_path / "cache"
    monkeypatch.setenv("SPARSEDM_SOURCES", json.dumps({"cache": str(cache), "trustedCA": str(authority)}))
    digest = hashlib.sha256(files.content["/dense.safetensors"]).hexdigest()
    with web_server(files, tls) as host:
        yield place.spec(
            model__pretrained={"uri": f"https://{host}/dense.safetensors", "sha256": digest},
            dataset__uri=f"https://{host}/images.tar.gz",
            evaluation__extractorUri=f"https://{host}/extractor.safetensors",
            training__steps=3,
            training__warmupSteps=1,
            checkpoint__everySteps=3,
        )


def test_a_run_fetches_trains_and_says_what_it_had(
    place: Workplace, files: Files, remote: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, report = place.command(remote, monkeypatch)
    assert code == 0, report
    told = {each["uri"].rpartition("/")[2]: each for each in report["sources"]}
    assert told["dense.safetensors"]["sha256"] == remote["model"]["pretrained"]["sha256"]
    assert set(told) == {"dense.safetensors", "images.tar.gz", "extractor.safetensors"}
    out = place.directory / "out"
    assert json.loads((out / "manifest.json").read_text())["provenance"]["sources"] == report["sources"]
    assert json.loads((out / "sources.json").read_text()) == report["sources"]

    # A finished run reads nothing again.
    files.asked.clear()
    monkeypatch.delenv(FETCHED)
    assert place.command(remote, monkeypatch)[0] == 0
    assert files.asked == []

    # One that has to go on does so from the same content, and from no other.
    (out / "manifest.json").unlink()
    files.content["/extractor.safetensors"] += b" "
    code, report = place.command(remote, monkeypatch)
    assert code == 3
    assert report["error"]["reason"] == "SourceChanged"
    assert report["error"]["message"].startswith("evaluation.extractorUri https://localhost")


def test_what_is_missing_ends_the_run_before_it_starts(
    place: Workplace, files: Files, remote: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    del files.content["/images.tar.gz"]
    code, report = place.command(remote, monkeypatch)
    assert code == 3
    assert report["error"]["reason"] == "SourceNotFound"
    assert report["error"]["message"].startswith("dataset.uri https://localhost")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """A client of moto's server, whose bucket has the rights of the Secret "writer"."""
    import boto3

    monkeypatch.setenv(FETCHED, "")
    monkeypatch.delenv(FETCHED)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = tmp_path / "writer"
    folder.mkdir()
    with s3_server() as url:
        secret = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s", "AWS_ENDPOINT_URL": url}
        for name, value in secret.items():
            (folder / name).write_text(value)
        credentials = [{"prefix": "s3://models", "secret": "writer", "folder": str(folder)}]
        monkeypatch.setenv("SPARSEDM_SOURCES", json.dumps({"credentials": credentials}))
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "s", "region_name": "us-east-1"}
        client = boto3.client("s3", endpoint_url=url, **keys)
        client.create_bucket(Bucket="models")
        yield client


def names(client: Any) -> set[str]:
    found = client.list_objects_v2(Bucket="models", Prefix="run/").get("Contents", [])
    return {each["Key"].removeprefix("run/") for each in found}


def test_a_run_into_a_bucket_goes_on_in_another_pod(
    place: Workplace, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = place.spec(training__steps=6, training__warmupSteps=1, checkpoint={"everySteps": 3, "keep": 1})
    spec["output"]["uri"] = "s3://models/run"

    tensors, digests = (
        f"checkpoints/step-00000006/{name}" for name in ("tensors.safetensors", "digest.json")
    )

    # The first pod is killed while it uploads its second checkpoint, before the digests.
    def killed(self: Bucket) -> None:
        if tensors in names(bucket):
            raise KeyboardInterrupt

    with monkeypatch.context() as first:
        first.setattr(Bucket, "_check_mark", killed)
        with pytest.raises(KeyboardInterrupt):
            place.command(spec, monkeypatch)
    assert {tensors, "checkpoints/step-00000003/digest.json"} < names(bucket)
    assert not {digests, "manifest.json"} & names(bucket)

    monkeypatch.delenv(FETCHED)
    code, report = place.command(spec, monkeypatch)
    assert code == 0, report
    assert report["attempt"] == {"resumedFromStep": 3}
    assert report["model"]["uri"] == "s3://models/run"
    assert report["checkpoint"]["uri"] == "s3://models/run/checkpoints/step-00000006"
    assert {digests, "manifest.json", "model.safetensors", "report.html", "run.json"} < names(bucket)
    assert "checkpoints/step-00000003/tensors.safetensors" not in names(bucket)

    # A third finds it finished, and what it fetches is proven against the manifest.
    monkeypatch.delenv(FETCHED)
    code, again = place.command(spec, monkeypatch)
    assert (code, again["model"]) == (0, report["model"])

    # Another run may not have it.
    monkeypatch.delenv(FETCHED)
    code, report = place.command({**spec, "training": {"steps": 7}}, monkeypatch)
    assert code == 3
    assert "output.uri s3://models/run is already used by run" in report["error"]["message"]


def test_who_was_displaced_uploads_nothing(bucket: Any, tmp_path: Path) -> None:
    settings = Settings.from_environment()
    first, second = (Bucket("s3://models/run", tmp_path / name, settings) for name in ("first", "second"))
    for folder in (tmp_path / "first", tmp_path / "second"):
        folder.mkdir()
    first.pull()
    first.take()
    (tmp_path / "first/run.json").write_text("{}")
    first.push()
    second.pull()
    second.take()
    assert (tmp_path / "second/run.json").read_text() == "{}"
    (tmp_path / "first/manifest.json").write_text("{}")
    with pytest.raises(Superseded, match="has taken over s3://models/run"):
        first.push()
    assert "manifest.json" not in names(bucket)


def test_parts_of_an_upload_that_was_cut_are_thrown_away(bucket: Any, tmp_path: Path) -> None:
    upload = bucket.create_multipart_upload(Bucket="models", Key="run/model.safetensors")
    part = {"Bucket": "models", "Key": "run/model.safetensors", "UploadId": upload["UploadId"]}
    bucket.upload_part(**part, PartNumber=1, Body=b"half")
    assert names(bucket) == set()
    Bucket("s3://models/run", tmp_path, Settings.from_environment()).take()
    assert "Uploads" not in bucket.list_multipart_uploads(Bucket="models")


def test_a_bucket_that_refuses(bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = b"<Error><Code>AccessDenied</Code></Error>"
    with web_server(Files(refusals=[(403, {"Content-Type": "application/xml"}, refused)])) as host:
        (tmp_path / "writer/AWS_ENDPOINT_URL").write_text(f"http://{host}")
        said = r"output\.uri s3://models/run: the server refuses: Acc.* \(Secret writer\)"
        with pytest.raises(InputError, match=said):
            Bucket("s3://models/run", tmp_path, Settings.from_environment()).pull()
