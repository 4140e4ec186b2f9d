"""`sparsedm verify DIR`: digest, tensors, N:M in every group, unsigned zeros and the masks' digest."""

from __future__ import annotations

import argparse

from sparsedm.artifact import load_artifact


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", metavar="DIR", help="artifact directory, as training wrote it")


def run(args: argparse.Namespace) -> int:
    _, manifest = load_artifact(args.directory)
    layers, weights = len(manifest["layers"]), manifest["weights"]
    print(f"{args.directory} is whole: {layers} layers keep {manifest['pattern']}, {manifest['maskDigest']},")
    print(f"{weights['file']} has sha256 {weights['sha256']} ({weights['sizeBytes']:,} bytes).")
    return 0
