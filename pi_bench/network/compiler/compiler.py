"""Compiles the float graph to the public program and the server's weights; the result is deterministic.

Consecutive linear nodes become one linear operator, a sum of terms (`compiler.sums`). `compiler.values`
decides which values get an operator of their own, and `compiler.scales` chooses scales.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from pi_bench.errors import ModelError
from pi_bench.network.compiler import (
    activations,
    fused,
    linear,
    polynomials,
    pooling,
    slopes,
    sums,
)
from pi_bench.network.compiler.options import CompileOptions
from pi_bench.network.compiler.scales import activation_scale_bits
from pi_bench.network.compiler.sums import Expression, Handler
from pi_bench.network.compiler.values import Values
from pi_bench.network.graph import Graph, InputNode, Node, OutputNode
from pi_bench.network.graph.check import check_graph
from pi_bench.network.program import InputOp, OutputOp, Program, Weights

__all__ = ["CompileOptions", "compile_graph"]


def compile_graph(graph: Graph, options: CompileOptions | None = None) -> tuple[Program, Weights]:
    """Compiles a calibrated graph to its public program and its secret weights.

    Raises:
        ModelError: the message names the layer that cannot be compiled and says what to do.

    >>> from pi_bench.network.graph import ReluNode
    >>> nodes = InputNode("x", (), (2,)), ReluNode("relu", ("x",), (2,)), OutputNode("o", ("relu",), (2,))
    >>> program, weights = compile_graph(Graph(nodes, {}, ranges={"x": 1.0, "relu": 1.0, "o": 1.0}))
    >>> [type(op).__name__ for op in program.ops], dict(weights)
    (['InputOp', 'LinearOp', 'ActivationOp', 'LinearOp', 'OutputOp'], {})
    """
    check_graph(graph)
    options = options or CompileOptions()
    values = Values(graph, options, activations.bounds(graph, options))
    for node in graph.nodes:
        handler = _HANDLERS.get(type(node))
        if handler is not None:
            values.expressions[node.name] = handler(values, node)
    program = Program(
        name=str(graph.meta.get("name", "network")),
        ops=tuple(values.ops),
        weight_bits=options.most_weight_bits,
        labels=graph.labels,
    )
    return program, values.weights


def _input(values: Values, node: InputNode) -> Expression:
    maximum, options = values.graph.ranges[node.name], values.options
    if maximum == 0:
        raise ModelError("the calibration inputs are all zero: calibrate with real inputs")
    scale_bits = activation_scale_bits(maximum, options.activation_bits_of(node.name))
    shape = (options.batch, *node.shape)
    bound = math.ldexp(maximum, math.floor(options.headroom_bits))
    bits = None if node.channel_bits is None else np.array(node.channel_bits, np.uint8)
    values.ops.append(InputOp(0, node.name, shape, scale_bits, bound, bits))
    return sums.of_value(0, scale_bits, shape)


def _output(values: Values, node: OutputNode) -> Expression:
    source = values.linear_op(node.inputs[0])
    op = OutputOp(len(values.ops), node.name, source.shape, source.id, source.scale_bits)
    values.ops.append(op)
    return sums.of_value(op.id, op.scale_bits, op.shape)


_HANDLERS: Mapping[type[Node], Handler] = {
    InputNode: _input,
    **linear.HANDLERS,
    **activations.HANDLERS,
    **slopes.HANDLERS,
    **polynomials.HANDLERS,
    **pooling.HANDLERS,
    **fused.HANDLERS,
    OutputNode: _output,
}
"""The handler of each kind of node; identities have none, since readers skip them."""
