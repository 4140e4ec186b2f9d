"""The study's CSV: one line for each finished run, with all that its distance depends on."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from sparsedm.errors import InputError
from sparsedm.files import write_atomically
from sparsedm.study.rows import BY_NAME

CSV_FILE = "fashion-mnist-study.csv"
RESULT_FILE = "result.json"
LOG_FILE = "log.txt"
"""In each run's folder: what it found, as a line of the CSV, and what it printed."""


@dataclass(frozen=True)
class Result:
    """`steps` were trained for this row, `macs_*` are of one image and denoising step, `seconds` wall time of
    all attempts but those that were killed. `freezing` and `ramp` are percentages, empty where there are
    none."""

    row: str
    method: str
    pattern: str
    schedule: str
    family: str
    ramp: str
    freezing: str
    mask: str
    distillation: float
    seed: int
    steps: int
    frechet: float
    extractor: str
    macs_linear: int
    macs_total: int
    samples: int
    evaluation_seed: int
    seconds: float
    threads: int
    device: str
    torch: str
    finished: str

    @property
    def key(self) -> tuple[str, int]:
        return self.row, self.seed


COLUMNS = tuple(field.name for field in fields(Result))
_READ = {field.name: {"int": int, "float": float}.get(str(field.type), str) for field in fields(Result)}


def read_results(path: Path) -> list[Result]:
    """In the file's order; none where there is no file. Raises InputError with the line that is wrong."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise InputError(
                "StudyUnreadable",
                f"{path} has other columns than {', '.join(COLUMNS)}: choose another --out folder.",
            )
        return [_result(line, f"{path}, line {number}") for number, line in enumerate(reader, start=2)]


def _result(line: dict[str, str], place: str) -> Result:
    try:
        if None in line or None in line.values():
            raise ValueError("it has too few or too many values")
        if line["row"] not in BY_NAME:
            raise ValueError(f"there is no row {line['row']}")
        return Result(**{name: read(line[name]) for name, read in _READ.items()})
    except ValueError as error:
        raise InputError("StudyUnreadable", f"{place} is not a run ({error}): remove that line.") from error


def write_results(path: Path, results: Iterable[Result]) -> None:
    """Replaces the file at once: a reader sees all finished runs, whenever the study was stopped."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(result) for result in results)
    write_atomically(path, text.getvalue().encode())
