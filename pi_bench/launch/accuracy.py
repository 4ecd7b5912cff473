"""Compares the float network, the integer network and private runs on the same data."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from pi_bench.arithmetic.activation_law import ActivationLaw
from pi_bench.errors import InputError, interruption_code
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
from pi_bench.progress import Progress, silent
from pi_bench.protocol import ProtocolInfo, ProtocolOptions

_CHUNK_ELEMENTS = 6_000_000
_CHUNK_SAMPLES = 64
_PRIVATE_RELUS = 400_000
_SIMULATED_SHARES_SEED = 0
"""Fixed, so that statistics repeat: no share of a private run comes from it."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Images of a data set.

    `inputs`: float, of shape (count, *input shape).
    `labels`: int64, of shape (count,), or None.
    `source`: the origin of the images in words.
    `class_count`: number of classes of the data; None without labels, or if they are too few to tell.

    >>> Samples(np.zeros((2, 3, 8, 8)), np.array([0, 1]), "two images").class_count is None
    True
    """

    inputs: np.ndarray
    labels: np.ndarray | None
    source: str
    class_count: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Answers to the images that `index` numbers. `logits`: float64, of shape (images, outputs).

    >>> Answers(np.array([0, 3]), np.zeros((2, 10))).logits.shape
    (2, 10)
    """

    index: np.ndarray
    logits: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class PrivateAnswers:
    """Answers of real runs of the protocol.

    `failures`: one sentence for each place where a run broke its law.
    `interruption`: the exit code if Ctrl-C or SIGTERM left images out, else None.

    >>> PrivateAnswers(Answers(np.array([0]), np.zeros((1, 10))), failures=()).interruption is None
    True
    """

    answers: Answers
    failures: tuple[str, ...]
    interruption: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Answers of the float network and of the integer network to the same images.

    `law`: the law of the integer answers.
    `baseline`: the integer answers under the law's baseline, if it has one.
    `refused`: numbers of the images with a value beyond the bound of the input, which a client refuses to
    encode.
    `interruption`: the exit code if Ctrl-C or SIGTERM left images out, else None.

    ```python
    def agreement(comparison: Comparison) -> float:
        floats, integers = (answers.logits.argmax(1) for answers in (comparison.floats, comparison.integers))
        return float(np.mean(floats == integers))
    ```
    """

    law: ActivationLaw
    floats: Answers
    integers: Answers
    baseline: Answers | None
    refused: np.ndarray
    layers: LayerErrors
    interruption: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Chunk:
    """Answers to some images. `baseline` is None if the law has none."""

    floats: np.ndarray
    integers: np.ndarray
    baseline: np.ndarray | None


def accepted(graph: Graph, options: CompileOptions, inputs: np.ndarray) -> np.ndarray:
    """Finds the images that `encode_input` accepts: a bool array of shape (count,).

    Raises:
        InputError: the inputs do not have the shape of the network's input.

    >>> from pi_bench.network.graph import InputNode, OutputNode, ReluNode
    >>> nodes = InputNode("x", (), (2,)), ReluNode("relu", ("x",), (2,)), OutputNode("o", ("relu",), (2,))
    >>> graph = Graph(nodes, {}, ranges=dict.fromkeys(("x", "relu", "o"), 4.0), meta={"name": "tiny"})
    >>> accepted(graph, CompileOptions(), np.float32([[1, -2], [9, 0]])).tolist()
    [True, False]
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
    """Computes the float and the integer answers to `inputs` (count, *input shape), and the errors of each
    layer.

    Uses the fixed point of `options`, not its batch. The integer answers follow `law`. Ctrl-C ends the
    comparison with the images that are finished.

    Raises:
        InputError: the inputs have another shape, or none is accepted.
        ModelError: the network cannot be compiled with these options.
        KeyboardInterrupt: no image is finished.

    >>> from pi_bench.arithmetic.activation_law import EXACT
    >>> from pi_bench.network.graph import InputNode, OutputNode, ReluNode
    >>> nodes = InputNode("x", (), (2,)), ReluNode("relu", ("x",), (2,)), OutputNode("o", ("relu",), (2,))
    >>> graph = Graph(nodes, {}, ranges=dict.fromkeys(("x", "relu", "o"), 4.0), meta={"name": "tiny"})
    >>> compare(graph, CompileOptions(), EXACT, 1, np.float32([[1, -2]]), silent).integers.logits
    array([[1., 0.]])
    """
    taken = accepted(graph, options, inputs)
    if not taken.any():
        raise InputError(
            "every image of the data has a value beyond the network's input bound, so that a client "
            "refuses it: normalize the images as in training"
        )
    layers = LayerErrors(graph, compile_graph(graph, options)[0], law)
    generator = np.random.default_rng(_SIMULATED_SHARES_SEED)
    index = np.flatnonzero(taken)
    run: IntegerRun | None = None
    finished: tuple[int, list[_Chunk], LayerErrors] = (0, [], layers)
    interruption = None
    try:
        for start, end in _chunks(len(index), _chunk_samples(graph)):
            progress("comparing", start, len(index))
            batch = inputs[index[start:end]]
            if run is None or run.program.input.shape[0] != len(batch):
                run = IntegerRun(*compile_graph(graph, replace(options, batch=len(batch))), threads)
            layers = copy.deepcopy(layers)  # an interrupted chunk must leave no trace in the finished ones
            chunk = _compare_chunk(graph, run, law, batch, layers, generator)
            finished = end, [*finished[1], chunk], layers
    except KeyboardInterrupt as error:
        if not finished[0]:
            raise
        interruption = interruption_code(error)
    count, chunks, layers = finished
    baseline = [chunk.baseline for chunk in chunks if chunk.baseline is not None]
    return Comparison(
        law=law,
        floats=_answers(index[:count], [chunk.floats for chunk in chunks]),
        integers=_answers(index[:count], [chunk.integers for chunk in chunks]),
        baseline=_answers(index[:count], baseline) if baseline else None,
        refused=np.flatnonzero(~taken),
        layers=layers,
        interruption=interruption,
    )


