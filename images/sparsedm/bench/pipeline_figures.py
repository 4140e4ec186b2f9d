"""The figures of docs/benchmarks/pipeline.md: the pipeline that ships, masked in one shot and fine-tuned.

All runs share one recording of the dense pipeline. Of each seed (calibration, training and what is measured)
all rows are drawn from the same noise after the same held-out prompts, and so is the dense pipeline, from
whose images PSNR and SSIM are taken; the Frechet distance is to images of it from other noise. A run is kept
in OUT as soon as it has ended, and the same command goes on with the others. The last line is JSON, a list
of {row, pattern, seed, distance, ssim, psnr, image_s, run_s}. Times are of the processors, which other
programs disturb less than the clock.

Texts are padded by one empty token in place of 256, which the pipeline was trained to draw alike after
(commands/train_pipeline.py), in an eighth of the time.
"""

from __future__ import annotations

import argparse
import functools
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm
from train_step import machine

from sparsedm.commands import record
from sparsedm.files import write_atomically
from sparsedm.measure.evaluator import Measurement, Plan
from sparsedm.models.denoisers import library
from sparsedm.pipelines.call import Drawing
from sparsedm.pipelines.folder import PipelineFolder, read_pipeline
from sparsedm.pipelines.images import psnr, ssim
from sparsedm.pipelines.measure import DenseImages, PipelineEvaluator
from sparsedm.pipelines.prompts import hold_out, read_prompts
from sparsedm.runtime.device import limit_threads, pick_device
from sparsedm.runtime.progress import Console
from sparsedm.runtime.report_client import ReportClient
from sparsedm.runtime.stop import StopSignal
from sparsedm.study.statistics import spread
from sparsedm.training.config import parse_config
from sparsedm.training.finetune import train
from sparsedm.training.pipeline import PipelineFinetune
from sparsedm.uris import PACKAGED_WEIGHTS

PIPELINE = PACKAGED_WEIGHTS / "emoji-pipeline"
PATTERNS = ("2:4", "4:8")
EVALUATION_SEED = 1000
"""Added to a run's seed: what is measured shares no noise with what is trained on."""
STEPS, GUIDANCE, CALLS = 20, 2.0, 5
ROWS: dict[str, dict[str, Any]] = {
    **{f"{kind}, one shot": {"method": "masked-dense", "maskType": kind}
       for kind in ("magnitude", "wanda", "energy", "obs")},
    **{f"sparsedm from {kind}": {"method": "sparsedm", "maskType": kind, "schedule": {"type": "fixed"}}
       for kind in ("magnitude", "obs")},
}  # fmt: skip


@dataclass(frozen=True)
class Result:
    """`image_s` are processor seconds for an image, of four at a time and by dense products; `run_s` those of
    the run's last attempt, without this program's measuring."""

    row: str
    pattern: str
    seed: int
    distance: float
    ssim: float
    psnr: float
    image_s: float
    run_s: float

    @property
    def name(self) -> str:
        return f"{self.row}, {self.pattern}, seed {self.seed}"


