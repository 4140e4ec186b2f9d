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

from source_servers import Files, private_authority, web_server
from sparsedm.sources.settings import BUNDLE_VARIABLES
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
