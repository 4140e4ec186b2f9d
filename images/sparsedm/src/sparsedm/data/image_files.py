"""A data set of image files, read and decoded when a batch needs them."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from sparsedm.data.colours import obstacle, orientation, remarks
from sparsedm.data.contents import Notes, shown
from sparsedm.data.dataset import ImageDataset
from sparsedm.data.folders import readable
from sparsedm.data.order import SampleOrder
from sparsedm.errors import InputError
from sparsedm.runtime.device import own_cores

CHECKED_AT_ONCE = 1000


class ImageFileDataset(ImageDataset):
    """ArrayDataset for files: memory holds their names and the images of two batches.

    Opening reads every header, so that a file that is not an image, has another size or colours that can't be
    converted ends a run before it begins. A truncated image is named when a batch needs it: decoding all
    images at the start would delay every attempt by as much as the first epoch takes.
    """

    def __init__(
        self,
        files: Sequence[Path | str],
        size: tuple[int, int],
        needed: str,
        decode: Callable[[Image.Image], np.ndarray],
        labels: np.ndarray | None = None,
        classes: Sequence[str] | None = None,
        horizontal_flip: bool = False,
        notes: Notes | None = None,
    ) -> None:
        """size: width and height of every image. needed: ends the sentence about one of another size.
        decode: (C, H, W) uint8 of an open image. notes: what was found before; opening adds to them.

        Raises InputError, here and in `batch`, which names a file that cannot be read or does not fit.
        """
        super().__init__(labels, classes, horizontal_flip, notes)
        self._files = [str(file) for file in files]  # a third of the memory of paths
        self._size, self._needed, self._decode = size, needed, decode
        self._formats = readable()[0]
        self._threads = own_cores()
        self._pool = ThreadPoolExecutor(self._threads, "images")
        self._ahead: tuple[list[int], list[Future[list[np.ndarray]]]] = ([], [])
        self._last_start: int | None = None
        starts = range(0, len(files), CHECKED_AT_ONCE)
        for found in self._pool.map(lambda start: self._check(start, start + CHECKED_AT_ONCE), starts):
            self.notes.extend(found)

    def __len__(self) -> int:
        return len(self._files)

    def training_batch(self, order: SampleOrder, start: int, count: int) -> tuple[Tensor, Tensor | None]:
        """As in ArrayDataset. Meanwhile decodes the batch that comes next if `start` advances in even
        strides, those of all processes together; a wrong guess costs only time."""
        batch = super().training_batch(order, start, count)
        last, self._last_start = self._last_start, start
        if last is not None and last < start:
            chosen = order.indices(start + (start - last), count).tolist()
            self._ahead = (chosen, self._begin(chosen))
        return batch

    def _pixels(self, chosen: np.ndarray) -> np.ndarray:
        wanted = chosen.tolist()
        (ahead, parts), self._ahead = self._ahead, ([], [])
        if wanted != ahead:
            for part in parts:
                part.cancel()
            parts = self._begin(wanted)
        return np.stack([pixels for part in parts for pixels in part.result()])

    def _begin(self, chosen: list[int]) -> list[Future[list[np.ndarray]]]:
        """Each thread decodes a part of the images."""
        size = max(1, -(-len(chosen) // self._threads))
        parts = [chosen[i : i + size] for i in range(0, len(chosen), size)]
        return [self._pool.submit(self._read, part) for part in parts]

    def _read(self, chosen: list[int]) -> list[np.ndarray]:
        images = []
        for i in chosen:
            with self._opened(self._files[i]) as image:
                images.append(self._decode(image))
        return images

    def _check(self, start: int, end: int) -> Notes:
        notes = Notes(self.notes.root)
        for file in self._files[start:end]:
            with self._opened(file) as image:
                if problem := obstacle(image):
                    raise InputError(
                        "DatasetUnreadable",
                        f"{shown(file)} can't be made 8-bit grey or RGB: {problem}, or remove it.",
                    )
                for remark in remarks(image):
                    notes.add(remark, file)
        return notes

    @contextmanager
    def _opened(self, file: str) -> Iterator[Image.Image]:
        """An image whose header is read and whose size fits. An OSError with a number, other than a
        missing file, is the volume's fault and not the image's; a retry may succeed."""
        try:
            with Image.open(file, formats=self._formats) as image:
                if image.size != self._size and _upright(image) != self._size:
                    width, height = _upright(image)
                    raise InputError(
                        "DatasetMismatch", f"{shown(file)} has {width}x{height} pixels, and {self._needed}"
                    )
                yield image
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            if isinstance(error, OSError) and error.errno not in (None, errno.ENOENT):
                raise
            raise InputError(
                "DatasetUnreadable",
                f"{shown(file)} is not a readable image ({_reason(error, file)}): replace or remove it.",
            ) from error


def _upright(image: Image.Image) -> tuple[int, int]:
    """Width and height once it is turned by its EXIF orientation."""
    width, height = image.size
    return (height, width) if orientation(image) > 4 else (width, height)


def _reason(error: Exception, file: str) -> str:
    """Pillow's message without the file's name, which the sentence has already."""
    if isinstance(error, FileNotFoundError):
        return "it is not there"
    return str(error).replace(f" {file!r}", "")
