"""What a run that has ended reports, whether it ended now or before."""

from __future__ import annotations

from typing import Any

from sparsedm.artifact.artifact import SAMPLES_FILE
from sparsedm.training.config import TrainConfig


def finished_progress(config: TrainConfig, manifest: dict[str, Any]) -> dict[str, Any]:
    """Progress of a run that had finished before."""
    steps, rollback = manifest["provenance"]["steps"], manifest["provenance"].get("rollback")
    trained = rollback["regressedStep"] if rollback else steps
    return {
        "step": rollback["step"] if rollback else steps,
        "totalSteps": steps,
        "imagesProcessed": trained * config.training.images_per_step,
        "percent": 100,
        "display": "100%",
        "phase": "done",
        "remainingSeconds": 0,
        "eta": "0s",
    }


def _told(images: dict[str, Any]) -> dict[str, Any]:
    """`status.images`, of what a manifest has."""
    return {name: images[name] for name in ("compared", "psnr", "ssim", "clip") if name in images}


def result_of(config: TrainConfig, manifest: dict[str, Any]) -> dict[str, Any]:
    """The parts of the report on the end of the run."""
    uri, weights = config.output.uri, manifest["weights"]
    provenance = manifest["provenance"]
    return {
        **{name: provenance[name] for name in ("best", "rollback", "latency") if name in provenance},
        "sparsity": manifest["sparsity"],
        "macs": manifest["macs"],
        "fid": manifest["fid"],
        **({"images": _told(images)} if (images := manifest.get("quality", {}).get("images")) else {}),
        "model": {
            "uri": uri,
            "sha256": weights["sha256"],
            "sizeBytes": weights["sizeBytes"],
            "manifestUri": f"{uri}/manifest.json",
            "sampleGridUri": f"{uri}/{SAMPLES_FILE}",
        },
    }
