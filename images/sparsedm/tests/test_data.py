"""Data sets: what is read, how it is padded and scaled, and one sentence for every damaged file."""

import errno
import gzip
import os
import pickle
import struct
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sparsedm.data import ArrayDataset, Dataset, SampleOrder, open_dataset
from sparsedm.data.image_files import ImageFileDataset
from sparsedm.errors import InputError


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def fashion(tmp_path: Path) -> Path:
    """Two training images, raw; one test image, compressed: Debian's package compresses, others do not."""
    random = np.random.default_rng(0)
    for name, count in (("train", 2), ("t10k", 1)):
        images = idx(random.integers(0, 256, (count, 28, 28), dtype=np.uint8))
        labels = idx(np.array([9, 3][:count], dtype=np.uint8))
        if name == "train":
            (tmp_path / "train-images-idx3-ubyte").write_bytes(images)
            (tmp_path / "train-labels-idx1-ubyte").write_bytes(labels)
        else:
            (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
            (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    return tmp_path


def test_fashion_mnist_is_padded_with_background_and_scaled(fashion: Path) -> None:
    data = open_dataset("fashion-mnist", fashion, 32, 1)
    x, y = data.batch([0, 1])
    raw = np.frombuffer((fashion / "train-images-idx3-ubyte").read_bytes()[16:], np.uint8).reshape(2, 28, 28)
    assert x.shape == (2, 1, 32, 32)
    assert x.dtype == torch.float32
    assert (x[:, :, :2] == -1).all()
    assert (x[..., -2:] == -1).all()
    np.testing.assert_allclose(x[:, 0, 2:30, 2:30].numpy(), raw / 127.5 - 1, atol=1e-6)
    assert y.tolist() == [9, 3]
    assert data.classes[9] == "ankle boot"
    assert not data.horizontal_flip


def test_fashion_mnist_has_a_test_split(fashion: Path) -> None:
    assert len(open_dataset("fashion-mnist", fashion, 28, 1, split="test")) == 1


@pytest.mark.parametrize(
    ("damage", "want"),
    [
        (lambda p: p.unlink(), "holds neither train-images-idx3-ubyte nor"),
        (lambda p: p.write_bytes(p.read_bytes()[:-1]), "train-images-idx3-ubyte is cut off"),
        (lambda p: p.write_bytes(b""), "train-images-idx3-ubyte is cut off"),
        (lambda p: p.write_bytes(idx(np.zeros((3, 28, 28), np.uint8))), "3 images .* 2 labels"),
        (lambda p: p.write_bytes(idx(np.zeros((2, 27, 28), np.uint8))), "28x28"),
    ],
)
def test_a_damaged_fashion_mnist_is_named(fashion: Path, damage, want: str) -> None:
    damage(fashion / "train-images-idx3-ubyte")
    with pytest.raises(InputError, match=want):
        open_dataset("fashion-mnist", fashion, 32, 1)


def test_a_damaged_archive_is_named(fashion: Path) -> None:
    file = fashion / "t10k-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"t10k-images-idx3-ubyte\.gz is cut off"):
        open_dataset("fashion-mnist", fashion, 32, 1, split="test")


@pytest.mark.parametrize(
    ("size", "channels", "want"), [(32, 3, "channels 1"), (31, 1, r"even"), (26, 1, "at least 28")]
)
def test_a_model_that_does_not_fit_fashion_mnist_is_refused(fashion, size, channels, want) -> None:
    with pytest.raises(InputError, match=want):
        open_dataset("fashion-mnist", fashion, size, channels)


@pytest.fixture
def cifar(tmp_path: Path) -> Path:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    random = np.random.default_rng(0)
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        batch = {
            b"batch_label": b"made for a test",
            b"data": random.integers(0, 256, (3, 3072), dtype=np.uint8),
            b"labels": [1, 2, 9],
            b"filenames": [b"a.png", b"b.png", b"c.png"],
        }
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    return tmp_path


def test_cifar10_is_read_in_channel_row_column_order(cifar: Path) -> None:
    data = open_dataset("cifar10", cifar, 32, 3)
    assert len(data) == 15
    assert data.horizontal_flip
    batch = pickle.loads((cifar / "cifar-10-batches-py" / "data_batch_1").read_bytes(), encoding="bytes")
    x, y = data.batch([2])
    want = batch[b"data"][2].reshape(3, 32, 32) / 127.5 - 1
    np.testing.assert_allclose(x[0].numpy(), want, atol=1e-6)
    assert y.tolist() == [9]
    assert len(open_dataset("cifar10", cifar / "cifar-10-batches-py", 32, 3, split="test")) == 3


class _Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_that_would_run_something_is_refused_and_does_not_run(cifar: Path, tmp_path: Path) -> None:
    target = cifar / "cifar-10-batches-py" / "data_batch_3"
    target.write_bytes(pickle.dumps({b"data": _Payload(tmp_path / "ran"), b"labels": []}))
    with pytest.raises(InputError, match=r"data_batch_3 is no batch of CIFAR-10 .*mkdir"):
        open_dataset("cifar10", cifar, 32, 3)
    assert not (tmp_path / "ran").exists()


def test_a_missing_or_damaged_cifar10_batch_is_named(cifar: Path) -> None:
    target = cifar / "cifar-10-batches-py" / "data_batch_2"
    target.write_bytes(target.read_bytes()[:50])
    with pytest.raises(InputError, match="data_batch_2 is no batch"):
        open_dataset("cifar10", cifar, 32, 3)
    target.unlink()
    with pytest.raises(InputError, match="data_batch_2 is missing: unpack"):
        open_dataset("cifar10", cifar, 32, 3)
    with pytest.raises(InputError, match="64x64 of 3"):
        open_dataset("cifar10", cifar, 64, 3)


def image(path: Path, mode: str = "RGB", size: tuple[int, int] = (8, 8), colour=200) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour if mode == "L" else (colour, 0, 0)).save(path)


def test_sub_folders_in_alphabetical_order_are_the_classes(tmp_path: Path) -> None:
    image(tmp_path / "zebra" / "1.png")
    image(tmp_path / "ant" / "b.png")
    image(tmp_path / "ant" / "a.PNG", mode="L")
    (tmp_path / "ant" / "notes.txt").write_text("no image")
    (tmp_path / ".cache").mkdir()
    data = open_dataset("image-folder", tmp_path, 8, 3)
    assert data.classes == ["ant", "zebra"]
    x, y = data.batch([0, 1, 2])
    assert y.tolist() == [0, 0, 1]
    assert x[0, :, 0, 0].tolist() == pytest.approx([200 / 127.5 - 1] * 3)
    assert x[1, :, 0, 0].tolist() == pytest.approx([200 / 127.5 - 1, -1, -1])


def test_a_flat_folder_has_no_labels_and_colours_become_grey(tmp_path: Path) -> None:
    image(tmp_path / "a.png")
    data = open_dataset("image-folder", tmp_path, 8, 1)
    x, y = data.batch([0])
    assert y is None
    assert data.classes is None
    assert x[0, 0, 0, 0].item() == pytest.approx(60 / 127.5 - 1)  # luma of (200, 0, 0) is 0.299 · 200


@pytest.mark.parametrize(
    ("prepare", "want"),
    [
        (lambda p: (p / "x.png").write_bytes(b"no image"), "x.png is not a readable image"),
        (
            lambda p: image(p / "x.png", size=(8, 9)),
            "x.png has 8x9 pixels, and the model takes 8x8: resize",
        ),
        (lambda p: None, "holds no images: give a folder of PNG"),
        (lambda p: (image(p / "a" / "1.png"), image(p / "2.png")), "2.png lies beside the class folders"),
    ],
)
def test_a_folder_that_cannot_be_used_is_explained(tmp_path: Path, prepare, want: str) -> None:
    prepare(tmp_path)
    with pytest.raises(InputError, match=want):
        open_dataset("image-folder", tmp_path, 8, 3)


# --- celeba ----------------------------------------------------------------------------------------------


@pytest.fixture
def celeba(tmp_path: Path) -> Path:
    """Three aligned images, black but for the square that is cut out, which is split into four colours."""
    folder = tmp_path / "img_align_celeba"
    folder.mkdir()
    pixels = np.zeros((218, 178, 3), dtype=np.uint8)
    pixels[57:185, 25:153] = 255
    pixels[57:121, 25:89] = (255, 0, 0)
    for i in range(1, 4):
        Image.fromarray(pixels).save(folder / f"{i:06d}.jpg", quality=95)
    return tmp_path


@pytest.mark.parametrize("size", [64, 32])
def test_celeba_is_cut_about_the_face_and_scaled(celeba: Path, size: int) -> None:
    data = open_dataset("celeba", celeba, size, 3)
    x, y = data.batch([0, 1, 2])
    assert x.shape == (3, 3, size, size)
    assert y is None
    assert data.horizontal_flip
    half, edge = size // 2, 2
    quarters = [x[0, :, edge : half - edge, edge : half - edge], x[0, :, half + edge : -edge, edge:-edge]]
    red, white = (quarter.mean(dim=(1, 2)).tolist() for quarter in quarters)
    assert red == pytest.approx([1, -1, -1], abs=0.05)
    assert white == pytest.approx([1, 1, 1], abs=0.05)
    assert x.mean(dim=(0, 1))[:, 0].min() > -0.5, "no black from outside of the square"


def test_celeba_has_the_splits_of_its_partition(celeba: Path) -> None:
    (celeba / "list_eval_partition.txt").write_text("000001.jpg 0\n000002.jpg 2\n000003.jpg 0\n")
    assert len(open_dataset("celeba", celeba, 64, 3)) == 2
    assert len(open_dataset("celeba", celeba, 64, 3, split="test")) == 1
    assert len(open_dataset("celeba", celeba / "img_align_celeba", 64, 3)) == 3, "no partition, all images"


@pytest.mark.parametrize(
    ("damage", "size", "channels", "want"),
    [
        (lambda f: f.write_bytes(f.read_bytes()[:300]), 64, 3, r"000002\.jpg is not a readable image"),
        (lambda f: Image.new("RGB", (64, 64)).save(f), 64, 3, r"000002\.jpg has 64x64 pixels, and aligned"),
        (lambda f: [p.unlink() for p in f.parent.iterdir()], 64, 3, "holds no .jpg of the train split"),
        (lambda f: None, 64, 1, "celeba has colour images of at most 128x128"),
        (lambda f: None, 256, 3, "celeba has colour images of at most 128x128"),
    ],
)
def test_a_celeba_that_cannot_be_used_is_explained(
    celeba: Path, damage, size: int, channels: int, want: str
) -> None:
    damage(celeba / "img_align_celeba/000002.jpg")
    with pytest.raises(InputError, match=want):
        open_dataset("celeba", celeba, size, channels)


# --- images that are read when they are needed ---------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty images of two classes, no two alike."""
    random = np.random.default_rng(0)
    for i in range(40):
        file = tmp_path / ("ant", "zebra")[i % 2] / f"{i:02d}.{('png', 'jpg')[i % 3 == 0]}"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(file)
    return tmp_path


def stacked_folder(path: Path) -> ArrayDataset:
    """An image folder, read whole."""
    files = sorted(path.glob("*/*"))
    images = [np.asarray(Image.open(file).convert("RGB")).transpose(2, 0, 1) for file in files]
    labels = np.array([("ant", "zebra").index(file.parent.name) for file in files])
    return ArrayDataset(np.stack(images), labels, ["ant", "zebra"])


def stacked_celeba(path: Path) -> ArrayDataset:
    faces = [Image.open(file).crop((25, 57, 153, 185)) for file in sorted(path.glob("img_align_celeba/*"))]
    images = [np.asarray(face.resize((64, 64), Image.Resampling.BILINEAR)) for face in faces]
    return ArrayDataset(np.stack(images).transpose(0, 3, 1, 2), None, horizontal_flip=True)


def assert_same(got: tuple, want: tuple) -> None:
    assert torch.equal(got[0], want[0])
    assert got[1] is want[1] is None or torch.equal(got[1], want[1])


def opened_and_stacked(format: str, path: Path) -> tuple[Dataset, ArrayDataset]:
    if format == "image-folder":
        return open_dataset(format, path, 8, 3), stacked_folder(path)
    random = np.random.default_rng(0)
    (path / "img_align_celeba").mkdir()
    for i in range(20):
        pixels = random.integers(0, 256, (218, 178, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path / "img_align_celeba" / f"{i:06d}.jpg")
    return open_dataset(format, path, 64, 3), stacked_celeba(path)


@pytest.mark.parametrize("format", ["image-folder", "celeba"])
def test_images_from_files_are_bit_for_bit_those_in_memory(folder: Path, format: str) -> None:
    """In training of one process, of the second of two, resumed, and after a step that is done again."""
    data, want = opened_and_stacked(format, folder)
    assert (len(data), data.classes) == (len(want), want.classes)
    assert_same(data.batch([3, 1, 3]), want.batch([3, 1, 3]))
    order = SampleOrder(len(data), seed=7)
    walks = [range(0, 60, 6), range(3, 63, 12), [30, 36, 42, 42, 48, 0, 5, 90, 3]]
    for start in [start for walk in walks for start in walk]:
        assert_same(data.training_batch(order, start, 6), want.training_batch(order, start, 6))
    assert_same(data.batch(range(len(data))), want.batch(range(len(want))))


def test_a_run_sees_the_same_from_any_sample_on(folder: Path) -> None:
    order = SampleOrder(40, seed=1)
    whole, labels = open_dataset("image-folder", folder, 8, 3).training_batch(order, 0, 90)
    data = open_dataset("image-folder", folder, 8, 3)
    for start in (35, 46, 57):
        x, y = data.training_batch(order, start, 11)
        assert torch.equal(x, whole[start : start + 11])
        assert torch.equal(y, labels[start : start + 11])


class Watched:
    """A data set of the folder's images, and the names of those that it has decoded."""

    def __init__(self, folder: Path) -> None:
        self.decoded: list[str] = []
        self.files = sorted(folder.glob("*/*"))
        self.data = ImageFileDataset(self.files, (8, 8), "", self._decode)

    def _decode(self, image: Image.Image) -> np.ndarray:
        self.decoded.append(image.filename)
        return np.asarray(image.convert("RGB")).transpose(2, 0, 1)

    def names(self, indices: np.ndarray) -> list[str]:
        return sorted(str(self.files[i]) for i in indices)


def within_seconds(true: Callable[[], bool], seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return true()


def test_the_next_batch_of_even_strides_is_decoded_meanwhile_and_once(folder: Path) -> None:
    """A process that takes 4 of each step's 12 images from number 8 on."""
    watched, order = Watched(folder), SampleOrder(40, seed=0)
    assert watched.decoded == [], "opening reads headers"
    first = watched.data.training_batch(order, 8, 4)
    assert_same(first, watched.data.batch(order.indices(8, 4)))
    watched.decoded.clear()
    watched.data.training_batch(order, 20, 4)
    taken = watched.names(order.indices(20, 4)) + watched.names(order.indices(32, 4))
    assert within_seconds(lambda: len(watched.decoded) >= 8)
    assert sorted(watched.decoded) == sorted(taken)
    for name in watched.names(order.indices(32, 4)):
        Path(name).rename(f"{name}.away")
    watched.data.training_batch(order, 32, 4)  # has no need of the files any more


def test_memory_holds_no_more_than_two_batches(tmp_path: Path) -> None:
    """Stacked, 600 images would be 7.4 MB."""
    for i in range(600):
        image(tmp_path / f"{i}.png", size=(64, 64))
    warm = open_dataset("image-folder", tmp_path, 64, 3)
    warm.batch([0])
    tracemalloc.start()
    try:
        data, order = open_dataset("image-folder", tmp_path, 64, 3), SampleOrder(600, seed=0)
        for start in range(0, 600, 4):
            data.training_batch(order, start, 4)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 600 * 3 * 64 * 64 / 2


def cut_off(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-60])


@pytest.mark.parametrize("damage", [cut_off, Path.unlink, lambda file: file.write_bytes(b"no image")])
@pytest.mark.parametrize("format", ["image-folder", "celeba"])
def test_a_file_that_is_lost_in_training_is_named_when_its_turn_comes(
    folder: Path, format: str, damage: Callable[[Path], None]
) -> None:
    data, _ = opened_and_stacked(format, folder)
    files = sorted(folder.glob("img_align_celeba/*" if format == "celeba" else "*/*.*"))
    file = next(file for file in reversed(files) if format == "celeba" or file.suffix == ".png")
    order = SampleOrder(len(data), seed=0)
    turn = order.indices(0, len(data)).tolist().index(files.index(file))
    damage(file)
    for start in range(turn):
        data.training_batch(order, start, 1)
    with pytest.raises(InputError, match=f"{file} is not a readable image .*: replace or remove it") as error:
        data.training_batch(order, turn, 1)
    assert error.value.reason == "DatasetUnreadable"


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES])
def test_a_fault_of_the_volume_is_no_fault_of_the_image(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """It ends a run with an exit code that is tried again, or says who may not open the file."""
    data = open_dataset("image-folder", folder, 8, 3)

    def refused(file: str, formats: object) -> None:
        raise OSError(number, os.strerror(number), file)

    monkeypatch.setattr(Image, "open", refused)
    with pytest.raises(OSError, match=os.strerror(number)):
        data.batch([0])


def test_the_first_of_many_wrong_images_is_named_at_the_start(tmp_path: Path) -> None:
    for i in range(1200):
        (tmp_path / f"{i:04d}.bmp").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"0000\.bmp is not a readable image"):
        open_dataset("image-folder", tmp_path, 8, 3)
    for i in range(1100):
        Image.new("L", (8, 8)).save(tmp_path / f"{i:04d}.bmp")
    with pytest.raises(InputError, match=r"1100\.bmp is not a readable image"):
        open_dataset("image-folder", tmp_path, 8, 3)


