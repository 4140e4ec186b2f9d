"""`sparsedm study`: runs what is missing, seed by seed, and keeps each finished run in the CSV at once.

Every run is a process of its own, with an equal share of the cores; `--jobs` of them run side by side.
Stopped at any time, the study goes on when the command is given again: finished runs are not repeated, the
others go on from their last checkpoint.
"""

from __future__ import annotations

import argparse
import fcntl
import fnmatch
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sparsedm.errors import ConfigError, InputError
from sparsedm.runtime.device import usable_cores
from sparsedm.runtime.progress import Console, Pace, format_duration
from sparsedm.runtime.stop import StopSignal
from sparsedm.study.experiment_page import write_experiment
from sparsedm.study.experiments import EXPERIMENTS, Experiment, Run, ordered
from sparsedm.study.report import write_report
from sparsedm.study.results import LOG_FILE, RESULT_FILE, Result, read_results, write_results
from sparsedm.study.rows import BY_NAME, LEARNING_RATE, ROWS, Row
from sparsedm.study.settings import Settings
from sparsedm.study.subjects import Subject
from sparsedm.uris import PACKAGED_WEIGHTS

POLL_SECONDS = 0.5
GRACE_SECONDS = 60.0
"""Seconds for a stopped run to finish its step and write a checkpoint, before it is killed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of the data set")
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="DIR",
        default=PACKAGED_WEIGHTS,
        help="folder of the dense model and its extractor (default: those that ship)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="the study's folder; goes on where it stopped"
    )
    parser.add_argument(
        "--experiment", choices=list(EXPERIMENTS), default="parts", help="which one (default parts)"
    )
    parser.add_argument("--seeds", type=_seeds, help="with commas (default: those of the experiment)")
    parser.add_argument(
        "--steps", type=int, default=300, help="training steps of rows without a number of their own (300)"
    )
    parser.add_argument(
        "--samples", type=int, help="images drawn to measure (default 500, of the headline 5000)"
    )
    parser.add_argument("--only", default="*", metavar="GLOB", help="rows by name or group; commas between")
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side (default 1)")
    parser.add_argument("--list", action="store_true", help="print all rows and their settings")
    parser.add_argument("--dry-run", action="store_true", help="print what is missing; run nothing")
    parser.add_argument("--report-only", action="store_true", help="only make page and figures of the CSV")


def _seeds(text: str) -> tuple[int, ...]:
    try:
        seeds = tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no list of whole numbers, as in 0,1,2") from error
    if min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise argparse.ArgumentTypeError(f"{text} has a seed twice, or one below 0")
    return seeds


def run(args: argparse.Namespace) -> int:
    experiment = EXPERIMENTS[args.experiment]
    rows, seeds = choose_rows(args.only, experiment.rows), args.seeds or experiment.seeds
    samples = experiment.samples if args.samples is None else args.samples
    if args.list:
        print("\n".join(describe_row(row) for row in rows))
        return 0
    needed = ("--out",) if args.report_only else ("--data", "--out")
    missing = [f"{name} is required." for name in needed if getattr(args, name[2:]) is None]
    if args.jobs < 1 or args.steps < 1 or samples < 2:
        missing.append("--jobs and --steps must be at least 1, and --samples at least 2.")
    if missing:
        raise ConfigError(missing)
    out = args.out.resolve()
    if args.report_only:
        print("\n".join(map(str, write_pages(out, experiment))))
        return 0
    finished = read_results(out / experiment.csv)
    check_settings(finished, args.steps, samples)
    wanted = runs_to_do(rows, seeds, finished)
    if args.dry_run:
        print("\n".join(str(one) for one in wanted))
        print(f"{len(wanted)} runs are missing; {len(finished)} are in {out / experiment.csv}.")
        return 0
    out.mkdir(parents=True, exist_ok=True)
    with locked(out) as lock, StopSignal() as stop:
        # Read again: a study that has just ended may have added to it.
        finished = read_results(out / experiment.csv)
        wanted = runs_to_do(rows, seeds, finished)
        settings = Settings(args.data.resolve(), out, args.steps, samples, args.weights.resolve())
        for held_out in sorted({False, *(one.row.held_out for one in wanted)} if wanted else ()):
            prepare_reference(settings, held_out, wanted[0].row.subject)
        code = Study(settings, args.jobs, out / experiment.csv, finished, stop, lock).run(wanted)
    print("\n".join(map(str, write_pages(out, experiment))))
    return code


def write_pages(out: Path, experiment: Experiment) -> list[Path]:
    return write_experiment(out, experiment) if experiment.questions else write_report(out)


def choose_rows(globs: str, rows: Sequence[Row] = ROWS) -> list[Row]:
    """In the study's order. Raises ConfigError for a glob that matches no name and no group."""
    wanted = [glob.strip() for glob in globs.split(",")]

    def matches(row: Row, glob: str) -> bool:
        return fnmatch.fnmatchcase(row.name, glob) or fnmatch.fnmatchcase(row.group, glob)

    idle = [glob for glob in wanted if not any(matches(row, glob) for row in rows)]
    if idle:
        raise ConfigError([f"--only {', '.join(idle)} matches no row: see `sparsedm study --list`."])
    return [row for row in rows if any(matches(row, glob) for glob in wanted)]


