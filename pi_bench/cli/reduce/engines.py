"""Options of the searches: where their trainings run, and what is said of them."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import Any

from pi_bench.cli import training_options
from pi_bench.cli.arguments import positive_int
from pi_bench.errors import UsageError


def add_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("where trainings run")
    group.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="local (default): processes here; ray: a Ray cluster that shares the output folder's disk",
    )
    group.add_argument(
        "--jobs",
        type=positive_int,
        metavar="N",
        help="trainings at once (default: cores / threads, or one a GPU; with ray, all that fit)",
    )
    group.add_argument(
        "--ray-address",
        metavar="ADDRESS",
        help="of the Ray cluster, `auto` for the running one (default: one of its own on this machine)",
    )
    training_options.add_device(group)
    training_options.add_threads(group, "default 1; the result depends on it, in the last digits")


def engine_of(parsed: argparse.Namespace, device: str, torch: Any) -> Any:
    """The engine that was asked for, a context; `device` as torch takes it.

    Raises:
        UsageError: options that do not go together.
        EnvironmentUnsupportedError: no Ray, or no such cluster.
    """
    threads = parsed.threads or 1
    if parsed.engine == "ray":
        module = importlib.import_module("pi_bench.models.reduction.engine_ray")
        return module.RayEngine(parsed.ray_address, parsed.jobs, threads, gpu=device.startswith("cuda"))
    if parsed.ray_address is not None:
        raise UsageError("--ray-address goes with --engine ray")
    gpus = _gpus(torch) if device == "cuda" else []
    at_once = max(1, len(os.sched_getaffinity(0)) // threads) if device == "cpu" else 1
    slots = parsed.jobs or len(gpus) or at_once
    module = importlib.import_module("pi_bench.models.reduction.engine_local")
    return module.LocalEngine(slots, threads, gpus)


def _gpus(torch: Any) -> list[str]:
    """As CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible.split(",") if visible else [str(index) for index in range(torch.cuda.device_count())]


class OutcomePrinter:
    """Says on standard error what has become of each training, a line each, and how many there were."""

    def __init__(self, progress: Any) -> None:
        self._progress = progress

    def __call__(self, words: str) -> None:
        self._progress.clear()
        print(words, file=sys.stderr, flush=True)

    def outcome(self, outcome: Any, fresh: bool) -> None:
        """As `engine.Announce`."""
        if outcome.result is None:
            self(f"  {outcome.job.name}: FAILED: {outcome.failure}")
            return
        result = outcome.result
        spent = f"{result['training_s']:.0f} s" if fresh else "from an earlier run"
        self(
            f"  {outcome.job.name}: {result['recipe']['relu_count']:,} ReLUs, "
            f"test accuracy {result['test_accuracy_pct']:.2f} %, {spent}"
        )