def test_the_threads_end_with_the_data_set(folder: Path) -> None:
    before = set(threading.enumerate())
    data, order = open_dataset("image-folder", folder, 8, 3), SampleOrder(40, seed=0)
    for start in (0, 4, 8):
        data.training_batch(order, start, 4)
    started = set(threading.enumerate()) - before
    assert started
    del data
    for thread in started:
        thread.join(30)
    assert not any(thread.is_alive() for thread in started)


def test_a_missing_folder_and_an_unknown_format_are_refused(tmp_path: Path) -> None:
    (tmp_path / "data.zip").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"data\.zip is a file: unpack it, and name the folder"):
        open_dataset("fashion-mnist", tmp_path / "data.zip", 32, 1)
    with pytest.raises(InputError, match="There is no folder"):
        open_dataset("fashion-mnist", tmp_path / "nowhere", 32, 1)
    with pytest.raises(
        InputError, match="format must be one of fashion-mnist, cifar10, celeba, image-folder"
    ):
        open_dataset("mnist", tmp_path, 32, 1)


def test_an_epoch_visits_every_sample_once_and_the_next_in_another_order() -> None:
    order = SampleOrder(100, seed=5)
    first, second = order.indices(0, 100), order.indices(100, 100)
    assert sorted(first) == sorted(second) == list(range(100))
    assert list(first) != list(second)
    assert list(first) != list(SampleOrder(100, seed=6).indices(0, 100))


