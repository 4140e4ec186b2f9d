"""Images a second and latency for 1, 8 and 32 clients: the server, the server with one padded shape
(engine.deterministic), and a plain loop over the same model without a batch.

The model is the one that ships in the package, masked 2:4. Each client asks for one image, waits for it, and
asks again. Clients of the servers come through HTTP and get PNGs; those of the loop call the engine, one
after the other in the order in which they came, and get pixels, so the loop has the lighter work. The three
take turns, round by round, so that a machine whose speed drifts is the same for all. The last line is JSON: a
list of {way, clients, images, images_per_second, p50_s, p99_s}.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from safetensors.torch import load_file
from tqdm import tqdm
from train_step import machine

from sparsedm.artifact.artifact import Identity, save_artifact
from sparsedm.measure.macs import count_macs
from sparsedm.models import PRESETS, WEIGHTS_DIR, build_model
from sparsedm.serve.config import EngineSpec
from sparsedm.serve.engine import Engine
from sparsedm.sparsity.layers import bake_masks, masks_for, select_layers
from sparsedm.sparsity.pattern import Pattern
from sparsedm.training.describe import table

MODEL = "fashion-mnist-uvit-tiny"
PATTERN = Pattern(2, 4)
CLASSES = 10
PATIENCE = 600.0
LEAST = 4
"""Images of a round, however few the clients."""

Ask = Callable[[int], Awaitable[None]]
"""Draws the image of a seed."""


def write_model(directory: Path) -> None:
    """An artifact of the shipped weights, masked by magnitude."""
    config = PRESETS[MODEL]
    weights = load_file(WEIGHTS_DIR / f"{MODEL}.safetensors")
    selection = select_layers(build_model(config), PATTERN)
    baked = bake_masks(weights, masks_for(weights, selection.selected, PATTERN))
    macs = count_macs(config, selection.selected, PATTERN).status()
    identity = Identity(MODEL, config, None, PATTERN, selection)
    save_artifact(directory, baked, identity, macs, {}, {"run": "benchmark", "configDigest": ""})


@contextmanager
def server(model: Path, engine: dict[str, Any]) -> Iterator[str]:
    """The URL of `sparsedm serve` in a process of its own, ready."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "sparsedm.cli", "serve", "--model", str(model), "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--engine", json.dumps(engine), "--no-access-log"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "src")}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        url, until = f"http://127.0.0.1:{port}", time.monotonic() + PATIENCE
        while not ready(url):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the server did not start (exit code {process.poll()})")
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait()


def ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v2/health/ready", timeout=PATIENCE).status_code == 200
    except httpx.TransportError:
        return False


async def round_of(ask: Ask, clients: int, images: int) -> tuple[float, list[float]]:
    """Seconds in which `clients` drew `images` together, and the latency of each image."""
    seeds, latencies = iter(range(images)), []

    async def client() -> None:
        for seed in seeds:
            started = time.perf_counter()
            await ask(seed)
            latencies.append(time.perf_counter() - started)

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return time.perf_counter() - started, latencies


def result(way: str, clients: int, seconds: list[float], latencies: list[float]) -> dict[str, Any]:
    at = statistics.quantiles(latencies, n=100, method="inclusive")
    return {
        "way": way,
        "clients": clients,
        "images": len(latencies),
        "images_per_second": round(len(latencies) / sum(seconds), 3),
        "p50_s": round(at[49], 3),
        "p99_s": round(at[98], 3),
    }


async def measure(args: argparse.Namespace, urls: dict[str, str], engine: Engine) -> list[dict[str, Any]]:
    loop = asyncio.get_running_loop()
    limits = httpx.Limits(max_connections=None)
    results = []
    with ThreadPoolExecutor(1) as one_at_a_time:
        async with httpx.AsyncClient(timeout=PATIENCE, limits=limits) as http:

            async def plain(seed: int) -> None:
                await loop.run_in_executor(one_at_a_time, engine.draw, [seed % CLASSES], [seed])

            def over(url: str) -> Ask:
                async def ask(seed: int) -> None:
                    body = {"prompt": str(seed % CLASSES), "seed": seed}
                    (await http.post(f"{url}/v1/images/generations", json=body)).raise_for_status()

                return ask

            ways = {"loop": plain, **{way: over(url) for way, url in urls.items()}}
            for ask in ways.values():
                await round_of(ask, 1, 1)
            for clients in tqdm(args.clients, unit="clients", file=sys.stderr):
                spent = {way: ([], []) for way in ways}
                for _ in range(args.rounds):
                    for way, ask in ways.items():
                        seconds, latencies = await round_of(ask, clients, max(LEAST, args.images * clients))
                        spent[way][0].append(seconds)
                        spent[way][1].extend(latencies)
                results += [result(way, clients, *spent[way]) for way in ways]
    return results


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="npm run bench:server -- clients", description="Images a second and latency by clients."
    )
    parser.add_argument("--clients", nargs="+", type=int, default=[1, 8, 32])
    parser.add_argument("--images", type=int, default=2, help="of each client in a round (default 2)")
    parser.add_argument("--rounds", type=int, default=3, help="in which the three take turns (default 3)")
    parser.add_argument("--steps", type=int, default=20, help="of the sampler (default 20)")
    args = parser.parse_args()
    spec = {"steps": args.steps, "precision": "fp32"}
    with tempfile.TemporaryDirectory() as folder:
        write_model(Path(folder))
        loop = Engine.load(Path(folder), EngineSpec.model_validate({**spec, "maxBatchSize": 1}))
        with (
            server(Path(folder), spec) as ours,
            server(Path(folder), {**spec, "deterministic": True}) as padded,
        ):
            results = asyncio.run(measure(args, {"server": ours, "padded": padded}, loop))
    rows = [
        [str(r["clients"]), r["way"], f"{r['images_per_second']:.2f}", f"{r['p50_s']:.2f} s",
         f"{r['p99_s']:.2f} s", str(r["images"])]
        for r in results
    ]  # fmt: skip
    print(f"\n{machine()}\n\n{table(['clients', 'way', 'images/s', 'p50', 'p99', 'images'], rows)}\n")
    print(json.dumps(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
