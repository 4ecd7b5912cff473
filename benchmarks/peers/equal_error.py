"""This project at the error of another system: a latency at a larger error is no comparison.

The bits are found on the integer network, without parties: by layer, for ever smaller errors, and then as
many more or fewer in all layers as the error needs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.peers.systems import PI_BENCH, Run, System, Workload
from pi_bench.errors import PiBenchError
from pi_bench.fidelity import FidelityGoal, with_chosen_bits
from pi_bench.fidelity.allocation import allocate
from pi_bench.fidelity.chosen_bits import bits_to_fields
from pi_bench.fidelity.fidelity import NOISE
from pi_bench.fidelity.logits import integer_logits
from pi_bench.network.compiler import CompileOptions
from pi_bench.network.compiler.options import MAX_WEIGHT_BITS
from pi_bench.network.files.model_file import load_model, save_model
from pi_bench.network.graph import Graph

NAME = "pi-bench, delphi, at CrypTen's error"
MIN = "pi-bench, delphi, at the least error that 32 bits hold"
_ERROR_FACTORS = (4.0, 2.0, 1.0, 0.5, 0.25)
_FEWER, _MORE = -3, 14
_IS_HELD = "holds_the_other_error"
_MARGIN = 0.8
"""The shares of a real run round some values otherwise than the simulated ones."""


def at_the_error_of(
    other: System, workload: Workload, inputs: np.ndarray, expected: np.ndarray, peers: Path
) -> System:
    """Runs the other system once for its error, and prepares a model of ours whose error is at most that.

    Where 32 bits do not hold that error, the model has the least error that they hold, and the system has the
    name `MIN`. Where the other system does not run, the system that is returned fails with the reason. A
    model that was prepared before is taken as it is.
    """
    model = workload.model.with_name(f"{workload.model.stem}-equal.pt")

    def run(workload: Workload, peers: Path, repetitions: int) -> Run:
        return PI_BENCH.run(dataclasses.replace(workload, model=model), peers, repetitions)

    def system(is_held: bool) -> System:
        return System(NAME if is_held else MIN, None, PI_BENCH.security, run)

    if model.exists():
        return system(load_model(model).meta[_IS_HELD])
    try:
        output = np.reshape(other.run(workload, peers, 1).output, expected.shape)
        error = float(np.abs(output - expected).max())
        graph = load_model(workload.model)
        options, is_held = bits_for(graph, inputs, expected, error)
        notes = {**graph.meta, "bits": bits_to_fields(options), _IS_HELD: is_held}
        save_model(dataclasses.replace(graph, meta=notes), model)
    except (RuntimeError, LookupError, OSError, StopIteration, PiBenchError) as reason:
        words = f"its bits are not known: {reason}"

        def refuse(workload: Workload, peers: Path, repetitions: int) -> Run:
            raise RuntimeError(words)

        return System(NAME, None, PI_BENCH.security, refuse)
    return system(is_held)


def bits_for(
    graph: Graph, inputs: np.ndarray, expected: np.ndarray, error: float
) -> tuple[CompileOptions, bool]:
    """Finds cheap bits with which no output is further than `error` from `expected`.

    Returns the bits, and whether they reach the error. If no bits within the ring's 32 are enough, these
    are the bits with the least error.
    """
    best, least = with_chosen_bits(graph, CompileOptions()), float("inf")
    for choose in _choices(graph, inputs, best):
        try:
            options = choose()
            found = np.abs(integer_logits(graph, options, inputs) - expected).max()
        except PiBenchError:  # beyond the bounds of bits, or of the ring
            continue
        if found < least:
            best, least = options, float(found)
        if found <= _MARGIN * error:
            return options, True
    return best, False


def _choices(
    graph: Graph, inputs: np.ndarray, chosen: CompileOptions
) -> Iterator[Callable[[], CompileOptions]]:
    for factor in _ERROR_FACTORS:
        yield partial(_by_layer, graph, inputs, factor)
    for more in range(_FEWER, _MORE + 1):
        yield partial(_with_more, chosen, more)


def _by_layer(graph: Graph, inputs: np.ndarray, factor: float) -> CompileOptions:
    return allocate(graph, inputs, FidelityGoal(), source=NOISE, error_factor=factor).options


def _with_more(options: CompileOptions, more: int) -> CompileOptions:
    """Adds bits to every layer; weights stop at the most that they can have."""

    def weights(bits: int) -> int:
        return min(bits + more, MAX_WEIGHT_BITS)

    return dataclasses.replace(
        options,
        weight_bits=weights(options.weight_bits),
        layer_weight_bits={name: weights(bits) for name, bits in options.layer_weight_bits.items()},
        activation_bits=options.activation_bits + more,
        layer_activation_bits={name: bits + more for name, bits in options.layer_activation_bits.items()},
    )
