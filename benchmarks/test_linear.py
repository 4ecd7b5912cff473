"""All linear operators of the full ResNet18 on a share, and torch's own float32 inference of it.

Both alternate in one process with one thread each. The first is the server's online computation between two
activations, the second is the network without privacy. ``extra_info`` has torch's time with two threads.
"""

from __future__ import annotations

import importlib
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from pi_bench.launch.model import load
from pi_bench.network.compiler import CompileOptions
from pi_bench.network.execution.prepared_linear import PreparedLinear, workspace_for
from pi_bench.network.program import ActivationOp, InputOp, Program, Weights

FULL = 557_056
ROUNDS = 9


def _linear_pass(program: Program, weights: Weights) -> Callable[[], None]:
    """Computes every linear operator on uniform shares, with weights ready as in an inference."""
    ready = [PreparedLinear(op, weights, program.weight_bits) for op in program.linear_ops]
    workspace = workspace_for(ready)
    sums = [np.zeros(op.shape, np.uint32) for op in program.linear_ops]
    generator = np.random.default_rng(0)  # the time does not depend on the values
    shares = {
        op.id: generator.integers(0, 2**32, op.shape, np.uint32)
        for op in program.ops
        if isinstance(op, ActivationOp | InputOp)
    }

    def run() -> None:
        for linear, out in zip(ready, sums, strict=True):
            linear.add(shares, out, workspace)

    return run


@pytest.mark.long
def test_resnet18(benchmark, target, network: Callable[[int], Path]) -> None:
    model = load(network(FULL), CompileOptions())
    private = _linear_pass(model.program, model.weights)
    building = importlib.import_module("pi_bench.models.building")
    recipe = importlib.import_module("pi_bench.models").load_recipe(f"resnet18-cifar100-{FULL}")
    module = building.build(recipe)
    image = torch.randn(1, *recipe.input_shape)
    times_s: dict[int, list[float]] = {1: [], 2: []}

    def infer_in_the_clear() -> None:
        for threads, samples in times_s.items():
            torch.set_num_threads(threads)
            with torch.inference_mode():
                module(image)
                started = time.perf_counter()
                module(image)
                samples.append(time.perf_counter() - started)
        torch.set_num_threads(1)

    benchmark.pedantic(private, setup=infer_in_the_clear, rounds=ROUNDS, warmup_rounds=1)
    torch_s = {threads: statistics.median(samples) for threads, samples in times_s.items()}
    benchmark.extra_info.update(
        relu_count=model.program.relu_count,
        mac_count=model.program.mac_count,
        torch_s={str(threads): value for threads, value in torch_s.items()},
    )
    target("linear-torch", benchmark.stats.stats.median / torch_s[1])
