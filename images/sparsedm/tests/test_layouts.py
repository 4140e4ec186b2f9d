"""Known data sets as other tools unpack them: read where that is clear, else refused with what to do."""

from __future__ import annotations

import gzip
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sparsedm.data import open_dataset
from sparsedm.data.contents import lines, record
from sparsedm.errors import InputError

# --- celeba ----------------------------------------------------------------------------------------------


def faces(folder: Path, ending: str = "jpg") -> Path:
    """000001 to 000004, each of its own grey."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(1, 5):
        Image.new("RGB", (178, 218), (40 * i,) * 3).save(folder / f"{i:06d}.{ending}", quality=95)
    return folder


def greys(path: Path, split: str = "train") -> list[int]:
    data = open_dataset("celeba", path, 64, 3, split)
    return [round(v / 40) for v in ((data.batch(range(len(data)))[0] + 1) * 127.5)[:, 0, 0, 0].tolist()]


OF_AUTHORS = "000001.jpg 0\n000002.jpg 1\n000003.jpg 2\n000004.jpg 0\n"
OF_KAGGLE = "image_id,partition\n000001.jpg,0\n000002.jpg,1\n000003.jpg,2\n000004.jpg,0\n"


@pytest.mark.parametrize("inner", ["", "img_align_celeba", "img_align_celeba/img_align_celeba"])
@pytest.mark.parametrize("name", ["list_eval_partition.txt", "list_eval_partition.csv"])
@pytest.mark.parametrize("ending", ["jpg", "JPG", "png"])
def test_celebas_test_images_are_not_trained_on(tmp_path: Path, inner: str, name: str, ending: str) -> None:
    faces(tmp_path / "celeba" / inner, ending)
    (tmp_path / "celeba" / name).write_text(OF_AUTHORS if name.endswith("txt") else OF_KAGGLE)
    assert greys(tmp_path / "celeba") == [1, 4]
    assert greys(tmp_path / "celeba", "test") == [3]
    said = lines(record(open_dataset("celeba", tmp_path / "celeba", 64, 3)))
    assert said[1] == f"Train split by {name}: 2 of 4 images."


def test_celeba_is_read_as_its_authors_share_it(tmp_path: Path) -> None:
    """Folders Anno, Eval and Img (pytorch/vision 2262)."""
    faces(tmp_path / "Img" / "img_align_celeba")
    for folder, name in (("Anno", "list_attr_celeba.txt"), ("Eval", "list_eval_partition.txt")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text(OF_AUTHORS)
    assert greys(tmp_path) == [1, 4]


def test_a_partition_with_carriage_returns_and_a_mark_is_read(tmp_path: Path) -> None:
    faces(tmp_path / "img_align_celeba")
    text = "\ufeff" + OF_KAGGLE.replace("\n", "\r\n") + "\r\n"
    (tmp_path / "list_eval_partition.csv").write_bytes(text.encode())
    assert greys(tmp_path) == [1, 4]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "image_id,partition\n",
        "<html>404</html>",
        "000001.jpg,0\n000002.jpg,7\n",
        "000001.jpg\n000002.jpg\n",
    ],
)
def test_a_damaged_partition_is_named(tmp_path: Path, text: str) -> None:
    faces(tmp_path / "img_align_celeba")
    (tmp_path / "list_eval_partition.csv").write_text(text)
    with pytest.raises(InputError, match=r"list_eval_partition\.csv has lines that do not name .*: fetch it"):
        open_dataset("celeba", tmp_path, 64, 3)


def test_images_that_the_partition_does_not_know_and_those_that_lack_are_told(tmp_path: Path) -> None:
    faces(tmp_path)
    (tmp_path / "._000001.jpg").write_bytes(b"\0\5\x16\7")
    (tmp_path / "list_eval_partition.txt").write_text("000001.jpg 0\n000009.jpg 0\n")
    said = "\n".join(lines(record(open_dataset("celeba", tmp_path, 64, 3))))
    assert "Skipped files and folders made by tools: 1 (._000001.jpg)." in said
    assert (
        "Skipped images that are not in list_eval_partition.txt: 3 (000002.jpg, 000003.jpg, 000004.jpg)."
        in said
    )
    assert "Missing images of list_eval_partition.txt: 1 (000009)." in said


def test_celeba_without_a_partition_is_told(tmp_path: Path) -> None:
    faces(tmp_path)
    said = lines(record(open_dataset("celeba", tmp_path, 64, 3)))
    assert said[1].endswith("the images of all splits are used.")


def test_a_celeba_left_packed_is_told(tmp_path: Path) -> None:
    (tmp_path / "img_align_celeba.zip").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"\(it holds img_align_celeba\.zip\): unpack img_align_celeba\.zip"):
        open_dataset("celeba", tmp_path, 64, 3)


# --- cifar10 ---------------------------------------------------------------------------------------------


def cifar(folder: Path, binary: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Two images in each batch; returns those of the first five."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (12, 3072), dtype=np.uint8), random.integers(0, 10, 12)
    for i, name in enumerate([*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]):
        part = slice(2 * i, 2 * i + 2)
        if binary:
            rows = np.concatenate([labels[part, None].astype(np.uint8), images[part]], axis=1)
            (folder / f"{name}.bin").write_bytes(rows.tobytes())
        else:
            batch = {b"data": images[part], b"labels": labels[part].tolist()}
            (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    return images[:10], labels[:10]


@pytest.mark.parametrize("binary", [False, True], ids=["python", "binary"])
@pytest.mark.parametrize("inner", ["", "batches", "cifar-10/cifar-10-batches"])
def test_cifar10_is_found_in_both_versions(tmp_path: Path, inner: str, binary: bool) -> None:
    images, labels = cifar(tmp_path / "data" / inner, binary)
    (tmp_path / "data" / ".cache").mkdir()
    data = open_dataset("cifar10", tmp_path / "data", 32, 3)
    x, y = data.batch(range(10))
    assert y.tolist() == labels.tolist()
    assert (((x + 1) * 127.5).round().numpy() == images.reshape(-1, 3, 32, 32)).all()
    assert len(open_dataset("cifar10", tmp_path / "data", 32, 3, "test")) == 2


def touch(*names: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(b"a,b\n")

    return make


@pytest.mark.parametrize(
    ("make", "want"),
    [
        (touch("cifar-10-python.tar.gz"), r"has no data_batch_1: unpack cifar-10-python\.tar\.gz there"),
        (touch("cifar-100-python/train", "cifar-100-python/fine_label_names.txt"), "is of CIFAR-100: take"),
        (touch("plain_text/train-00000-of-00001.parquet"), "holds Parquet files, which are not read: take"),
        (touch("trainLabels.csv", "train/1.png"), "is of Kaggle's competition"),
        (touch("a", "b"), r"has no data_batch_1: it holds a, b; take cifar-10-python\.tar\.gz"),
        (touch(), "has no data_batch_1: it is empty; take"),
        (touch("data_batch_1.bin", "data_batch_2.bin"), r"data_batch_1\.bin is no batch of CIFAR-10 \(its 4"),
        (touch("data_batch_2"), "data_batch_1 is missing: unpack"),
    ],
)
def test_a_cifar10_that_cannot_be_used_says_what_to_do(
    tmp_path: Path, make: Callable[[Path], None], want: str
) -> None:
    make(tmp_path)
    with pytest.raises(InputError, match=want):
        open_dataset("cifar10", tmp_path, 32, 3)


# --- fashion-mnist ---------------------------------------------------------------------------------------


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def fashion(folder: Path, labels: list[int], pattern: str = "train-{}-ubyte", packed: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    images = np.zeros((len(labels), 28, 28), dtype=np.uint8)
    for name, array in (("images-idx3", images), ("labels-idx1", np.array(labels, dtype=np.uint8))):
        content = gzip.compress(idx(array)) if packed else idx(array)
        (folder / pattern.format(name)).write_bytes(content)


@pytest.mark.parametrize(
    ("inner", "pattern", "packed"),
    [
        ("", "train-{}-ubyte", False),
        ("FashionMNIST/raw", "train-{}-ubyte.gz", True),
        ("data", "train-{}-ubyte.gz", False),
        ("", "train-{}-ubyte", True),
    ],
    ids=["plain", "of torchvision", "unpacked by a browser", "packed under a plain name"],
)
def test_fashion_mnist_is_found_and_unpacked(tmp_path: Path, inner: str, pattern: str, packed: bool) -> None:
    fashion(tmp_path / inner, [9, 0], pattern, packed)
    assert open_dataset("fashion-mnist", tmp_path, 32, 1).labels.tolist() == [9, 0]


def test_idx_files_with_a_full_stop_are_read(tmp_path: Path) -> None:
    fashion(tmp_path, [9, 0])
    for file in list(tmp_path.iterdir()):
        file.rename(file.with_name(file.name.replace("-idx", ".idx")))
    assert len(open_dataset("fashion-mnist", tmp_path, 32, 1)) == 2


@pytest.mark.parametrize(
    ("make", "want"),
    [
        (touch("fashion-mnist_train.csv"), r"fashion-mnist_train\.csv is CSV, which is not read; point to"),
        (touch("fashion_mnist/train-0.parquet"), r"train-0\.parquet is Parquet, which is not read"),
        (touch("archive.zip"), r"archive\.zip is a packed archive"),
        (touch("x"), "it holds x; point to the folder with the four files"),
        (lambda path: fashion(path, [26, 1]), "has labels up to 26, and fashion-mnist up to 9"),
        (lambda path: fashion(path, [0, 1, 1, 2] * 15_000), "MNIST, of digits, has files of the same names"),
    ],
)
def test_a_fashion_mnist_that_cannot_be_used_says_what_to_do(
    tmp_path: Path, make: Callable[[Path], None], want: str
) -> None:
    make(tmp_path)
    with pytest.raises(InputError, match=want):
        open_dataset("fashion-mnist", tmp_path, 32, 1)
