"""A data set of picture files, which are read and decoded when a batch needs them."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from sparsedm.data.dataset import ImageDataset
from sparsedm.data.order import SampleOrder
from sparsedm.device import own_cores
from sparsedm.errors import InputError

CHECKED_AT_ONCE = 1000


class PictureDataset(ImageDataset):
    """As ArrayDataset, of files: memory holds their names, and the pictures of two batches.

    Opening reads every header, so that a file that is no picture or has another size ends a run before it
    begins. A picture that is cut off further on is named when a batch needs it: decoding all of them would
    delay the start of every attempt by as long as the first epoch, which decodes them anyway.
    """

    def __init__(
        self,
        files: Sequence[Path],
        size: tuple[int, int],
        needed: str,
        decode: Callable[[Image.Image], np.ndarray],
        labels: np.ndarray | None = None,
        classes: Sequence[str] | None = None,
        horizontal_flip: bool = False,
    ) -> None:
        """size: width and height of every picture. needed: ends the sentence about one of another size.
        decode: (C, H, W) uint8 of an open picture.

        Raises InputError, here and in `batch`, which names a file that cannot be read or does not fit.
        """
        super().__init__(labels, classes, horizontal_flip)
        self._files = [str(file) for file in files]  # a third of the memory of paths
        self._size, self._needed, self._decode = size, needed, decode
        self._threads = own_cores()
        self._pool = ThreadPoolExecutor(self._threads, "pictures")
        self._ahead: tuple[list[int], list[Future[list[np.ndarray]]]] = ([], [])
        self._last_start: int | None = None
        starts = range(0, len(files), CHECKED_AT_ONCE)
        for _ in self._pool.map(lambda start: self._check(start, start + CHECKED_AT_ONCE), starts):
            pass

    def __len__(self) -> int:
        return len(self._files)

    def training_batch(self, order: SampleOrder, start: int, count: int) -> tuple[Tensor, Tensor | None]:
        """As the other data sets' one. Decodes ahead, meanwhile, what is asked for next if `start` goes on in
        even strides, which are those of all processes together; another guess costs time, and no more."""
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
        """A part of the pictures for each thread."""
        size = max(1, -(-len(chosen) // self._threads))
        parts = [chosen[i : i + size] for i in range(0, len(chosen), size)]
        return [self._pool.submit(self._read, part) for part in parts]

    def _read(self, chosen: list[int]) -> list[np.ndarray]:
        pictures = []
        for i in chosen:
            with self._opened(self._files[i]) as picture:
                pictures.append(self._decode(picture))
        return pictures

    def _check(self, start: int, end: int) -> None:
        for file in self._files[start:end]:
            with self._opened(file):
                pass

    @contextmanager
    def _opened(self, file: str) -> Iterator[Image.Image]:
        """A picture whose header is read and whose size fits. What the volume refuses for another reason than
        that there is no such file (an OSError with a number) is no fault of the picture's, and may pass."""
        try:
            with Image.open(file) as picture:
                if picture.size != self._size:
                    width, height = picture.size
                    raise InputError(
                        "DatasetMismatch", f"{file} has {width}x{height} pixels, and {self._needed}"
                    )
                yield picture
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            if isinstance(error, OSError) and error.errno not in (None, errno.ENOENT):
                raise
            raise InputError(
                "DatasetUnreadable", f"{file} is no readable picture ({error}): replace or remove it."
            ) from error
