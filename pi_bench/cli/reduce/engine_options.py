"""Options of the searches: the engine that runs their trainings, and the lines that report them."""

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
    """Adds the options of the engine. `engine_of` reads them.

    >>> parser = argparse.ArgumentParser()
    >>> add_options(parser)
    >>> parser.parse_args(["--jobs", "2"]).jobs
    2
    """
    group = parser.add_argument_group("where trainings run")
    group.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="local (default): processes on this machine; ray: a Ray cluster that shares the disk of the "
        "output folder",
    )
    group.add_argument(
        "--jobs",
        type=positive_int,
        metavar="N",
        help="trainings at once (default: cores / threads, or one per GPU; with ray, all that fit)",
    )
    group.add_argument(
        "--ray-address",
        metavar="ADDRESS",
        help="address of the Ray cluster; `auto` takes the running one (default: a new one on this machine)",
    )
    training_options.add_device(group)
    training_options.add_threads(group, "default 1; it changes the last digits of results")


def engine_of(parsed: argparse.Namespace, device: str, torch: Any) -> Any:
    """Returns the engine that the user asked for, as a context. `device` is a name that torch takes.

    Raises:
        UsageError: options do not go together.
        EnvironmentUnsupportedError: Ray is missing, or there is no such cluster.

    >>> import torch
    >>> parser = argparse.ArgumentParser()
    >>> add_options(parser)
    >>> engine_of(parser.parse_args(["--ray-address", "auto"]), "cpu", torch)
    Traceback (most recent call last):
    pi_bench.errors.UsageError: --ray-address goes with --engine ray
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
    """Lists the GPUs as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible.split(",") if visible else [str(index) for index in range(torch.cuda.device_count())]


class OutcomePrinter:
    """Printer of one line per finished training, on standard error.

    >>> from contextlib import redirect_stderr
    >>> from pi_bench.cli.progress import Progress
    >>> with redirect_stderr(sys.stdout):
    ...     OutcomePrinter(Progress(silent=True))("2 networks are trained")
    2 networks are trained
    """

    def __init__(self, progress: Any) -> None:
        self._progress = progress

    def __call__(self, words: str) -> None:
        """Prints a line in the place of the progress bar."""
        self._progress.clear()
        print(words, file=sys.stderr, flush=True)

    def outcome(self, outcome: Any, fresh: bool) -> None:
        """Prints the outcome of a training, as `engine.Announce`.

        Args:
            fresh: it was trained just now.
        """
        if outcome.result is None:
            self(f"  {outcome.job.name}: FAILED: {outcome.failure}")
            return
        result = outcome.result
        spent = f"{result['training_s']:.0f} s" if fresh else "from an earlier run"
        self(
            f"  {outcome.job.name}: {result['recipe']['relu_count']:,} ReLUs, "
            f"test accuracy {result['test_accuracy_pct']:.2f} %, {spent}"
        )
