"""Folders of images as users have them: which files are used, which are skipped, which class is which.

Many cases replay public reports on other programs' readers of image folders.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sparsedm.artifact.artifact import read_manifest
from sparsedm.cli import main
from sparsedm.data import Dataset, open_dataset
from sparsedm.data.contents import fit_classes, lines, record, shown
from sparsedm.errors import InputError
from sparsedm.runtime.progress import Console
from sparsedm.runtime.report_client import ReportClient
from sparsedm.runtime.stop import StopSignal
from sparsedm.serve.prompts import ClassNames
from sparsedm.training.config import parse_config
from sparsedm.training.finetune import train
from tiny_run import Workplace


def image(path: Path, value: int = 200, format: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, 8), value).save(path, format)
    return path


def opened(path: Path) -> Dataset:
    return open_dataset("image-folder", path, 8, 1)


def said(data: Dataset) -> str:
    return "\n".join(lines(record(data)))


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """Two classes, of one image and of two."""
    for name in ("ant/1.png", "zebra/1.png", "zebra/2.png"):
        image(tmp_path / name)
    return tmp_path


# --- what tools leave ------------------------------------------------------------------------------------

TOOL_FOLDERS = [
    "lost+found", "__MACOSX", "@eaDir", "@__thumb", ".ipynb_checkpoints", ".git", ".AppleDouble",
    ".Trash-1000", "$RECYCLE.BIN", "System Volume Information", "#recycle", "__pycache__",
]  # fmt: skip


@pytest.mark.parametrize("name", TOOL_FOLDERS)
@pytest.mark.parametrize("full", [False, True], ids=["empty", "with an image"])
def test_a_tools_folder_is_no_class(pair: Path, name: str, full: bool) -> None:
    """As .ipynb_checkpoints became class 0 in torchvision (pytorch/vision 2831) and mmpretrain (507)."""
    for place in (pair / name, pair / "ant" / name):
        place.mkdir()
        if full:
            image(place / "thumbnail.png")
    data = opened(pair)
    assert data.classes == ["ant", "zebra"]
    assert data.labels.tolist() == [0, 1, 1]
    first = sorted((name, f"ant/{name}"))
    assert f"Skipped files and folders made by tools: 2 ({', '.join(first)})." in said(data)


@pytest.mark.parametrize("name", ["lost+found", "__MACOSX"])
def test_a_tools_folder_beside_images_makes_no_classes(tmp_path: Path, name: str) -> None:
    image(tmp_path / "1.png")
    (tmp_path / name).mkdir()
    assert opened(tmp_path).labels is None


@pytest.mark.parametrize(
    "name", [".DS_Store", "Thumbs.db", "desktop.ini", "._1.png", ".hidden.png", "ehthumbs.db"]
)
def test_a_tools_file_is_no_image(pair: Path, name: str) -> None:
    (pair / "ant" / name).write_bytes(b"\0\5\x16\7not an image")
    data = opened(pair)
    assert len(data) == 3
    assert f"Skipped files and folders made by tools: 1 (ant/{name})." in said(data)


# --- the order of classes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "want",
    [
        pytest.param([str(i) for i in range(12)], id="numbers (pytorch/vision 714, NVIDIA/DIGITS 665)"),
        pytest.param(["01", "2", "010", "11"], id="numbers with zeros in front"),
        pytest.param(["class1", "class2", "class10", "other"], id="numbers within names"),
        pytest.param(["n01440764", "n01443537", "n02102040"], id="synsets"),
        pytest.param(["Zebra", "ant", "bee"], id="text, capitals first"),
        pytest.param(["1.5", "2", "a", "é"], id="numbers before text"),
    ],
)
def test_class_folders_are_in_natural_order(tmp_path: Path, want: list[str]) -> None:
    for value, name in enumerate(want):
        image(tmp_path / name / "x.png", value)
    data = opened(tmp_path)
    assert data.classes == want
    x, labels = data.batch(range(len(want)))
    assert labels.tolist() == ((x[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()


def test_a_class_without_images_keeps_its_label_and_is_told(pair: Path) -> None:
    (pair / "bee").mkdir()
    data = opened(pair)
    assert data.classes == ["ant", "bee", "zebra"]
    assert data.labels.tolist() == [0, 2, 2]
    assert said(data).splitlines() == [
        "3 samples of 3 classes: 0 = ant (1), 1 = bee (0), 2 = zebra (2).",
        "Classes without images: 1 (bee).",
    ]


def test_empty_folders_beside_images_are_no_classes(tmp_path: Path) -> None:
    image(tmp_path / "1.png")
    (tmp_path / "results").mkdir()
    data = opened(tmp_path)
    assert (data.classes, data.labels) == (None, None)
    assert said(data) == "1 samples, no classes.\nSkipped folders without images: 1 (results)."


def test_classes_that_a_prompt_can_not_tell_apart_are_named(tmp_path: Path) -> None:
    for name in ("A", "a", "b"):
        image(tmp_path / name / "x.png")
    data = opened(tmp_path)
    assert data.classes == ["A", "a", "b"]
    want = "Classes that no prompt tells apart, so the server refuses the model: rename one: 1 (A and a)."
    assert want in said(data)


# --- layouts that would give other classes ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "want"),
    [
        (["train/ant/1.png", "val/ant/1.png"], r"holds train, val, .* dataset\.uri, as in .*/train\."),
        (["test/1.png", "Train/1.png"], r"as in .*/Train\."),
        (["train/ant/1.png", "train/bee/1.png"], r"holds train, which are parts"),
        (["photos/ant/1.png", "photos/bee/1.png"], r"holds one folder, photos, .* as in .*/photos\."),
        (["ant/train/1.png", "ant/test/1.png", "bee/1.png"], r"ant/t.* is named as a part of a data set"),
        (["ant/1.png", "2.png"], r"2\.png lies beside the class folders"),
        (["ant/1.png", "bee/cat/2.heic"], r"2\.heic is an image that can't be read here, one of 1"),
        (["e\u0301/1.png", "\u00e9/1.png"], "one name in two spellings of Unicode"),
        (["a\nb/1.png", "c/1.png"], r"class folder .*a\\nb can't be printed: rename it"),
    ],
)
def test_a_layout_that_is_unclear_is_refused_by_name(tmp_path: Path, files: list[str], want: str) -> None:
    for name in files:
        image(tmp_path / name, format="PNG")
    with pytest.raises(InputError, match=want) as error:
        opened(tmp_path)
    assert error.value.reason == "DatasetUnreadable"


def test_folders_within_a_class_belong_to_it(pair: Path) -> None:
    image(pair / "ant" / "2024" / "spring" / "3.png")
    (pair / "zebra" / "drafts").mkdir()
    data = opened(pair)
    assert data.labels.tolist() == [0, 0, 1, 1]
    text = said(data)
    assert "Images in folders below their class folder: 1 (ant/2024)." in text
    assert "Skipped folders without images: 1 (zebra/drafts)." in text


def test_names_that_are_no_utf8_are_shown_and_refused_for_classes_alone(pair: Path) -> None:
    source = (pair / "ant" / "1.png").read_bytes()
    Path(os.fsdecode(os.fsencode(pair / "ant") + b"/caf\xe9.png")).write_bytes(source)
    assert len(opened(pair)) == 4
    Path(os.fsdecode(os.fsencode(pair / "ant") + b"/caf\xe9.png")).write_bytes(b"no image")
    with pytest.raises(InputError, match=r"caf\\xe9\.png is not a readable image") as error:
        opened(pair)
    error.value.message.encode()
    os.rename(pair / "ant", os.fsencode(pair) + b"/caf\xe9")
    with pytest.raises(InputError, match=r"class folder .*/caf\\xe9 is no UTF-8: rename it"):
        opened(pair)
    assert shown(b"\xff/\n") == r"\xff/\n"


# --- which files are images ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("a.webp", "WEBP"), ("a.avif", "AVIF"), ("a.jfif", "JPEG"), ("a.tif", "TIFF"), ("a.JPG", "JPEG"),
        ("a.jpe", "JPEG"), ("a.jpeg2000", "JPEG2000"), ("a.jp2", "JPEG2000"), ("a.gif", "GIF"), ("a", "PNG"),
        ("a.ppm", "PPM"), ("a.png.bak", "PNG"), ("a.TGA", "TGA"), ("a.bmp", "BMP"), ("a.jpg", "PNG"),
    ],
)  # fmt: skip
def test_what_pillow_opens_is_an_image_whatever_its_ending(pair: Path, name: str, format: str) -> None:
    image(pair / "ant" / name, format=format)
    data = opened(pair)
    assert data.labels.tolist() == [0, 0, 1, 1]
    x, _ = data.batch(range(4))
    assert (x[:, 0] - (200 / 127.5 - 1)).abs().max() < 0.03
    assert len(lines(record(data))) == 1


def test_what_is_no_image_is_counted_and_told(pair: Path) -> None:
    for name in ("README", "labels.csv", "ant/notes.txt", "zebra/clip.mp4", "zebra/empty"):
        (pair / name).write_bytes(b"" if name.endswith("empty") else b"something else")
    os.mkfifo(pair / "ant" / "pipe")
    text = said(opened(pair))
    assert "Skipped files that are not images: 5 (README, labels.csv, ant/notes.txt, ...)." in text
    assert "Skipped entries that are neither files nor folders: 1 (ant/pipe)." in text


def test_an_empty_folder_says_what_it_passed_over(tmp_path: Path) -> None:
    (tmp_path / "train.zip").write_bytes(b"PK\3\4")
    with pytest.raises(
        InputError, match=r"holds no images.* Skipped files that are not images: 1 \(train\.zip\)\."
    ):
        opened(tmp_path)


def test_a_file_with_an_images_ending_must_be_one(pair: Path) -> None:
    """An error page that a download saved as .jpg, say."""
    (pair / "ant" / "2.jpg").write_text("<html>404</html>")
    with pytest.raises(InputError, match=r"2\.jpg is not a readable image \(cannot identify image file\)"):
        opened(pair)


def test_links_are_followed_and_broken_ones_named(
    pair: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    image(elsewhere / "bee" / "1.png", 100)
    (pair / "bee").symlink_to(elsewhere / "bee")
    (pair / "ant" / "2.png").symlink_to(elsewhere / "bee" / "1.png")
    (pair / "ant" / "loop").symlink_to(pair)
    data = opened(pair)
    assert data.classes == ["ant", "bee", "zebra"]
    assert data.labels.tolist() == [0, 0, 1, 2, 2]
    assert "Skipped links to a folder they lie in: 1 (ant/loop)." in said(data)
    (elsewhere / "bee" / "1.png").unlink()
    with pytest.raises(InputError, match=r"ant/2\.png is a link to .*elsewhere.*, which is not there: mount"):
        opened(pair)


# --- the model's classes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "num_classes", "want"),
    [
        (["a", "b", "c"], 2, r"has 2 classes and the data set 3 \(a, b, c\)"),
        (["a", "b"], 10, r"has 10 classes and the data set 2 \(a, b\)"),
        ([], 10, "has 10 classes and the data set no labels"),
    ],
)
def test_another_number_of_classes_is_refused_with_both(
    tmp_path: Path, names: list[str], num_classes: int, want: str
) -> None:
    image(tmp_path / "x.png") if not names else [image(tmp_path / name / "x.png") for name in names]
    data = opened(tmp_path)
    fit_classes(data, 0)
    with pytest.raises(InputError, match=want) as error:
        fit_classes(data, num_classes)
    assert error.value.reason == "DatasetMismatch"


KNOWN = ["t-shirt", "trouser", "ankle boot"]


def test_folders_with_the_models_class_names_get_its_labels(tmp_path: Path) -> None:
    for value, name in enumerate(("T-Shirt", "trouser", "ankle_boot")):
        image(tmp_path / name / "x.png", value)
    data = opened(tmp_path)
    assert data.classes == ["T-Shirt", "ankle_boot", "trouser"]
    fit_classes(data, 3, KNOWN)
    assert data.classes == KNOWN
    x, labels = data.batch(range(3))
    assert labels.tolist() == ((x[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()
    assert "Labels follow the model's classes" in said(data)


def test_names_that_are_partly_the_models_are_refused_and_others_told(tmp_path: Path) -> None:
    for name in ("trouser", "hat", "dress"):
        image(tmp_path / name / "x.png")
    with pytest.raises(InputError, match="trouser are among them and dress, hat are not"):
        fit_classes(opened(tmp_path), 3, KNOWN)
    (tmp_path / "trouser").rename(tmp_path / "sock")
    data = opened(tmp_path)
    fit_classes(data, 3, KNOWN)
    assert data.classes == ["dress", "hat", "sock"]
    assert "replace the model's, which are t-shirt, trouser, ankle boot." in said(data)


def test_the_mapping_is_told_at_the_start_and_goes_with_the_artifact(place: Workplace) -> None:
    """Folders 2 and 10: from the log to the manifest, `inspect`, the report and the server's prompts."""
    folder = place.directory / "numbers"
    for name, value in (("2", 40), ("10", 220)):
        for i in range(3):
            path = folder / name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((32, 32), value + i, dtype=np.uint8)).save(path)
    (folder / "lost+found").mkdir()
    log = io.StringIO()
    spec: dict[str, Any] = place.spec("numbers-out", dataset__uri=f"file://{folder}", training__steps=2)
    train(parse_config(spec), ReportClient(None, None), Console(log), StopSignal())
    told = log.getvalue()
    assert "Data: 6 samples of 2 classes: 0 = 2 (3), 1 = 10 (3).\n" in told
    assert "Data: Skipped files and folders made by tools: 1 (lost+found).\n" in told
    assert told.index("Data: 6 samples") < told.index("training step 1/2")

    artifact = place.directory / "numbers-out"
    manifest = read_manifest(artifact)
    assert manifest["classes"] == ["2", "10"]
    data = manifest["provenance"]["data"]
    assert data["classes"] == [{"name": "2", "samples": 3}, {"name": "10", "samples": 3}]
    assert data["notes"] == [
        {"what": "skipped files and folders made by tools", "count": 1, "first": ["lost+found"]}
    ]
    assert "0 = 2 (3), 1 = 10 (3)." in (artifact / "report.html").read_text()
    prompts = ClassNames(manifest["classes"], 2)
    assert (prompts.condition("10"), prompts.condition("2")) == (1, 0)


