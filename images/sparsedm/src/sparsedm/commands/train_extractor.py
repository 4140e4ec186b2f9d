"""`sparsedm train-extractor`: trains the feature extractor of the Frechet distance."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from safetensors.torch import save

from sparsedm import __version__
from sparsedm.data import FORMATS, Dataset, open_dataset
from sparsedm.data.contents import fit_classes, lines, record
from sparsedm.errors import ConfigError
from sparsedm.files import write_atomically
from sparsedm.measure.extractor import FEATURES, accuracy, load_extractor, train_classifier
from sparsedm.runtime.device import limit_threads
from sparsedm.training.config import SPLIT_FORMATS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dataset", choices=sorted(FORMATS), default="fashion-mnist", help="format of the data"
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the data set")
    parser.add_argument(
        "--test-data", type=Path, help="folder of the test images, where the format has no split of its own"
    )
    parser.add_argument("--class-column", help="of an image folder's metadata.jsonl (default: label)")
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
    data, test = _open(args, "train"), _open(args, "test")
    if data.classes is not None:
        fit_classes(test, len(data.classes), data.classes)
    for line in lines(record(data)):
        print(f"Data: {line}")
    network = train_classifier(data, args.epochs, args.seed)
    metadata = {"name": args.name, "channels": str(args.channels), "classes": str(network.head.out_features)}
    write_atomically(args.out, save(network.state_dict(), metadata=metadata))
    extractor, name, digest = load_extractor(args.out)
    column = f"--class-column {args.class_column} " if args.class_column else ""
    manifest = {
        "name": name,
        "sha256": digest,
        "features": FEATURES,
        "dataset": args.dataset,
        "testAccuracy": round(accuracy(extractor, test), 4),
        "command": f"sparsedm train-extractor --dataset {args.dataset} {column}--name {name} "
        f"--channels {args.channels} --epochs {args.epochs} --seed {args.seed}",
        "secondsOfTraining": round(time.monotonic() - started),
        "versions": {"sparsedm": __version__, "torch": torch.__version__},
    }
    args.out.with_suffix(".json").write_text(json.dumps(manifest, indent=2) + "\n")
    print(f"{name}: test accuracy {manifest['testAccuracy']:.2%}, sha256 {digest}, at {args.out}")
    return 0


def _open(args: argparse.Namespace, split: str) -> Dataset:
    """The test images are those of the format's own split, or of --test-data."""
    if (args.dataset in SPLIT_FORMATS) == (args.test_data is not None):
        wanted = (
            "leave out --test-data" if args.test_data else "name a folder of test images with --test-data"
        )
        has = "has test images of its own" if args.test_data else "has no test images of its own"
        raise ConfigError([f"--dataset {args.dataset} {has}: {wanted}."])
    path = args.test_data if split == "test" and args.test_data else args.data
    return open_dataset(args.dataset, path, 32, args.channels, split, args.class_column)
