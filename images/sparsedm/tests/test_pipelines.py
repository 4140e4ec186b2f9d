"""Whole pipelines of diffusers: recorded, trained on, measured, written, and opened again."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from sparsedm.cli import main
from sparsedm.measure.extractor import Classifier
from sparsedm.pipelines.folder import read_pipeline
from sparsedm.runtime.progress import Console
from sparsedm.runtime.report_client import ReportClient
from sparsedm.runtime.stop import StopSignal
from sparsedm.sparsity.masks import group_counts
from sparsedm.training.config import parse_config
from sparsedm.training.finetune import train
from sparsedm.training.pipeline import PipelineFinetune
from tiny_pipelines import PIPELINES, write_pipeline

FAST = "StableDiffusion3Pipeline"
WITHOUT_MODULATION = ("PixArtSigmaPipeline", "SanaPipeline")
"""Whose blocks add a table to one modulation, which lies outside of them."""


class Place:
    """Pipelines that are written once, prompts and an extractor."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        metadata = {"name": "test-cnn", "channels": "3", "classes": "2"}
        torch.manual_seed(1)
        save_file(Classifier(3, 2).state_dict(), directory / "extractor.safetensors", metadata=metadata)
        (directory / "prompts.txt").write_text("a red ball\na green ball\n\na blue ball\n")

    def pipeline(self, name: str) -> Path:
        folder = self.directory / name
        return folder if folder.exists() else write_pipeline(folder, name)

    def spec(self, name: str, output: str, **changes: Any) -> dict[str, Any]:
        """`training__steps=3` changes training.steps."""
        root = self.directory
        spec: dict[str, Any] = {
            "model": {"architecture": "pipeline", "pretrained": {"uri": f"file://{self.pipeline(name)}"}},
            "dataset": {"format": "prompts", "uri": f"file://{root}/prompts.txt", "imageSize": 32,
                        "callsPerTrajectory": 2, "guidanceScale": "4"},
            "training": {"steps": 3, "batchSize": 2, "warmupSteps": 1},
            "sparsity": {},
            "evaluation": {"samples": 4, "steps": 2,
                           "extractorUri": f"file://{root}/extractor.safetensors"},
            "output": {"uri": f"file://{root / output}"},
        }  # fmt: skip
        for path, value in changes.items():
            part, field = path.split("__")
            spec.setdefault(part, {})[field] = value
        return spec

    def train(self, spec: dict[str, Any]) -> dict[str, Any]:
        console = Console(io.StringIO())
        config, client = parse_config(spec), ReportClient(None, None)
        return train(config, client, console, StopSignal(), kind=PipelineFinetune)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("pipelines"))


@pytest.mark.parametrize("name", PIPELINES)
def test_a_dense_pipeline_becomes_a_sparse_one_that_diffusers_opens(place: Place, name: str) -> None:
    from diffusers import DiffusionPipeline

    manifest = place.train(place.spec(name, f"{name}-out"))
    out, folder = place.directory / f"{name}-out", read_pipeline(place.pipeline(name))
    assert main(["verify", str(out)]) == 0
    assert manifest["sparsity"]["compliant"]
    assert float(manifest["macs"]["reductionPercent"]) > 25
    layers = [layer["name"] for layer in manifest["layers"]]
    opened = DiffusionPipeline.from_pretrained(out)
    assert type(opened).__name__ == name
    denoiser = getattr(opened, folder.denoiser).state_dict()
    for layer in layers:
        assert int(group_counts(denoiser[f"{layer}.weight"], 4).max()) == 2
    left = {entry["name"]: entry["reason"] for entry in manifest["skippedLayers"]}
    assert any(reason.startswith("outside") for reason in left.values())
    assert any("modulation" in reason for reason in left.values()) != (name in WITHOUT_MODULATION)
    dense, _ = folder.load_denoiser()
    outside = next(n for n, reason in left.items() if reason.startswith("outside"))
    assert not torch.equal(denoiser[f"{layers[0]}.weight"], dense.state_dict()[f"{layers[0]}.weight"])
    assert int((denoiser[f"{outside}.weight"] == 0).sum()) == int(
        (dense.state_dict()[f"{outside}.weight"] == 0).sum()
    )
    images = manifest["quality"]["images"]
    assert images["compared"] == 4
    assert -1 <= float(images["ssim"]) < 1
    assert 0 < float(images["psnr"]) < 100
    assert float(images["secondsPerImage"]["sparse"]) > 0
    assert manifest["fid"]["metric"] == "fd-test-cnn-dense-samples"