def test_inspect_prints_the_data(place: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    artifact = place.directory / "numbers-out"
    assert main(["inspect", str(artifact)]) == 0
    assert "data:\n  6 samples of 2 classes: 0 = 2 (3), 1 = 10 (3).\n" in capsys.readouterr().out
    manifest = json.loads((artifact / "manifest.json").read_text())
    del manifest["provenance"]["data"]  # as an earlier version wrote it
    (artifact / "manifest.json").write_text(json.dumps(manifest))
    assert main(["inspect", str(artifact)]) == 0


@pytest.mark.parametrize(
    ("make", "want"),
    [
        (lambda folder: None, "There is no folder pvc://data/animals: check"),
        (lambda folder: image(folder / "1.png"), "pvc://data/animals/1.png has 8x8 pixels, and the model"),
        (lambda folder: folder.mkdir(), "pvc://data/animals holds no images: give"),
        (lambda folder: image(folder / "train" / "1.png"), "in dataset.uri, as in pvc://data/animals/train"),
    ],
)
def test_messages_have_the_paths_of_the_manifest(
    place: Workplace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[Path], object],
    want: str,
) -> None:
    (tmp_path / "data").mkdir()
    make(tmp_path / "data" / "animals")
    monkeypatch.setenv("SPARSEDM_MOUNTS", str(tmp_path))
    name = want.split(".png")[0].replace("/", "-").replace(" ", "-")
    code, told = place.command(place.spec(name, dataset__uri="pvc://data/animals"), monkeypatch)
    assert code == 3
    assert want in told["error"]["message"]
    assert want in capsys.readouterr().err