def runs_to_do(rows: Sequence[Row], seeds: Sequence[int], finished: Sequence[Result]) -> list[Run]:
    """The missing runs: in each phase the first seed of every row, then the second, and so on."""
    there = {result.key for result in finished}
    return [one for one in ordered(rows, seeds) if one.key not in there]


def check_settings(finished: Sequence[Result], steps: int, samples: int) -> None:
    """Raises InputError where the folder's runs had another budget: they could not be compared."""
    for result in finished:
        row = BY_NAME[result.row]
        had = result.steps - row.extra_steps
        if result.samples != samples or (result.steps and result.steps != row.budget(steps)):
            raise InputError(
                "StudyMismatch",
                f"The study in this folder has {had} steps and {result.samples} samples ({result.row}), and "
                f"this command {row.steps or steps} and {samples}: choose another --out folder, or the same "
                "settings.",
            )


def describe_row(row: Row) -> str:
    ramp = f"ramp {row.ramp} %" if row.ramp else "equal parts"
    parts = [
        (row.pattern, row.pattern),
        (row.schedule, row.schedule),
        (row.family, row.family),
        (row.schedule == "progressive", ramp),
        (row.freezing is not None, f"frozen {row.freezing} %"),
        (row.mask not in ("", "magnitude"), f"{row.mask} mask"),
        (row.mask_every > 1, f"a mask every {row.mask_every} steps"),
        (row.width, f"width {row.width}"),
        (row.kind == "diff-pruning" and row.matched != "2:4", f"MACs of {row.matched}"),
        (row.steps, f"{row.steps} steps"),
        (row.distillation, f"distillation {row.distillation:g}"),
        (row.extra_steps, f"{row.extra_steps} more steps"),
        (row.learning_rate != LEARNING_RATE, f"learning rate {row.learning_rate}"),
        (row.held_out, "against the test images"),
    ]
    settings = ", ".join(part for there, part in parts if there)
    return f"{row.name:<30} {row.group:<10} {row.method:<13} {settings}".rstrip()


def prepare_reference(settings: Settings, held_out: bool, subject: Subject) -> None:
    """Computes the data set's statistics once, before parallel runs would each compute them. Training reads
    those of the training images, whatever a row is measured against. Raises InputError where the data set is
    missing."""
    if settings.reference(subject, held_out).exists():
        return
    # Imported here because it takes seconds, and --list and --report-only do not need it.
    from sparsedm.models import PRESETS
    from sparsedm.study.one_run import evaluator_of

    evaluator_of(PRESETS[subject.preset], 0, settings, held_out, subject)


