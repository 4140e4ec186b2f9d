"""metadata.jsonl in an image folder: rows, the column of the class, and what is refused, by line number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sparsedm.data import Dataset, open_dataset
from sparsedm.data.contents import lines, record
from sparsedm.errors import InputError
from tiny_run import Workplace


def image(path: Path, value: int = 200, size: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (size, size), value).save(path)


def write(folder: Path, *rows: dict[str, Any] | str) -> Path:
    """metadata.jsonl with these rows; a text is a line as it is."""
    text = "".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows)
    (folder / "metadata.jsonl").write_text(text, encoding="utf-8")
    return folder


def opened(folder: Path, class_column: str | None = None) -> Dataset:
    return open_dataset("image-folder", folder, 8, 1, class_column=class_column)


def said(data: Dataset) -> str:
    return "\n".join(lines(record(data)))


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images in folders that are not the classes, of 10, 20 and 30."""
    for value, name in ((10, "a/1.png"), (20, "b/2.png"), (30, "3.png")):
        image(tmp_path / name, value)
    return tmp_path


def row(name: str, label: object, **columns: object) -> dict[str, Any]:
    return {"file_name": name, "label": label, **columns}


def test_rows_are_the_images_in_their_order_and_a_column_is_the_class(folder: Path) -> None:
    write(folder, row("b/2.png", "dog 10"), row("3.png", "dog 9", text="a dog"), row("a/1.png", "dog 10"))
    data = opened(folder)
    assert data.classes == ["dog 9", "dog 10"], "natural order, as for folders"
    assert data.labels.tolist() == [1, 0, 1]
    x, y = data.batch([0, 1, 2])
    assert ((x[:, 0, 0, 0] + 1) * 127.5).round().int().tolist() == [20, 30, 10]
    assert y.tolist() == [1, 0, 1]
    assert said(data).splitlines() == [
        "3 samples of 2 classes: 0 = dog 9 (1), 1 = dog 10 (2).",
        "Classes are the texts in the column label of metadata.jsonl.",
    ]


def test_another_column_can_be_the_class(folder: Path) -> None:
    rows = (("a/1.png", "noto", "food"), ("b/2.png", "fluent", "food"), ("3.png", "noto", "travel"))
    write(folder, *({"file_name": f, "style": s, "category": c, "label": f"{s} {c}"} for f, s, c in rows))
    assert opened(folder).classes == ["fluent food", "noto food", "noto travel"]
    by_style = opened(folder, "style")
    assert (by_style.classes, by_style.labels.tolist()) == (["fluent", "noto"], [1, 0, 1])
    assert opened(folder, "category").labels.tolist() == [0, 0, 1]


def test_numbers_are_the_labels_themselves(folder: Path) -> None:
    write(folder, row("a/1.png", 7), row("b/2.png", 0))
    data = opened(folder)
    assert (data.labels.tolist(), data.classes) == ([7, 0], None)
    assert said(data).splitlines() == [
        "2 samples, labels 0 to 7.",
        "Skipped files that metadata.jsonl does not name: 1 (3.png).",
        "Classes are the numbers in the column label of metadata.jsonl.",
    ]


def test_without_the_column_there_are_no_classes_though_there_are_folders(folder: Path) -> None:
    write(folder, {"file_name": "a/1.png", "text": "one"}, {"file_name": "b/2.png", "style": "noto"})
    data = opened(folder)
    assert (data.labels, data.classes) == (None, None)
    want = "No classes, because metadata.jsonl has no column label: its columns are style, text."
    assert want in said(data)


def test_only_a_metadata_file_at_the_top_counts(folder: Path) -> None:
    (folder / "3.png").unlink()
    write(folder / "a", row("1.png", "x"))
    data = opened(folder)
    assert data.classes == ["a", "b"]
    assert "Skipped files that are not images: 1 (a/metadata.jsonl)." in said(data)


@pytest.mark.parametrize(
    "line",
    [
        '\ufeff{"file_name": "3.png", "label": "a\u2028b"}',
        '{"file_name": "./a/../3.png", "label": "x"}\r\n\n   \n',
    ],
    ids=[
        "a byte order mark, and a separator of lines within a text",
        "CRLF, blank lines, a path that detours",
    ],
)
def test_files_as_other_programs_write_them(folder: Path, line: str) -> None:
    if "\u2028" in line:
        line = line.replace("a\u2028b", "a b").replace('"label"', '"text": "a\u2028b", "label"')
    assert len(opened(write(folder, line))) == 1


def test_names_are_composed(folder: Path) -> None:
    write(folder, row("3.png", "cafe\u0301"), row("a/1.png", "caf\u00e9"))
    assert opened(folder).classes == ["caf\u00e9"]


