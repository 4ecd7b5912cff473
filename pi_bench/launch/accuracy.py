"""Compares the float network with the integer network on the same data."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import numpy as np

from pi_bench.arithmetic.activation_law import ActivationLaw
from pi_bench.errors import InputError, interruption_code
from pi_bench.launch.accuracy_layers import LayerErrorCollector
from pi_bench.launch.samples import CHUNK_SAMPLES, Answers, answers_of, chunk_bounds
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.execution.integer_run import IntegerRun
from pi_bench.network.graph import Graph
from pi_bench.network.graph.float_run import evaluate
from pi_bench.network.program.fixed_point import decode_output, encode_input
from pi_bench.progress import Progress

_CHUNK_ELEMENTS = 6_000_000
_SIMULATED_SHARES_SEED = 0
"""Fixed, so that statistics repeat: no share of a private run comes from it."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Answers of the float network and of the integer network to the same images.

    Attributes:
        law: the law of the integer answers.
        approximated: the integer answers under the law that the mode's law approximates, if there is one.
        refused: numbers of the images with a value beyond the bound of the input, which a client refuses to
            encode.
        interruption: the exit code if Ctrl-C or SIGTERM left images out, else None.

    ```python
    def agreement(comparison: Comparison) -> float:
        floats, integers = (answers.logits.argmax(1) for answers in (comparison.floats, comparison.integers))
        return float(np.mean(floats == integers))
    ```
    """

    law: ActivationLaw
    floats: Answers
    integers: Answers
    approximated: Answers | None
    refused: np.ndarray
    layers: LayerErrorCollector
    interruption: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Chunk:
    """Answers to some images. `approximated` is None if the law approximates no other."""

    floats: np.ndarray
    integers: np.ndarray
    approximated: np.ndarray | None


def accepted(graph: Graph, compiling: CompileOptions, inputs: np.ndarray) -> np.ndarray:
    """Finds the images that `encode_input` accepts: a bool array of shape (count,).

    Raises:
        InputError: the inputs do not have the shape of the network's input.

    >>> from pi_bench.network.graph import InputNode, OutputNode, ReluNode
    >>> nodes = InputNode("x", (), (2,)), ReluNode("relu", ("x",), (2,)), OutputNode("o", ("relu",), (2,))
    >>> graph = Graph(nodes, {}, ranges=dict.fromkeys(("x", "relu", "o"), 4.0), meta={"name": "tiny"})
    >>> accepted(graph, CompileOptions(), np.float32([[1, -2], [9, 0]])).tolist()
    [True, False]
    """
    program, _ = compile_graph(graph, compiling)
    if inputs.ndim < 2 or inputs.shape[1:] != program.input.shape[1:] or len(inputs) == 0:
        wanted = ", ".join(map(str, program.input.shape[1:]))
        raise InputError(f"the data has shape {inputs.shape}; this network takes (images, {wanted})")
    largest = np.abs(inputs.reshape(len(inputs), -1)).max(axis=1)
    return np.asarray(largest <= program.input.bound)  # False for NaN


def compare(
    graph: Graph,
    compiling: CompileOptions,
    law: ActivationLaw,
    threads: int,
    inputs: np.ndarray,
    progress: Progress,
) -> Comparison:
    """Computes the float and the integer answers to `inputs` (count, *input shape), and the errors of each
    layer.

    Uses the fixed point of `compiling`, not its batch. The integer answers follow `law`. Ctrl-C ends the
    comparison with the images that are finished.

    Raises:
        InputError: the inputs have another shape, or none is accepted.
        ModelError: the network cannot be compiled with these options.
        KeyboardInterrupt: no image is finished.

    >>> from pi_bench.arithmetic.activation_law import EXACT
    >>> from pi_bench.progress import silent
    >>> from pi_bench.network.graph import InputNode, OutputNode, ReluNode
    >>> nodes = InputNode("x", (), (2,)), ReluNode("relu", ("x",), (2,)), OutputNode("o", ("relu",), (2,))
    >>> graph = Graph(nodes, {}, ranges=dict.fromkeys(("x", "relu", "o"), 4.0), meta={"name": "tiny"})
    >>> compare(graph, CompileOptions(), EXACT, 1, np.float32([[1, -2]]), silent).integers.logits
    array([[1., 0.]])
    """
    taken = accepted(graph, compiling, inputs)
    if not taken.any():
        raise InputError(
            "every image of the data has a value beyond the network's input bound, so that a client "
            "refuses it: normalize the images as in training"
        )
    layers = LayerErrorCollector(graph, compile_graph(graph, compiling)[0], law)
    generator = np.random.default_rng(_SIMULATED_SHARES_SEED)
    index = np.flatnonzero(taken)
    run: IntegerRun | None = None
    finished: tuple[int, list[_Chunk], LayerErrorCollector] = (0, [], layers)
    interruption = None
    try:
        for start, end in chunk_bounds(len(index), _chunk_samples(graph)):
            progress("comparing", start, len(index))
            batch = inputs[index[start:end]]
            if run is None or run.program.input.shape[0] != len(batch):
                run = IntegerRun(*compile_graph(graph, replace(compiling, batch=len(batch))), threads)
            layers = copy.deepcopy(layers)  # an interrupted chunk must leave no trace in the finished ones
            chunk = _compare_chunk(graph, run, law, batch, layers, generator)
            finished = end, [*finished[1], chunk], layers
    except KeyboardInterrupt as error:
        if not finished[0]:
            raise
        interruption = interruption_code(error)
    count, chunks, layers = finished
    approximated = [chunk.approximated for chunk in chunks if chunk.approximated is not None]
    return Comparison(
        law=law,
        floats=answers_of(index[:count], [chunk.floats for chunk in chunks]),
        integers=answers_of(index[:count], [chunk.integers for chunk in chunks]),
        approximated=answers_of(index[:count], approximated) if approximated else None,
        refused=np.flatnonzero(~taken),
        layers=layers,
        interruption=interruption,
    )


def _compare_chunk(
    graph: Graph,
    run: IntegerRun,
    law: ActivationLaw,
    batch: np.ndarray,
    layers: LayerErrorCollector,
    generator: np.random.Generator,
) -> _Chunk:
    """Answers `batch`, and adds its errors to `layers`."""
    program = run.program
    encoded = encode_input(program, batch)
    exact = evaluate(graph, batch)
    integers, approximated = np.empty(0), None
    for step in run.values(encoded, law, generator):
        layers.observe(step, exact)
        if step.op is program.output:
            integers = decode_output(program, step.made)
    if law.approximated is not None:
        *_, last = run.values(encoded, law.approximated, generator)
        approximated = decode_output(program, last.made)
    return _Chunk(exact[graph.output.name], integers, approximated)


def _chunk_samples(graph: Graph) -> int:
    elements = sum(int(np.prod(node.shape)) for node in graph.nodes)
    return max(1, min(CHUNK_SAMPLES, _CHUNK_ELEMENTS // elements))
