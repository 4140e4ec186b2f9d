"""`sparsedm train-extractor`: trains the feature extractor of the Frechet distance."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from safetensors.torch import save

from sparsedm import __version__
from sparsedm.data import FORMATS, open_dataset
from sparsedm.files import write_atomically
from sparsedm.measure.extractor import FEATURES, accuracy, load_extractor, train_classifier
from sparsedm.runtime.device import limit_threads


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dataset", choices=sorted(FORMATS), default="fashion-mnist", help="format of the data"
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--name", default="fashion-mnist-cnn", help="the metric will be called fd-NAME")
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--out", type=Path, required=True, help="the .safetensors file; a .json goes beside it"
    )


def run(args: argparse.Namespace) -> int:
    limit_threads()
    started = time.monotonic()
    data = open_dataset(args.dataset, args.data, 32, args.channels)
    network = train_classifier(data, args.epochs, args.seed)
    metadata = {"name": args.name, "channels": str(args.channels), "classes": str(network.head.out_features)}
    write_atomically(args.out, save(network.state_dict(), metadata=metadata))
    extractor, name, digest = load_extractor(args.out)
    test = open_dataset(args.dataset, args.data, 32, args.channels, split="test")
    manifest = {
        "name": name,
        "sha256": digest,
        "features": FEATURES,
        "dataset": args.dataset,
        "testAccuracy": round(accuracy(extractor, test), 4),
        "command": f"sparsedm train-extractor --dataset {args.dataset} --name {name} "
        f"--channels {args.channels} --epochs {args.epochs} --seed {args.seed}",
        "secondsOfTraining": round(time.monotonic() - started),
        "versions": {"sparsedm": __version__, "torch": torch.__version__},
    }
    args.out.with_suffix(".json").write_text(json.dumps(manifest, indent=2) + "\n")
    print(f"{name}: test accuracy {manifest['testAccuracy']:.2%}, sha256 {digest}, at {args.out}")
    return 0
