"""From the float graph to the public program and the server's weights; deterministic.

Consecutive linear nodes become one linear operator, a sum of terms. A value gets an activation of
its own (and so crosses the wire) where a ReLU reads it, or where a linear value must be brought back
to an activation's scale: it is an operand of weights, is pooled or reshaped, or has several readers.
Such truncations are shared by all readers; a ReLU of the same value is an activation of its own.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from pi_bench.errors import ModelError
from pi_bench.network import compiler_terms
from pi_bench.network.compiler_scales import (
    CompileOptions,
    activation_scale_bits,
    quantize,
    scale_of_output,
    scales_of_activation,
)
from pi_bench.network.compiler_terms import Expression
from pi_bench.network.graph import (
    AddNode,
    AvgPoolNode,
    BatchNormNode,
    ConvNode,
    FlattenNode,
    Graph,
    IdentityNode,
    InputNode,
    LinearNode,
    Node,
    OutputNode,
    ReluNode,
)
from pi_bench.network.graph_check import check_graph
from pi_bench.network.program import (
    ActivationGroup,
    ActivationKind,
    ActivationOp,
    Convolution,
    InputOp,
    LinearOp,
    LinearTerm,
    Op,
    OutputOp,
    Program,
    Weights,
    element_count,
)

__all__ = ["CompileOptions", "compile_graph"]


def compile_graph(graph: Graph, options: CompileOptions | None = None) -> tuple[Program, Weights]:
    """The public program and the secret weights of a calibrated graph.

    Raises:
        ModelError: naming the layer that cannot be compiled, and what to do.
    """
    check_graph(graph)
    compiler = _Compiler(graph, options or CompileOptions())
    for node in graph.nodes:
        compiler.visit(node)
    program = Program(
        name=str(graph.meta.get("name", "network")),
        ops=tuple(compiler.ops),
        weight_bits=compiler.options.weight_bits,
        labels=graph.labels,
    )
    return program, compiler.weights


class _Compiler:
    """State of one walk over the graph."""

    def __init__(self, graph: Graph, options: CompileOptions) -> None:
        self.graph = graph
        self.options = options
        self.ops: list[Op] = []
        self.weights: dict[str, np.ndarray] = {}
        self._alias: dict[str, str] = {}
        for node in graph.nodes:
            name = node.inputs[0] if isinstance(node, IdentityNode) else node.name
            self._alias[node.name] = self._alias.get(name, name)
        self._readers = Counter(
            self._alias[name]
            for node in graph.nodes
            if not isinstance(node, IdentityNode)
            for name in node.inputs
        )
        self._expressions: dict[str, Expression] = {}
        self._linear: dict[str, LinearOp] = {}
        self._truncated: dict[str, Expression] = {}

    def visit(self, node: Node) -> None:
        inputs = [self._alias[name] for name in node.inputs]
        if isinstance(node, InputNode):
            self._expressions[node.name] = self._input(node)
        elif isinstance(node, ConvNode):
            operand = self._single(inputs[0])
            self._expressions[node.name] = compiler_terms.convolve(node, operand, self.graph)
        elif isinstance(node, LinearNode):
            operand = self._single(inputs[0])
            self._expressions[node.name] = compiler_terms.connect(node, operand, self.graph)
        elif isinstance(node, BatchNormNode):
            self._expressions[node.name] = self._normalize(node, inputs[0])
        elif isinstance(node, AddNode):
            left, right = (self._operand(name) for name in inputs)
            self._expressions[node.name] = compiler_terms.add(left, right)
        elif isinstance(node, AvgPoolNode):
            self._expressions[node.name] = compiler_terms.pool(node, self._unweighted(inputs[0]))
        elif isinstance(node, FlattenNode):
            self._expressions[node.name] = self._flatten(inputs[0])
        elif isinstance(node, ReluNode):
            self._expressions[node.name] = self._relu(node, inputs[0])
        elif isinstance(node, OutputNode):
            source = self._linear_op(inputs[0], reveal=True)
            self.ops.append(OutputOp(len(self.ops), node.name, source.shape, source.id, source.scale_bits))

    def _input(self, node: InputNode) -> Expression:
        maximum = self.graph.ranges[node.name]
        if maximum == 0:
            raise ModelError("the calibration inputs are all zero: calibrate with real inputs")
        scale_bits = activation_scale_bits(maximum, self.options.activation_bits)
        shape = (self.options.batch, *node.shape)
        bound = math.ldexp(maximum, math.floor(self.options.headroom_bits))
        self.ops.append(InputOp(0, node.name, shape, scale_bits, bound))
        return compiler_terms.of_activation(0, scale_bits, shape, rectified=False)

    def _normalize(self, node: BatchNormNode, source: str) -> Expression:
        expression = self._expressions[source]
        if expression.is_weighted and self._readers[source] > 1:
            raise ModelError(
                f"batch_norm {node.name!r} cannot be folded into {source!r}, whose value before it is read "
                "elsewhere too; read the value behind the batch normalization instead"
            )
        return compiler_terms.normalize(node, expression, self.graph)

    def _flatten(self, source: str) -> Expression:
        if len(self._expressions[source].shape) == 2:
            return self._operand(source)
        return compiler_terms.flatten(self._unweighted(source))

    def _operand(self, name: str) -> Expression:
        """As a summand: weights are applied once, so a weighted value with several readers is truncated."""
        expression = self._expressions[name]
        if expression.is_weighted and self._readers[name] > 1:
            return self._truncate(name)
        return expression

    def _unweighted(self, name: str) -> Expression:
        """As an operand of local operators, which run before weights and not behind them."""
        expression = self._expressions[name]
        return self._truncate(name) if expression.is_weighted else expression

    def _single(self, name: str) -> Expression:
        """As an operand of weights: one activation."""
        expression = self._expressions[name]
        return expression if expression.is_single else self._truncate(name)

    def _truncate(self, name: str) -> Expression:
        if name not in self._truncated:
            groups = (ActivationGroup(ActivationKind.TRUNCATE, self._count(name), None),)
            self._truncated[name] = self._activation(name, name, groups, rectified=False)
        return self._truncated[name]

    def _relu(self, node: ReluNode, source: str) -> Expression:
        expression = self._expressions[source]
        if expression.rectified:
            return self._operand(source)
        return self._activation(node.name, source, self._groups(node), rectified=node.mask is None)

    def _groups(self, node: ReluNode) -> tuple[ActivationGroup, ...]:
        count = self.options.batch * math.prod(node.shape)
        if node.mask is None:
            return (ActivationGroup(ActivationKind.RELU, count, None),)
        mask = np.tile(self.graph.masks[node.mask].reshape(-1), self.options.batch)
        positions = {
            ActivationKind.RELU: np.flatnonzero(mask),
            ActivationKind.TRUNCATE: np.flatnonzero(~mask),
        }
        return tuple(
            ActivationGroup(kind, index.size, None if index.size == count else index.astype(np.int64))
            for kind, index in positions.items()
            if index.size
        )

    def _activation(
        self, name: str, source: str, groups: tuple[ActivationGroup, ...], *, rectified: bool
    ) -> Expression:
        linear = self._linear_op(source, reveal=False)
        maximum = self.graph.ranges[source]
        _, scale_bits = scales_of_activation(source, self._expressions[source], maximum, self.options)
        truncate_bits = linear.scale_bits - scale_bits
        window_bits = truncate_bits + self.options.window_above_bits
        relu = any(group.kind is ActivationKind.RELU for group in groups)
        room = window_bits if relu else 30
        headroom = room - linear.scale_bits - math.log2(maximum) if maximum else float(room)
        op_id = len(self.ops)
        self.ops.append(
            ActivationOp(
                id=op_id,
                name=name,
                shape=linear.shape,
                scale_bits=scale_bits,
                source=linear.id,
                groups=groups,
                truncate_bits=truncate_bits,
                window_bits=window_bits,
                headroom_bits=headroom,
            )
        )
        return compiler_terms.of_activation(op_id, scale_bits, linear.shape, rectified=rectified)

    def _linear_op(self, name: str, *, reveal: bool) -> LinearOp:
        """The linear operator that makes the value `name`, emitted once."""
        if name in self._linear:
            return self._linear[name]
        expression, maximum = self._expressions[name], self.graph.ranges[name]
        if reveal:
            scale_bits = scale_of_output(name, expression, maximum, self.options)
        else:
            scale_bits, _ = scales_of_activation(name, expression, maximum, self.options)
        quantized = quantize(name, expression, scale_bits, self.options)
        bias_name = None
        self.weights.update(quantized.weights)
        if quantized.bias is not None:
            bias_name = f"{name}.bias"
            self.weights[bias_name] = quantized.bias
        paths = [
            term.weights.name.removesuffix(".weight") for term in expression.terms if term.weights is not None
        ]
        op = LinearOp(
            id=len(self.ops),
            name=" + ".join(paths) or name,
            shape=expression.shape,
            scale_bits=scale_bits,
            terms=quantized.terms,
            bias=bias_name,
            mac_count=sum(_mac_count(term) for term in quantized.terms),
        )
        self.ops.append(op)
        self._linear[name] = op
        return op

    def _count(self, name: str) -> int:
        return element_count(self._expressions[name].shape)


def _mac_count(term: LinearTerm) -> int:
    if term.weighted is None:
        return 0
    fan_in = term.weighted.in_shape[1]
    if isinstance(term.weighted, Convolution):
        fan_in *= math.prod(term.weighted.kernel)
    return fan_in * element_count(term.weighted.out_shape)