BAD = [
    pytest.param(['{"file_name": "3.png"'], "line 1 is no JSON (Expecting ',' delimiter", id="cut off"),
    pytest.param(["[1]"], "line 1 is no JSON object", id="a list"),
    pytest.param(['{"label": "x"}'], "line 1 has no file_name", id="no file"),
    pytest.param([row("", "x")], "line 1 has no file_name", id="an empty name"),
    pytest.param(["", row("no.png", "x")], "line 2 names no.png, which is not there", id="a missing file"),
    pytest.param([row("a", "x")], "line 1 names a, which is not there", id="a folder"),
    pytest.param([row("../3.png", "x")], "names ../3.png, which is not below the folder", id="outside"),
    pytest.param([row("a/../../x.png", "x")], "which is not below the folder", id="outside by a detour"),
    pytest.param([row("/etc/passwd", "x")], "names /etc/passwd, which is not below", id="an absolute path"),
    pytest.param([row("a\0.png", "x")], "a file_name that no file can have", id="a zero character"),
    pytest.param(
        ['{"file_name": "\\ud800.png"}'], "a file_name that no file can have", id="half a character"
    ),
    pytest.param(
        [row("3.png", "x"), row("a/1.png", "x"), row("./3.png", "y")],
        "line 3 names 3.png, as line 1 does",
        id="a duplicate",
    ),
    pytest.param(
        [row("3.png", None), row("a/1.png", "x")], "line 1 has no label, and line 2 has one", id="no label"
    ),
    pytest.param(
        [row("3.png", "1"), row("a/1.png", 1)],
        'line 2 has the label 1, a number, and line 1 "1", a text',
        id="mixed types",
    ),
    pytest.param([row("3.png", True)], "a label that is neither text nor a whole number: true", id="a truth"),
    pytest.param([row("3.png", 0.5)], "neither text nor a whole number: 0.5", id="a fraction"),
    pytest.param([row("3.png", ["x"])], 'neither text nor a whole number: ["x"]', id="a list of labels"),
    pytest.param([row("3.png", -1)], "line 1 has the label -1", id="a negative label"),
    pytest.param([row("3.png", 10**6)], "write a whole number from 0 to 999,999", id="a label too high"),
    pytest.param([row("3.png", " ")], "a label that can't be printed", id="a blank label"),
    pytest.param([row("3.png", "a\nb")], "a label that can't be printed", id="a label of two lines"),
]


@pytest.mark.parametrize(("rows", "want"), BAD)
def test_bad_rows_are_refused_by_line(folder: Path, rows: list[Any], want: str) -> None:
    with pytest.raises(InputError) as error:
        opened(write(folder, *rows))
    assert error.value.reason == "DatasetUnreadable"
    assert str(error.value).startswith(f"{folder / 'metadata.jsonl'}: ")
    assert want in str(error.value)


def test_the_first_three_bad_lines_are_named_and_the_others_counted(folder: Path) -> None:
    write(folder, row("x.png", "a"), "{", row("3.png", "a"), row("y.png", "a"), row("3.png", "a"), "[]")
    with pytest.raises(InputError) as error:
        opened(folder)
    told = str(error.value)
    assert told.index("line 1 ") < told.index("line 2 ") < told.index("line 4 ")
    assert told.endswith("; and 2 more bad lines. Correct or remove these lines.")


def test_text_that_is_not_utf_8_is_refused(folder: Path) -> None:
    (folder / "metadata.jsonl").write_bytes(b'{"file_name": "3.png", "label": "caf\xe9"}\n')
    with pytest.raises(InputError, match=r"metadata\.jsonl is no UTF-8"):
        opened(folder)


def test_a_row_whose_file_is_no_image_ends_the_run_at_the_start(folder: Path) -> None:
    (folder / "4.png").write_bytes(b"not an image")
    with pytest.raises(InputError, match=r"4\.png is not a readable image"):
        opened(write(folder, row("4.png", "x")))


def test_an_empty_file_holds_no_images(folder: Path) -> None:
    with pytest.raises(InputError, match="holds no images"):
        opened(write(folder))


def test_a_class_column_that_nothing_has_is_refused(folder: Path) -> None:
    write(folder, {"file_name": "3.png", "style": "noto", "text": "x"})
    with pytest.raises(InputError, match=r"classColumn is category, .* its columns are style, text"):
        opened(folder, "category")


def test_a_class_column_needs_the_file_and_the_format(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"classColumn is style, and .* has no metadata\.jsonl"):
        opened(folder, "style")
    with pytest.raises(InputError, match="belongs to format image-folder, and the format is cifar10"):
        open_dataset("cifar10", tmp_path, 32, 3, class_column="style")


def test_a_run_trains_on_the_classes_of_the_column_and_says_so(place: Workplace) -> None:
    files = sorted(file.relative_to(place.images) for file in place.images.glob("*/*.png"))
    rows = ({"file_name": str(file), "label": "all", "bright": f"{file.parent.name} half"} for file in files)
    write(place.images, *rows)
    manifest = place.train(place.spec("column", dataset__classColumn="bright", training__steps=2))
    assert manifest["classes"] == ["left half", "right half"]
    data = manifest["provenance"]["data"]
    assert data["classes"] == [{"name": f"{side} half", "samples": 22} for side in ("left", "right")]
    assert [note["what"] for note in data["notes"]] == [
        "classes are the texts in the column bright of metadata.jsonl"
    ]


def test_a_run_on_the_wrong_column_ends_before_its_first_step(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(place.images, {"file_name": "left/00.png", "label": "all"})
    code, told = place.command(place.spec("wrong", dataset__classColumn="colour"), monkeypatch)
    assert (code, told["error"]["reason"]) == (3, "DatasetMismatch")
    assert "classColumn is colour" in told["error"]["message"]


def test_held_out_images_have_the_classes_of_their_own_column(place: Workplace) -> None:
    held_out = place.directory / "held-out"
    for i, side in enumerate(("left", "right")):
        image(held_out / f"{side}.png", 100 + i, size=32)
    write(
        held_out, *({"file_name": f"{side}.png", "label": "all", "side": side} for side in ("left", "right"))
    )
    dataset = {"format": "image-folder", "uri": f"file://{held_out}"}
    spec = place.spec("held-out-wrong", evaluation__dataset=dataset, training__steps=2)
    with pytest.raises(InputError, match=r"evaluation\.dataset: The model has 2 classes and the data set 1"):
        place.train(spec)
    spec = place.spec(
        "held-out-out", evaluation__dataset={**dataset, "classColumn": "side"}, training__steps=2
    )
    assert place.train(spec)["classes"] == ["left", "right"]
