"""Accuracy: the float network, the integer one and the private one on the same data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from pi_bench.arithmetic.activation_law import ActivationLaw
from pi_bench.errors import InputError
from pi_bench.launch.accuracy_layers import LayerErrors
from pi_bench.launch.latency import LatencyOptions, measure_latency
from pi_bench.launch.model import LoadedModel
from pi_bench.launch.placement import Placement
from pi_bench.launch.verification import RunVerifier
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.execution.integer_run import IntegerRun
from pi_bench.network.graph import Graph
from pi_bench.network.graph.float_run import evaluate
from pi_bench.network.program.codec import program_digest
from pi_bench.network.program.fixed_point import decode_output, encode_input
from pi_bench.protocol import ProtocolInfo, ProtocolOptions

Progress = Callable[[str, int, int], None]

_CHUNK_ELEMENTS = 6_000_000
_CHUNK_SAMPLES = 64
_PRIVATE_RELUS = 400_000
_SIMULATED_SHARES_SEED = 0
"""Fixed, so that statistics repeat: no share of a private run comes from it."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """`inputs` float (count, *input shape); `labels` int64 (count,) or None; `source` in words.

    class_count: of a data set that is known by name.
    """

    inputs: np.ndarray
    labels: np.ndarray | None
    source: str
    class_count: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """`logits` float64 (images, outputs) of the images numbered `index`."""

    index: np.ndarray
    logits: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class PrivateAnswers:
    """Of real runs of the protocol; `failures`: where a run broke its law, in words."""

    answers: Answers
    failures: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """`refused`: images with a value beyond the input's bound, which a client refuses to encode.
    `baseline`: the integer answers under the law's baseline, if it has one."""

    law: ActivationLaw
    floats: Answers
    integers: Answers
    baseline: Answers | None
    refused: np.ndarray
    layers: LayerErrors


def accepted(graph: Graph, options: CompileOptions, inputs: np.ndarray) -> np.ndarray:
    """bool (count,): the images that `encode_input` takes.

    Raises:
        InputError: inputs of another shape than the network's.
    """
    program, _ = compile_graph(graph, options)
    if inputs.ndim < 2 or inputs.shape[1:] != program.input.shape[1:] or len(inputs) == 0:
        wanted = ", ".join(map(str, program.input.shape[1:]))
        raise InputError(f"the data has shape {inputs.shape}; this network takes (images, {wanted})")
    largest = np.abs(inputs.reshape(len(inputs), -1)).max(axis=1)
    return np.asarray(largest <= program.input.bound)  # False for NaN


def compare(
    graph: Graph,
    options: CompileOptions,
    law: ActivationLaw,
    threads: int,
    inputs: np.ndarray,
    progress: Progress,
) -> Comparison:
    """Float and integer answers to `inputs` (count, *input shape), and the errors of each layer.

    The fixed point of `options` is used, its batch is not. The integer answers follow `law`.

    Raises:
        InputError: inputs of another shape.
        ModelError: the network cannot be compiled with these options.
    """
    taken = accepted(graph, options, inputs)
    if not taken.any():
        raise InputError(
            "every image of the data has a value beyond the network's input bound, so that a client "
            "refuses it: normalize the images as in training"
        )
    layers = LayerErrors(graph, compile_graph(graph, options)[0], law)
    generator = np.random.default_rng(_SIMULATED_SHARES_SEED)
    floats, integers, baseline = [], [], []
    index = np.flatnonzero(taken)
    run: IntegerRun | None = None
    for start, end in _chunks(len(index), _chunk_samples(graph)):
        progress("comparing", start, len(index))
        batch = inputs[index[start:end]]
        if run is None or run.program.input.shape[0] != len(batch):
            run = IntegerRun(*compile_graph(graph, replace(options, batch=len(batch))), threads)
        program = run.program
        encoded = encode_input(program, batch)
        exact = evaluate(graph, batch)
        floats.append(exact[graph.output.name])
        for step in run.values(encoded, law, generator):
            layers.observe(step, exact)
            if step.op is program.output:
                integers.append(decode_output(program, step.made))
        if law.baseline is not None:
            *_, last = run.values(encoded, law.baseline, generator)
            baseline.append(decode_output(program, last.made))
    return Comparison(
        law=law,
        floats=_answers(index, floats),
        integers=_answers(index, integers),
        baseline=_answers(index, baseline) if baseline else None,
        refused=np.flatnonzero(~taken),
        layers=layers,
    )


def run_privately(
    graph: Graph,
    options: CompileOptions,
    info: ProtocolInfo,
    settings: ProtocolOptions,
    place: Placement,
    inputs: np.ndarray,
    index: np.ndarray,
    timeout_s: float,
    progress: Progress,
) -> PrivateAnswers:
    """Answers of two real parties to the images numbered `index`, each run verified.

    Raises:
        PiBenchError: of either party.
    """
    program, _ = compile_graph(graph, options)
    size = max(
        1, min(_CHUNK_SAMPLES, _PRIVATE_RELUS // max(1, program.relu_count + program.truncation_count))
    )
    logits: list[np.ndarray] = []
    failures: list[str] = []
    for start, end in _chunks(len(index), size):
        progress("running privately", start, len(index))
        batch = inputs[index[start:end]]
        program, weights = compile_graph(graph, replace(options, batch=len(batch)))
        model = LoadedModel(graph, program, weights, program_digest(program), 0.0)
        encoded = encode_input(program, batch)
        verifier = RunVerifier(program, weights, info.law(settings), encoded)
        once = LatencyOptions(settings, runs=1, warmup=0, timeout_s=timeout_s)
        measured = measure_latency(model, info, once, place, batch, verifier, lambda what, done, total: None)
        failures.extend(measured.runs[0].verdict.failures)
        logits.append(measured.logits)
    return PrivateAnswers(_answers(index, logits), tuple(failures))


def sample(index: np.ndarray, count: int) -> np.ndarray:
    """`count` of the numbers in `index`, evenly spread; all of them if there are no more."""
    positions = np.linspace(0, len(index) - 1, min(count, len(index)))
    chosen: np.ndarray = index[np.unique(np.rint(positions).astype(np.int64))]
    return chosen


def _chunk_samples(graph: Graph) -> int:
    elements = sum(int(np.prod(node.shape)) for node in graph.nodes)
    return max(1, min(_CHUNK_SAMPLES, _CHUNK_ELEMENTS // elements))


def _chunks(count: int, size: int) -> Iterator[tuple[int, int]]:
    for start in range(0, count, size):
        yield start, min(start + size, count)


def _answers(index: np.ndarray, parts: list[np.ndarray]) -> Answers:
    flat = [part.reshape(len(part), -1).astype(np.float64) for part in parts]
    return Answers(index, np.concatenate(flat) if flat else np.empty((0, 1)))