def _compare_chunk(
    graph: Graph,
    run: IntegerRun,
    law: ActivationLaw,
    batch: np.ndarray,
    layers: LayerErrors,
    generator: np.random.Generator,
) -> _Chunk:
    """Answers `batch`, and adds its errors to `layers`."""
    program = run.program
    encoded = encode_input(program, batch)
    exact = evaluate(graph, batch)
    integers, baseline = np.empty(0), None
    for step in run.values(encoded, law, generator):
        layers.observe(step, exact)
        if step.op is program.output:
            integers = decode_output(program, step.made)
    if law.baseline is not None:
        *_, last = run.values(encoded, law.baseline, generator)
        baseline = decode_output(program, last.made)
    return _Chunk(exact[graph.output.name], integers, baseline)


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
    """Returns the answers of two real parties to the images that `index` numbers. Each run is verified.

    Ctrl-C ends the runs with the images that are finished.

    Raises:
        PiBenchError: a party failed.
        KeyboardInterrupt: no image is finished.

    ```python
    from pi_bench.launch.placement import place
    from pi_bench.registry import default_protocol

    def first_answers(graph: Graph, inputs: np.ndarray) -> PrivateAnswers:
        info, first = default_protocol(), np.arange(8)
        options = info.configure()
        return run_privately(graph, CompileOptions(), info, options, place(1), inputs, first, 120.0, silent)
    ```
    """
    program, _ = compile_graph(graph, options)
    size = max(
        1, min(_CHUNK_SAMPLES, _PRIVATE_RELUS // max(1, program.relu_count + program.truncation_count))
    )
    logits: list[np.ndarray] = []
    failures: list[str] = []
    interruption = None
    try:
        for start, end in _chunks(len(index), size):
            progress("running privately", start, len(index))
            batch = inputs[index[start:end]]
            program, weights = compile_graph(graph, replace(options, batch=len(batch)))
            model = LoadedModel(graph, program, weights, program_digest(program), 0.0)
            encoded = encode_input(program, batch)
            verifier = RunVerifier(program, weights, info.law(settings), encoded)
            once = LatencyOptions(settings, runs=1, warmup=0, timeout_s=timeout_s)
            measured = measure_latency(model, info, once, place, batch, verifier, silent)
            failures.extend(measured.runs[0].verdict.failures)
            logits.append(measured.logits)
            if measured.interruption is not None:  # after its run: this chunk is whole
                interruption = measured.interruption
                break
    except KeyboardInterrupt as error:
        if not logits:
            raise
        interruption = interruption_code(error)
    count = sum(map(len, logits))
    return PrivateAnswers(_answers(index[:count], logits), tuple(failures), interruption)


def sample(index: np.ndarray, count: int) -> np.ndarray:
    """Chooses `count` of the numbers in `index`, evenly spread, or all if there are not more.

    >>> sample(np.arange(100), 3).tolist()
    [0, 50, 99]
    """
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