@pytest.mark.parametrize("start", [0, 1, 99, 100, 101, 250])
def test_the_order_can_be_taken_up_at_any_sample(start: int) -> None:
    whole = SampleOrder(100, seed=1).indices(0, 400)
    flips = SampleOrder(100, seed=1).flips(0, 400)
    order = SampleOrder(100, seed=1)
    parts = [order.indices(start + i, 7) for i in range(0, 70, 7)]
    assert np.concatenate(parts).tolist() == whole[start : start + 70].tolist()
    assert order.flips(start, 70).tolist() == flips[start : start + 70].tolist()


def test_a_batch_may_be_larger_than_an_epoch() -> None:
    indices = SampleOrder(3, seed=0).indices(0, 10)
    assert np.bincount(indices[:9]).tolist() == [3, 3, 3]
    assert len(indices) == 10
    assert len(SampleOrder(3, seed=0).indices(5, 0)) == 0


def test_half_of_the_samples_are_mirrored_where_the_data_allow_it() -> None:
    flips = SampleOrder(10, seed=0).flips(0, 10_000)
    assert 0.47 < flips.mean() < 0.53
    assert not np.array_equal(flips, SampleOrder(10, seed=1).flips(0, 10_000))
    images = np.arange(8, dtype=np.uint8).reshape(1, 1, 2, 4)
    x, _ = ArrayDataset(images, None).batch([0, 0], flips=np.array([False, True]))
    assert torch.equal(x[1], x[0].flip(-1))
    order = SampleOrder(1, seed=0)
    plain, _ = ArrayDataset(images, None).training_batch(order, 0, 64)
    mirrored, _ = ArrayDataset(images, None, horizontal_flip=True).training_batch(order, 0, 64)
    changed = (plain != mirrored).flatten(1).any(dim=1)
    assert changed.tolist() == order.flips(0, 64).tolist()


def test_a_data_set_must_not_be_empty_nor_a_seed_negative() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        SampleOrder(0, seed=0)
    with pytest.raises(ValueError, match="negative"):
        SampleOrder(1, seed=-1)
