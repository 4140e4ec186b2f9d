"""`sparsedm train`: from dense weights to a sparse model, its figures and its artifact.

Reads SPARSEDM_CONFIG (or --config), writes to output.uri, and resumes from the newest valid checkpoint there.
With several GPUs, one process per GPU trains (processes.py), also in several pods (nodes.py). Exit codes:
0 done, 2 configuration wrong, 3 input wrong, 4 diverged or regressed, 5 another trainer has taken over the
output, 6 another process has ended, 143 stopped by SIGTERM after a checkpoint.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable

from sparsedm.artifact.artifact import MANIFEST_FILE, PIPELINE
from sparsedm.errors import ConfigError, ProcessLost, SparseDMError, Superseded, storage_explained
from sparsedm.runtime.device import check_gpus
from sparsedm.runtime.launch import launch, processes_to_start
from sparsedm.runtime.nodes import Node
from sparsedm.runtime.processes import open_process_group
from sparsedm.runtime.progress import Console
from sparsedm.runtime.report_client import ReportClient
from sparsedm.runtime.stop import StopSignal
from sparsedm.training.config import TrainConfig, load_config, with_output
from sparsedm.training.describe import describe
from sparsedm.training.finetune import Finetune, train
from sparsedm.training.inputs import fetch_inputs
from sparsedm.training.output import claim_output, finished_manifest
from sparsedm.uris import resolve_uri


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="YAML or JSON, also a SparseFinetune, or an artifact's manifest.json; default: $SPARSEDM_CONFIG",
    )
    parser.add_argument(
        "--output", metavar="URI", help="in place of output.uri: repeats a run beside the first"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print layers, masks, MACs and stages; train nothing"
    )
    parser.add_argument(
        "--processes",
        type=int,
        metavar="N",
        help="that train together, each on a share of every batch; default: one for each GPU, else 1",
    )


def run(args: argparse.Namespace) -> int:
    """Launches the training processes, or runs as one of them."""
    if args.processes is not None and args.processes < 1:
        raise ConfigError([f"--processes must be at least 1, not {args.processes}."])
    count = 1 if args.dry_run else processes_to_start(args.processes)
    node = Node() if args.dry_run or "RANK" in os.environ else Node.from_environment()
    # A pod that starts again after the end of the run is alone.
    if count * node.count == 1 or (node.count > 1 and node.number == 0 and _is_finished(args)):
        return run_here(args)
    # One process fetches for all, whose wait for each other has a limit.
    code = _ended(args, _fetch)
    if code:
        return code
    command = [sys.executable, "-m", "sparsedm.cli", "train"]
    options = {"--config": args.config, "--output": args.output}
    try:
        return launch(
            count,
            [*command, *(word for pair in options.items() if pair[1] for word in pair)],
            node,
            lambda: _is_finished(args),
        )
    except ConfigError as error:
        return _explain(error, _client())


def _config(args: argparse.Namespace) -> TrainConfig:
    config = load_config(args.config)
    return with_output(config, args.output) if args.output else config


def _is_finished(args: argparse.Namespace) -> bool:
    """What is wrong with the configuration, the processes say."""
    try:
        config = _config(args)
        output = resolve_uri(config.output.uri)
        return (output / MANIFEST_FILE).exists() and finished_manifest(output, config.digest()) is not None
    except (SparseDMError, OSError):
        return False


def run_here(args: argparse.Namespace) -> int:
    return _ended(args, _describe if args.dry_run else _train)


def _fetch(config: TrainConfig, client: ReportClient, console: Console) -> None:
    check_gpus()
    fetch_inputs(config, client, console, claim_output(config))


def _describe(config: TrainConfig, client: ReportClient, console: Console) -> None:
    fetch_inputs(config, client, console, None)
    if config.model.architecture == PIPELINE:
        # Imported here: few runs are of pipelines.
        from sparsedm.training.describe_pipeline import describe_pipeline

        print(describe_pipeline(config))
        return
    print(describe(config))


def _train(config: TrainConfig, client: ReportClient, console: Console) -> None:
    _fetch(config, client, console)
    _train_together(config, client, console)


def _ended(args: argparse.Namespace, work: Callable[[TrainConfig, ReportClient, Console], None]) -> int:
    """Handles every way to end: an exit code, a sentence on stderr, and the final report to the operator."""
    rank = int(os.environ.get("RANK", "0"))
    client = _client()
    console = Console(io.StringIO()) if rank else Console()
    try:
        with storage_explained():
            work(_config(args), client, console)
        client.close()
        return 0
    except SparseDMError as error:
        return _explain(error, client, rank)
    except Exception as error:
        client.close(error={"reason": "Unexpected", "message": f"{type(error).__name__}: {error}"})
        raise
    finally:
        console.close()


def _client() -> ReportClient:
    """Rank 0 reports. In each other pod the first process leaves what went wrong with it there."""
    if int(os.environ.get("LOCAL_RANK", "0")):
        return ReportClient(None, None)
    reports = os.environ["RANK"] == "0" if "RANK" in os.environ else Node.from_environment().number == 0
    silent = {} if reports else {"SPARSEDM_REPORT_URL": ""}
    return ReportClient.from_environment({**os.environ, **silent})


def _explain(error: SparseDMError, client: ReportClient, rank: int = 0) -> int:
    """Tells the error in every place where it is looked for; returns its exit code."""
    if isinstance(error, Superseded):
        client.mute()
    client.close(error={"reason": error.reason, "message": error.message})
    for problem in error.problems if isinstance(error, ConfigError) else [error.message]:
        print(f"error{f' of process {rank}' if rank else ''}: {problem}", file=sys.stderr)
    return error.exit_code


def _kind(config: TrainConfig) -> type[Finetune]:
    if config.model.architecture != PIPELINE:
        return Finetune
    # Imported here: few runs are of pipelines.
    from sparsedm.training.pipeline import PipelineFinetune

    return PipelineFinetune


def _train_together(config: TrainConfig, client: ReportClient, console: Console) -> None:
    with StopSignal() as stop, open_process_group() as processes:
        try:
            train(config, client, console, stop, processes, _kind(config))
        except ProcessLost:
            stop.check(
                "the other processes stopped before this one; a retry goes on from the last checkpoint."
            )
            raise
