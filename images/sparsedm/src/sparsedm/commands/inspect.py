"""`sparsedm inspect DIR`: an artifact's layers, pattern, MACs, figures and provenance, from its manifest."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from sparsedm.artifact.artifact import read_manifest
from sparsedm.training.describe import describe_artifact


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", metavar="DIR", help="artifact directory, as training wrote it")
    parser.add_argument("--json", action="store_true", help="print the manifest itself")


def run(args: argparse.Namespace) -> int:
    manifest = read_manifest(Path(args.directory))
    print(json.dumps(manifest, indent=2) if args.json else describe_artifact(manifest))
    return 0