class Figures:
    def __init__(self, args: argparse.Namespace) -> None:
        self.out, self.samples = args.out.resolve(), args.samples
        self.steps, self.rate = args.steps, args.rate
        self.seeds = args.seeds
        self.folder = read_pipeline(PIPELINE)
        self.recorded, self.measured = hold_out(read_prompts(PIPELINE / "prompts.txt", "prompts"), "prompts")
        self.device = pick_device()

    def prepare(self) -> None:
        self.out.mkdir(parents=True, exist_ok=True)
        for name, prompts in (("recorded", self.recorded), ("measured", self.measured)):
            write_atomically(self.out / f"{name}.txt", "\n".join(prompts).encode())
        parser = argparse.ArgumentParser()
        record.add_arguments(parser)
        command = [str(PIPELINE), str(self.out / "recorded.txt"), str(self.out / "recording")]
        given = ["--steps", str(STEPS), "--calls", str(CALLS), "--guidance", str(GUIDANCE)]
        record.run(parser.parse_args([*command, *given]))

    def evaluator(self, seed: int) -> PipelineEvaluator:
        plan = Plan(self.samples, STEPS, GUIDANCE, self.folder.scheduler, EVALUATION_SEED + seed)
        evaluator = PipelineEvaluator(
            self.folder, self.measured, Drawing(STEPS, GUIDANCE), plan, PIPELINE / "extractor.safetensors",
            self.device, "fd",
        )  # fmt: skip
        evaluator.set_reference(
            DenseImages(evaluator), self.out / f"reference-{seed}.npz", source="dense-samples",
            content="dense-samples",
        )  # fmt: skip
        return evaluator

    def all(self) -> Iterator[Result]:
        """Seed by seed; those that are there already are read."""
        wanted = [(seed, p, row) for seed in self.seeds for row in ROWS for p in PATTERNS]
        progress = tqdm(wanted, unit="run", smoothing=0.1)
        evaluator: PipelineEvaluator | None = None
        for seed in self.seeds:
            path = self.out / f"dense-{seed}.pt"
            if not path.exists():
                evaluator = self.evaluator(seed)
                found, seconds = self._measure(evaluator, self.folder)
                torch.save({"distance": found.distance, "images": found.images, "s": seconds}, path)
            dense = torch.load(path)
            yield Result("dense", "", seed, dense["distance"], 1.0, 100.0, dense["s"], 0.0)
            for _, pattern, row in (one for one in wanted if one[0] == seed):
                kept = self.out / f"{row}-{pattern}-{seed}.json".replace(" ", "-").replace(",", "")
                if not kept.exists():
                    if evaluator is None or evaluator.plan.seed != EVALUATION_SEED + seed:
                        evaluator = self.evaluator(seed)
                    result = self.run(row, pattern, seed, evaluator, dense["images"])
                    write_atomically(kept, json.dumps(asdict(result)).encode())
                yield Result(**json.loads(kept.read_text()))
                progress.update()

    def run(
        self, row: str, pattern: str, seed: int, evaluator: PipelineEvaluator, dense: torch.Tensor
    ) -> Result:
        out = self.out / "runs" / f"{row}-{pattern}-{seed}".replace(" ", "-").replace(",", "")
        out.mkdir(parents=True, exist_ok=True)
        began = time.process_time()
        spec = self.spec(row, pattern, seed, out)
        with StopSignal() as stop:
            train(parse_config(spec), ReportClient(None, None), Console(), stop, kind=PipelineFinetune)
        seconds = time.process_time() - began
        found, each = self._measure(evaluator, read_pipeline(out))
        images = found.images
        return Result(
            row, pattern, seed, found.distance, float(ssim(dense, images).mean()),
            float(psnr(dense, images).mean()), each, seconds,
        )  # fmt: skip

    def spec(self, row: str, pattern: str, seed: int, out: Path) -> dict[str, Any]:
        """Its own measuring is as small as can be: that of this program counts."""
        sparsity, trains = {**ROWS[row], "pattern": pattern}, ROWS[row]["method"] != "masked-dense"
        training: dict[str, Any] = {"seed": seed, "batchSize": 8}
        if trains:
            training |= {
                "steps": self.steps, "learningRate": self.rate, "learningRateSchedule": "cosine",
                "warmupSteps": min(10, self.steps // 2),
            }  # fmt: skip
        return {
            "model": {"architecture": "pipeline", "pretrained": {"uri": f"file://{PIPELINE}"}},
            "dataset": {"format": "recording", "uri": f"file://{self.out / 'recording'}"},
            "sparsity": sparsity,
            "training": training,
            "evaluation": {
                "samples": 2, "steps": 1, "extractorUri": f"file://{PIPELINE}/extractor.safetensors",
                "dataset": {"format": "prompts", "uri": f"file://{self.out / 'measured.txt'}"},
            },
            "output": {"uri": f"file://{out}"},
        }  # fmt: skip

    def _measure(self, evaluator: PipelineEvaluator, folder: PipelineFolder) -> tuple[Measurement, float]:
        """And the seconds for an image."""
        network, began = folder.load_denoiser()[0].to(self.device), time.process_time()
        found = evaluator.measure(network, lambda passes: None, keep=self.samples)
        return found, (time.process_time() - began) / self.samples


def summary(results: list[Result]) -> str:
    """A table in Markdown, mean and standard deviation over the seeds."""
    lines = [
        "| | Pattern | Distance | SSIM | PSNR, dB | CPU seconds for an image | CPU seconds of the run |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row, pattern in dict.fromkeys((one.row, one.pattern) for one in results):
        of_row = [one for one in results if (one.row, one.pattern) == (row, pattern)]

        def told(name: str, places: int, of_row: list[Result] = of_row) -> str:
            found = spread([getattr(one, name) for one in of_row])
            width = "" if found.deviation is None else f" ± {found.deviation:.{places}f}"
            return f"{found.mean:.{places}f}{width}"

        cells = [told("distance", 2), told("ssim", 3), told("psnr", 2), told("image_s", 2), told("run_s", 0)]
        if row == "dense":
            cells[1], cells[2], cells[4] = "1", "", ""
        lines.append(f"| {row} | {pattern} | {' | '.join(cells)} |")
    return "\n".join(lines)


def pad_texts_by_one_token() -> None:
    pipeline = library().StableDiffusion3Pipeline
    whole = pipeline.__call__

    @functools.wraps(whole)
    def short(*args: Any, **kwargs: Any) -> Any:
        return whole(*args, **{"max_sequence_length": 1, **kwargs})

    pipeline.__call__ = short


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="goes on where it was stopped")
    parser.add_argument("--samples", type=int, default=33, help="images that are measured (default: 33)")
    parser.add_argument("--steps", type=int, default=60, help="of a fine-tuning (default: 60)")
    parser.add_argument("--rate", default="0.0002", help="of a fine-tuning (default: 0.0002)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    limit_threads()
    pad_texts_by_one_token()
    figures = Figures(args)
    figures.prepare()
    results = list(figures.all())
    print(machine())
    print(summary(results))
    print(json.dumps([asdict(one) for one in results]))


if __name__ == "__main__":
    main()
