"""`sparsedm`: one command with a module behind each subcommand, imported only when asked for."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from sparsedm import __version__
from sparsedm.errors import SparseDMError, storage_explained

SUBCOMMANDS: dict[str, tuple[str, str]] = {
    "train": ("sparsedm.commands.train", "fine-tune a dense model to N:M sparsity, or train one"),
    "record": ("sparsedm.commands.record", "record what a dense pipeline does, to train a sparse one on"),
    "evaluate": ("sparsedm.commands.evaluate", "compare a sparse model with its dense one"),
    "generate": ("sparsedm.commands.generate", "draw images of chosen classes"),
    "inspect": ("sparsedm.commands.inspect", "print what an artefact holds"),
    "verify": ("sparsedm.commands.verify", "check an artefact's digests and pattern"),
    "convert": ("sparsedm.commands.convert", "make safetensors of pickled weights or features"),
    "encode": ("sparsedm.commands.encode", "make latents and text features of captioned images"),
    "attach": ("sparsedm.commands.attach", "copy an autoencoder or a text encoder beside an artefact"),
    "export": ("sparsedm.commands.export", "write an artifact as a diffusers directory or a weights file"),
    "serve": ("sparsedm.serve.cli", "serve an artefact over HTTP"),
    "diff-prune": ("sparsedm.commands.diff_prune", "cut whole heads and channels out of a dense model"),
    "study": ("sparsedm.study.cli", "compare all methods on one model, over several seeds"),
    "train-extractor": (
        "sparsedm.commands.train_extractor",
        "train the feature extractor of the Frechet distance",
    ),
    "train-autoencoder": (
        "sparsedm.commands.train_autoencoder",
        "train a small autoencoder on images of 32x32 pixels",
    ),
    "train-text-encoder": (
        "sparsedm.commands.train_text_encoder",
        "train a small CLIP text encoder on captioned images",
    ),
    "train-pipeline": (
        "sparsedm.commands.train_pipeline",
        "train a small text-to-image pipeline of diffusers on captioned images",
    ),
}
"""Name -> (module, summary). A module has add_arguments(parser) and run(args) -> exit code."""


@contextmanager
def ended_by_sigterm(exit_code: int) -> Iterator[None]:
    """SIGTERM ends the process at once, until the command has a handler of its own.

    The first process in a container has no default handler: without this one, a signal during the imports,
    which take seconds, would be lost, and the pod would live until SIGKILL.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python sets handlers in the main thread only
        return

    def end(number: int, frame: FrameType | None) -> None:
        os._exit(exit_code)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def build_parser(command: str | None) -> argparse.ArgumentParser:
    """All commands by name, with the arguments of `command` only: no other module is imported."""
    parser = argparse.ArgumentParser(prog="sparsedm", description="Sparse (N:M) diffusion models.")
    parser.add_argument("--version", action="version", version=f"sparsedm {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (module, summary) in SUBCOMMANDS.items():
        subparser = commands.add_parser(name, help=summary, description=summary)
        if name == command:
            importlib.import_module(module).add_arguments(subparser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; an error that the user can act on is one sentence on stderr and its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = next((a for a in arguments if a in SUBCOMMANDS), None)
    # A server that serves nothing yet has nothing to lose; a run is to be tried again.
    with ended_by_sigterm(0 if command == "serve" else 128 + signal.SIGTERM):
        return _run(build_parser(command).parse_args(arguments))


def _run(args: argparse.Namespace) -> int:
    try:
        with storage_explained():
            return importlib.import_module(SUBCOMMANDS[args.command][0]).run(args)
    except SparseDMError as error:
        print(f"sparsedm {args.command}: {error.message}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130  # as a shell reports a command that Ctrl-C ended


if __name__ == "__main__":
    sys.exit(main())
