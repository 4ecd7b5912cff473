"""A compiled network small enough for an example or for a look at every message."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pi_bench.network.compiler import compile_graph
from pi_bench.network.graph import Graph, InputNode, LinearNode, OutputNode, PolynomialNode, ReluNode
from pi_bench.network.graph.float_run import calibrate
from pi_bench.network.program import Program, Weights


def small_network(*, square: bool = False) -> tuple[Program, Weights]:
    """Compiles a network of two fully connected layers with 4 ReLUs, or 4 squares, between them.

    The input has 2 features of magnitude 1 at most, and the output has 1 feature. Every weight is 1, so the
    output is 4 f(x0 + x1), where f is the activation. Returns the public program and the secret weights.

    >>> from pi_bench.network.execution.reference import run_reference
    >>> from pi_bench.network.program.fixed_point import decode_output, encode_input
    >>> program, weights = small_network(square=True)
    >>> encoded = encode_input(program, np.array([0.5, 0.25]))
    >>> values = run_reference(program, weights, encoded).values
    >>> decode_output(program, values[program.output.id])
    array([[2.25]])
    """
    activation = (
        PolynomialNode("activation", ("first",), (4,), coefficients="square")
        if square
        else ReluNode("activation", ("first",), (4,))
    )
    nodes = (
        InputNode("input", (), (2,)),
        LinearNode("first", ("input",), (4,), "ones", None),
        activation,
        LinearNode("last", ("activation",), (1,), "row", None),
        OutputNode("output", ("last",), (1,)),
    )
    parameters = {
        "ones": np.ones((4, 2), np.float32),
        "row": np.ones((1, 4), np.float32),
        **({"square": np.array([[0, 0, 1]] * 4, np.float32)} if square else {}),
    }
    graph = Graph(nodes, parameters)
    return compile_graph(replace(graph, ranges=calibrate(graph, np.ones((1, 2), np.float32))))
