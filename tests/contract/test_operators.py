"""Each operator from a torch module to a private inference: the same function all the way.

float torch ~ float graph ~ integer reference == every protocol in exact mode, and delphi in windowed mode
follows its law. For the private inferences, networks of one input shape are branches of one network, because
the set-up of a session costs more than a small operator.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable
from functools import cache

import numpy as np
import pytest

from pi_bench.arithmetic.activation_law import WINDOWED
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.execution.reference import run_reference
from pi_bench.network.graph import ConcatNode, FlattenNode, Graph, InputNode, Node, OutputNode, ScaleNode
from pi_bench.network.graph.float_run import calibrate, outputs
from pi_bench.network.program import Program, Weights
from pi_bench.network.program.codec import program_from_bytes, program_to_bytes
from pi_bench.network.program.fixed_point import decode_output, encode_input
from pi_bench.registry import find_protocol, protocol_names
from tests.contract.conftest import check_law

torch = pytest.importorskip("torch")

from pi_bench.network.lowering import lower
from tests.operators import MODULES, prepared

BRANCH_COUNT = 20


@cache
def lowered(name: str) -> tuple[Graph, np.ndarray, np.ndarray]:
    """The graph, float inputs on which it is calibrated, and the module's answers."""
    module, x, expected = prepared(name)
    graph = lower(module, x[:1])
    return dataclasses.replace(graph, ranges=calibrate(graph, x.numpy())), x.numpy(), expected.numpy()


def compiled(graph: Graph) -> tuple[Program, Weights]:
    """The program as a client would accept it."""
    program, weights = compile_graph(graph, CompileOptions(batch=2))
    return program_from_bytes(program_to_bytes(program)), weights


@pytest.mark.parametrize("name", MODULES)
def test_an_operator_computes_in_integers_what_the_module_computes(name: str) -> None:
    graph, x, expected = lowered(name)
    np.testing.assert_allclose(outputs(graph, x), expected, rtol=1e-4, atol=1e-5)
    program, weights = compiled(graph)
    reference = run_reference(program, weights, encode_input(program, x[:2]))
    assert reference.out_of_range == []
    error = np.abs(decode_output(program, reference.values[program.output.id]) - expected[:2]).max()
    assert error / np.abs(expected[:2]).max() < 0.02


def _branches() -> list[list[str]]:
    """The names of the modules, by the shape of their inputs."""
    ordered = sorted(MODULES, key=lambda name: MODULES[name][1])
    by_shape = (list(names) for _, names in itertools.groupby(ordered, lambda name: MODULES[name][1]))
    return [
        names[first : first + BRANCH_COUNT]
        for names in by_shape
        for first in range(0, len(names), BRANCH_COUNT)
    ]


@pytest.mark.parametrize("names", _branches(), ids=lambda names: f"{names[0]} to {names[-1]}")
def test_protocols_compute_privately_what_the_operators_compute(names: list[str], run) -> None:
    graphs = {name: lowered(name)[0] for name in names}
    x = np.concatenate([lowered(name)[1][:8] for name in names])
    graph = joined(graphs)
    program, weights = compiled(dataclasses.replace(graph, ranges=calibrate(graph, x)))
    encoded = encode_input(program, x[:2])
    answer = run_reference(program, weights, encoded).values[program.output.id]
    for name, part in parts(graphs, decode_output(program, answer)):
        expected = outputs(graphs[name], x[:2]).reshape(2, -1) * factor_of(graphs[name])
        assert np.abs(part - expected).max() / np.abs(expected).max() < 0.02, name
    for info in map(find_protocol, protocol_names()):
        if "exact" in info.mode_names:
            (outcome,) = run(info, program, weights, [encoded], "exact")
            other = [name for name, part in parts(graphs, outcome.output != answer) if part.any()]
            assert other == [], info.name
    (outcome,) = run(find_protocol("delphi"), program, weights, [encoded], "windowed")
    check_law(program, weights, outcome, WINDOWED, encoded)


def joined(graphs: dict[str, Graph]) -> Graph:
    """One network of all: each reads the input, and their outputs follow each other as features of 1 at most,
    because these have one scale."""
    (shape,) = {graph.nodes[0].shape for graph in graphs.values()}
    nodes: list[Node] = [InputNode("x", (), shape)]
    parameters: dict[str, np.ndarray] = {}
    masks: dict[str, np.ndarray] = {}
    for name, graph in graphs.items():
        keys = {key: f"{name}.{key}" for key in (*graph.parameters, *graph.masks)}
        parameters |= {keys[key]: array for key, array in graph.parameters.items()}
        masks |= {keys[key]: array for key, array in graph.masks.items()}
        first, *others = graph.nodes
        names = {first.name: "x"} | {node.name: f"{name}.{node.name}" for node in others}
        for node in others:
            renamed = {field: keys[value] for field, value in _keys_of(node)}
            inputs = tuple(names[operand] for operand in node.inputs)
            if isinstance(node, OutputNode):
                features = (math.prod(node.shape),)
                flat = FlattenNode(names[node.name], inputs, features)
                nodes += [flat, ScaleNode(name, (flat.name,), features, factor_of(graph), shift=0.0)]
            else:
                nodes.append(dataclasses.replace(node, name=names[node.name], inputs=inputs, **renamed))
    count = sum(math.prod(graph.nodes[-1].shape) for graph in graphs.values())
    nodes += [ConcatNode("joined", tuple(graphs), (count,)), OutputNode("output", ("joined",), (count,))]
    return Graph(tuple(nodes), parameters, masks, meta={"name": "joined"})


def factor_of(graph: Graph) -> float:
    """The largest power of two that makes every output 1 at most."""
    return 2.0 ** -math.ceil(math.log2(graph.ranges[graph.nodes[-1].name]))


def _keys_of(node: Node) -> Iterable[tuple[str, str]]:
    """The fields of a node that name parameters or masks."""
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        if isinstance(value, str) and field.name != "name":
            yield field.name, value


def parts(graphs: dict[str, Graph], features: np.ndarray) -> Iterable[tuple[str, np.ndarray]]:
    """The features of each network that `joined` joins, by its name."""
    first = 0
    for name, graph in graphs.items():
        count = math.prod(graph.nodes[-1].shape)
        yield name, features[:, first : first + count]
        first += count
