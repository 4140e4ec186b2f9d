"""What a server counts and measures, for Prometheus. docs/serving.md explains each metric."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args

import torch
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.samples import Sample

from sparsedm.serve.loading import Phase

disable_created_metrics()

Outcome = Literal["drawn", "not_finite", "flat", "failed", "cancelled", "given_up", "refused"]
"""What became of an image that was asked for. Its client went away while it waited or was drawn: cancelled.
The server ended first: given_up. There was no room or no time: refused."""

REQUEST_BUCKETS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120)
STEP_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
IMAGE_ROUTES = ("/images/generations", "/infer")
"""Ends of the routes that draw."""
SIZE_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

GAUGES = {
    "sparsedm_ready": "1 when the server takes requests.",
    "sparsedm_requests_in_flight": "Requests for images that are not answered yet.",
    "sparsedm_waiting_denoising_seconds": "Time in which the images that wait will be drawn.",
    "sparsedm_steps_per_second": "Measured sampler steps of one image in a second, in full batches.",
    "sparsedm_queue_images": "Images that wait for a place in a batch.",
    "sparsedm_drawing_images": "Images being drawn.",
    "sparsedm_batch_places": "Images that a batch holds at most.",
    "sparsedm_step_under_way_seconds": "Time that the step under way has taken so far.",
    "sparsedm_gpu_memory_allocated_bytes": "The GPU's memory in tensors of this process.",
    "sparsedm_gpu_memory_reserved_bytes": "The GPU's memory that this process holds.",
    "sparsedm_gpu_memory_free_bytes": "The GPU's memory that nobody holds.",
    "sparsedm_gpu_memory_capacity_bytes": "All of the GPU's memory.",
}
"""Those whose values are asked for at each scrape."""


class Metrics:
    """The server's metrics, in a registry of its own. It is the batcher's Watch."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.requests = self._counter("sparsedm_requests", "Requests answered.", "route", "method", "status")
        self.duration = self._histogram(
            "sparsedm_request_duration_seconds", "Time from a request to the end of its whole answer.",
            REQUEST_BUCKETS, "route", "outcome",
        )  # fmt: skip
        self._images = self._counter(
            "sparsedm_images", "Images that were asked for, by what became of them.", "outcome"
        )
        for outcome in get_args(Outcome):
            self._images.labels(outcome)  # a series that begins with its first event has no rate for it
        self._redrawn = self._counter(
            "sparsedm_redrawn_images",
            "Images that came out not finite or flat at first, and were drawn again.",
        )
        self._wait = self._histogram(
            "sparsedm_queue_duration_seconds",
            "Time in which an image waited for a place in a batch.",
            REQUEST_BUCKETS,
        )
        self._batch_size = self._histogram("sparsedm_batch_size", "Images in a denoising step.", SIZE_BUCKETS)
        self._step_duration = self._histogram(
            "sparsedm_step_duration_seconds", "Time of a denoising step of a batch.", STEP_BUCKETS
        )
        self._build = self._gauge(
            "sparsedm_build_info", "Always 1; what this server is.",
            "version", "torch", "python", "backend", "precision", "device", "pattern",
        )  # fmt: skip
        self._layers = self._gauge(
            "sparsedm_layer_backend", "Always 1; what computes each of the masked layers.", "layer", "backend"
        )

        self._last_drawn = 0.0
        """Seconds since 1970."""
        self._loading = self._gauge(
            "sparsedm_load_phase_seconds", "Time that each phase of loading took.", "phase"
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)

    def read(self, name: str, value: Callable[[], float]) -> None:
        """One of GAUGES."""
        self._gauge(name, GAUGES[name]).set_function(value)

    def steps(self, images: int, steps: int, seconds: float) -> None:
        """`steps` steps of a batch, each in `seconds`."""
        for _ in range(steps):
            self._batch_size.observe(images)
            self._step_duration.observe(seconds)

    def waited(self, seconds: float) -> None:
        """Of an image that has got its place."""
        self._wait.observe(seconds)

    def redrawn(self) -> None:
        self._redrawn.inc()

    def ended(self, outcome: Outcome, images: int = 1) -> None:
        self._images.labels(outcome).inc(images)
        if outcome == "drawn":
            self._last_drawn = time.time()

    def answered(self, route: str, method: str, status: int, seconds: float, whole: bool) -> None:
        """whole: whether the client got all of the answer. One that went away says nothing of latency."""
        self.requests.labels(route, method, str(status)).inc()
        if whole:
            self.duration.labels(route, outcome_of(status)).observe(seconds)

    def describe(self, build: Mapping[str, str], layers: Mapping[str, str]) -> None:
        """layers: the backend of each masked layer."""
        self._build.labels(**build).set(1)
        for layer, backend in layers.items():
            self._layers.labels(layer, backend).set(1)

    def loaded(self, seconds: Mapping[Phase, float]) -> None:
        """How long the phases of loading took."""
        for phase, value in seconds.items():
            self._loading.labels(phase).set(value)

    def statistics(self) -> dict[str, Any]:
        """As Triton's extension names them: an execution is a denoising step of a batch, whose input and
        output are not measured, and there is no cache."""
        unknown = {"count": 0, "ns": 0}
        asked = _samples(self.duration, lambda labels: labels["route"].endswith(IMAGE_ROUTES))
        steps = _times(_samples(self._step_duration))
        drawn = _samples(self._images, lambda labels: labels["outcome"] == "drawn")
        return {
            "last_inference": int(1000 * self._last_drawn),
            "inference_count": int(sum(sample.value for sample in drawn)),
            "execution_count": steps["count"],
            "inference_stats": {
                "success": _times([sample for sample in asked if sample.labels["outcome"] == "ok"]),
                "fail": _times([sample for sample in asked if sample.labels["outcome"] != "ok"]),
                "queue": _times(_samples(self._wait)),
                "compute_input": unknown,
                "compute_infer": steps,
                "compute_output": unknown,
                "cache_hit": unknown,
                "cache_miss": unknown,
            },
            "batch_stats": [],
        }

    def watch_gpu(self, device: torch.device) -> None:
        """Its memory, where there is a GPU."""
        if device.type != "cuda":
            return
        self.read("sparsedm_gpu_memory_allocated_bytes", lambda: torch.cuda.memory_allocated(device))
        self.read("sparsedm_gpu_memory_reserved_bytes", lambda: torch.cuda.memory_reserved(device))
        self.read("sparsedm_gpu_memory_free_bytes", lambda: torch.cuda.mem_get_info(device)[0])
        self.read("sparsedm_gpu_memory_capacity_bytes", lambda: torch.cuda.mem_get_info(device)[1])


def _samples(
    metric: Counter | Histogram, wanted: Callable[[Mapping[str, str]], bool] = lambda labels: True
) -> list[Sample]:
    """wanted: judges the labels of a series."""
    return [sample for family in metric.collect() for sample in family.samples if wanted(sample.labels)]


def _times(samples: Sequence[Sample]) -> dict[str, int]:
    """Of a histogram's series together."""

    def total(end: str) -> float:
        return sum(sample.value for sample in samples if sample.name.endswith(end))

    return {"count": int(total("_count")), "ns": int(1e9 * total("_sum"))}


def outcome_of(status: int) -> str:
    """Of a request: ok, refused (come back, or go elsewhere), client_error or server_error."""
    if status < 400:
        return "ok"
    if status in (429, 503):
        return "refused"
    return "client_error" if status < 500 else "server_error"
