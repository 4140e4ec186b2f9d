"""Tables and lists of the study's pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sparsedm.study.results import Result
from sparsedm.study.rows import Row
from sparsedm.study.statistics import spread


def row_line(row: Row, results: Sequence[Result]) -> list[str]:
    """Row, pattern, schedule, frozen, distillation, steps, seeds, distance, MACs, MACs with attention."""
    one, found = results[0], spread([r.frechet for r in results])
    frozen = f"{one.freezing} %" if one.freezing else ""
    distillation = f"{one.distillation:g}" if one.distillation else ""
    return [
        row.name, one.pattern, schedule_text(row), frozen, distillation, f"{one.steps:,}", str(found.count),
        str(found), f"{one.macs_linear / 1e6:.2f}", f"{one.macs_total / 1e6:.2f}",
    ]  # fmt: skip


def schedule_text(row: Row) -> str:
    """ "progressive, linear, ramp 10 %"; what is not plain about the mask belongs to it."""
    parts = [row.schedule, row.family]
    if row.schedule == "progressive":
        parts.append(f"ramp {row.ramp} %" if row.ramp else "equal parts")
    if row.mask == "random":
        parts.append("random mask")
    if row.width:
        parts.append(f"width {row.width}")
    return ", ".join(part for part in parts if part)


def aligned_table(lines: Sequence[Sequence[str]], right: set[int]) -> str:
    """Markdown whose columns are padded; those in `right` are aligned to the right. The first line is the
    header."""
    widths = [max(3, *(len(line[i]) for line in lines)) for i in range(len(lines[0]))]

    def written(line: Sequence[str]) -> str:
        cells = [
            text.rjust(width) if i in right else text.ljust(width)
            for i, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        return f"| {' | '.join(cells)} |"

    rule = ["-" * (width - 1) + ":" if i in right else "-" * width for i, width in enumerate(widths)]
    return "\n".join([written(lines[0]), f"| {' | '.join(rule)} |", *map(written, lines[1:])])


def devices(results: Sequence[Result]) -> str:
    """ "AMD EPYC (1 thread a run; asp, ste-fixed), NVIDIA H100 (1, 3 threads a run)": the rows are named
    where another device has run more of them."""
    threads: dict[str, set[int]] = {}
    rows: dict[str, set[str]] = {}
    for result in results:
        threads.setdefault(result.device, set()).add(result.threads)
        rows.setdefault(result.device, set()).add(result.row)
    most = max(len(names) for names in rows.values())

    def told(device: str) -> str:
        counts, names = threads[device], rows[device]
        which = f"; {listed(names)}" if len(names) < most else ""
        numbers = ", ".join(map(str, sorted(counts)))
        return f"{device} ({numbers} thread{'s' if max(counts) > 1 else ''} a run{which})"

    return listed(told(device) for device in threads)


def listed(texts: Iterable[str]) -> str:
    return ", ".join(sorted(set(texts)))
