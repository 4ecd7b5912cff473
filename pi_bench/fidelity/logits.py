"""Measures fidelity: runs the float and the integer network on the same inputs, in batches."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from pi_bench.arithmetic.activation_law import WINDOWED, ActivationLaw
from pi_bench.errors import InputError
from pi_bench.fidelity.fidelity import Fidelity, FidelityGoal
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.execution.integer_run import IntegerRun
from pi_bench.network.graph import Graph
from pi_bench.network.graph.float_run import outputs
from pi_bench.network.program.fixed_point import decode_output, encode_input

_BATCH_ELEMENTS = 6_000_000
_MAX_BATCH = 64
_SIMULATED_SHARES_SEED = 0
"""Fixed, so that equal files have equal fidelity: no share of a private run comes from it."""


def measure_fidelity(
    graph: Graph,
    options: CompileOptions,
    samples: np.ndarray,
    *,
    source: str,
    goal: FidelityGoal | None = None,
    law: ActivationLaw = WINDOWED,
    float_logits: np.ndarray | None = None,
    threads: int = 1,
) -> Fidelity:
    """Measures the fidelity of a calibrated graph that is compiled with `options`, whose batch is ignored.

    Args:
        samples: float (count, *input shape), within the bound of the input.
        source: see `Fidelity`.
        law: of the activations; windowed is the law of the default mode, and exact has smaller errors.
        float_logits: the answers of `outputs` to the samples, if they are known.

    Raises:
        InputError: there are no samples, or they have another shape, NaN, or values beyond the bound.
        ModelError: the graph cannot be compiled with these options.

    >>> from pi_bench.network.graph import InputNode, OutputNode, ReluNode
    >>> nodes = InputNode("x", (), (2,)), ReluNode("relu", ("x",), (2,)), OutputNode("o", ("relu",), (2,))
    >>> graph = Graph(nodes, {}, ranges=dict.fromkeys(("x", "relu", "o"), 4.0))
    >>> fidelity = measure_fidelity(graph, CompileOptions(), np.float32([[1, -2], [3, 4]]), source="noise")
    >>> fidelity.sample_count, fidelity.same_class_count
    (2, 2)
    """
    if len(samples) == 0:
        raise InputError("fidelity needs at least one input to be measured on")
    exact = outputs(graph, samples) if float_logits is None else float_logits
    integers = integer_logits(graph, options, samples, law=law, threads=threads)
    return compare_logits(exact, integers, source=source, goal=goal)


def compare_logits(
    exact: np.ndarray, integers: np.ndarray, *, source: str, goal: FidelityGoal | None = None
) -> Fidelity:
    """Compares float logits with those of the integer network, both (count, *output shape).

    >>> compare_logits(np.array([[1.0, 3.0]]), np.array([[1.5, 3.0]]), source="noise").logit_error_pct
    25.0
    """
    exact, integers = (part.reshape(len(part), -1).astype(np.float64) for part in (exact, integers))
    errors = np.abs(exact - integers).max(axis=1)
    ranges = np.ptp(exact, axis=1) if exact.shape[1] > 1 else np.ptp(exact, axis=0)
    return Fidelity(
        sample_count=len(exact),
        same_class_count=int(np.count_nonzero(exact.argmax(axis=1) == integers.argmax(axis=1))),
        logit_error=float(np.median(errors)),
        logit_range=float(np.median(ranges)),
        source=source,
        goal=goal,
    )


def integer_logits(
    graph: Graph,
    options: CompileOptions,
    samples: np.ndarray,
    *,
    law: ActivationLaw = WINDOWED,
    threads: int = 1,
) -> np.ndarray:
    """Computes the integer network's answers, float64 (count, *output shape).

    Raises:
        InputError: the samples have another shape, NaN, or values beyond the bound of the input.
        ModelError: the graph cannot be compiled with these options.

    >>> from pi_bench.network.graph import InputNode, OutputNode, ReluNode
    >>> nodes = InputNode("x", (), (2,)), ReluNode("relu", ("x",), (2,)), OutputNode("o", ("relu",), (2,))
    >>> graph = Graph(nodes, {}, ranges=dict.fromkeys(("x", "relu", "o"), 4.0))
    >>> integer_logits(graph, CompileOptions(), np.float32([[1, -2]])).round().tolist()
    [[1.0, 0.0]]
    """
    generator = np.random.default_rng(_SIMULATED_SHARES_SEED)
    elements = sum(math.prod(node.shape) for node in graph.nodes)
    step = max(1, min(_MAX_BATCH, _BATCH_ELEMENTS // elements))
    run: IntegerRun | None = None
    parts = []
    for start in range(0, len(samples), step):
        batch = samples[start : start + step]
        if run is None or run.program.input.shape[0] != len(batch):
            run = IntegerRun(*compile_graph(graph, replace(options, batch=len(batch))), threads)
        *_, last = run.values(encode_input(run.program, batch), law, generator)
        parts.append(decode_output(run.program, last.made))
    return np.concatenate(parts)