@contextmanager
def locked(out: Path) -> Iterator[IO[str]]:
    """Allows one study per folder at a time. Its runs inherit the lock, so a run that outlives the study
    keeps it."""
    with (out / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError("StudyInUse", f"Another study is running in {out}: wait for its end.") from error
        yield file


class Study:
    """Keeps `jobs` runs going until none is missing."""

    def __init__(
        self,
        settings: Settings,
        jobs: int,
        csv: Path,
        finished: Sequence[Result],
        stop: StopSignal,
        lock: IO[str],
    ) -> None:
        self.settings, self.jobs, self.finished = settings, jobs, list(finished)
        self.stop, self.lock, self.csv = stop, lock, csv
        self.console = Console()
        self.active: dict[Run, subprocess.Popen[bytes]] = {}
        self.failed: list[Run] = []

    def run(self, runs: Sequence[Run]) -> int:
        """0, or 1 when a run failed. Raises Interrupted after a stop signal."""
        waiting = list(runs)
        self.all = len(self.finished) + len(waiting)
        self.pace = Pace(sum(self._work(one) for one in waiting))
        self.last = time.monotonic()
        try:
            self._show()
            while waiting or self.active:
                self.stop.check("finished runs are kept; the same command goes on with the others.")
                while waiting and len(self.active) < self.jobs:
                    one = waiting.pop(0)
                    self.active[one] = self._start(one)
                time.sleep(POLL_SECONDS)
                self._collect()
        finally:
            self._end_active()
            self.console.close()
        print(f"{len(self.finished)} runs are in {self.csv}.")
        if self.failed:
            print(
                f"Failed: {'; '.join(map(str, self.failed))}. The same command repeats them.", file=sys.stderr
            )
        return 1 if self.failed else 0

    def _work(self, one: Run) -> float:
        return one.row.work(self.settings.steps, self.settings.samples)

    def _start(self, one: Run) -> subprocess.Popen[bytes]:
        """In a session of its own: Ctrl-C reaches the study alone, which ends its runs in order."""
        settings, threads = self.settings, max(1, usable_cores() // self.jobs)
        folder = settings.folder(one.row, one.seed)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RESULT_FILE).unlink(missing_ok=True)
        command = [
            sys.executable, "-m", "sparsedm.study.one_run", "--row", one.row.name, "--seed", str(one.seed),
            "--data", str(settings.data), "--out", str(settings.out), "--weights", str(settings.weights),
            "--steps", str(settings.steps), "--samples", str(settings.samples),
        ]  # fmt: skip
        # Threads that spin while they wait would take cores from working ones.
        env = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, "OMP_NUM_THREADS": str(threads)}
        with (folder / LOG_FILE).open("ab") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=env,
                start_new_session=True, pass_fds=(self.lock.fileno(),),
            )  # fmt: skip

    def _collect(self) -> None:
        """Saves the results of the runs that have ended since."""
        for one in [one for one, process in self.active.items() if process.poll() is not None]:
            process = self.active.pop(one)
            folder = self.settings.folder(one.row, one.seed)
            if process.returncode == 0:
                result = Result(**json.loads((folder / RESULT_FILE).read_text()))
                self.finished.append(result)
                write_results(self.csv, self.finished)
                self.console.say(f"{one}: {result.frechet:.2f} in {format_duration(result.seconds)}")
            else:
                self.failed.append(one)
                self.console.say(f"{one} failed with exit code {process.returncode}: see {folder / LOG_FILE}")
            now = time.monotonic()
            self.pace.add(self._work(one), now - self.last)
            self.last = now
            self._show()

    def _show(self) -> None:
        pace = self.pace
        percent = int(100 * pace.done / pace.planned) if pace.planned else 100
        progress = {
            "phase": "study", "percent": percent, "display": f"{percent}%",
            "step": len(self.finished), "totalSteps": self.all,
        }  # fmt: skip
        if pace.rate:
            progress["eta"] = format_duration((pace.planned - pace.done) / pace.rate)
        self.console.show(progress, force=True)

    def _end_active(self) -> None:
        """Lets the runs write their checkpoints."""
        for process in self.active.values():
            process.terminate()
        for process in self.active.values():
            try:
                process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
