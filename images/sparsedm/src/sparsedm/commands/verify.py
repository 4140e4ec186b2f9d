"""`sparsedm verify DIR`: every digest, N:M in every group, unsigned zeros, all that the manifest says of the
weights counted again, and its seal."""

from __future__ import annotations

import argparse
from pathlib import Path

from sparsedm.artifact.artifact import check_seal, verify_statements, write_manifest
from sparsedm.artifact.pipeline import load_any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "directory", metavar="DIR", type=Path, help="artifact directory, as training wrote it"
    )
    parser.add_argument(
        "--seal",
        action="store_true",
        help="seal manifest.json anew: where it was changed on purpose, or written by an earlier version",
    )


def run(args: argparse.Namespace) -> int:
    directory = Path(args.directory)
    model, manifest = load_any(directory, sealed=False)
    verify_statements(model, manifest, directory)
    if args.seal:
        write_manifest(directory, manifest)
    check_seal(manifest, directory)
    layers, weights = len(manifest["layers"]), manifest["weights"]
    print(f"{directory} is whole: {layers} layers keep {manifest['pattern']}, {manifest['maskDigest']},")
    print(f"{weights['file']} has sha256 {weights['sha256']} ({weights['sizeBytes']:,} bytes),")
    print(f"manifest.json has the seal {manifest['seal']}.")
    if missing := [name for name in manifest.get("files", {}) if not (directory / name).exists()]:
        print(f"Not here: {', '.join(missing)}.")
    return 0
