"""The values of a program under compilation: operators and the expressions that they compute.

A value gets an activation of its own (and so crosses the wire) where a ReLU reads it, or where a value with
weights must be brought back to an activation's scale: it is an operand of weights, is pooled or reshaped,
or has several readers. Such truncations are shared by all readers. A sum without weights becomes a linear
operator that others read, and costs no message, unless its scale has grown too fine for that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from pi_bench.network.compiler import sums
from pi_bench.network.compiler.options import CompileOptions, layer_of
from pi_bench.network.compiler.scales import (
    ActivationScales,
    QuantizedLinear,
    activation_scale_bits,
    derived_scale_bits,
    quantize,
    scale_of_output,
    scales_of_activation,
    window_above_bits,
)
from pi_bench.network.compiler.sums import Expression
from pi_bench.network.graph import Graph, IdentityNode, Node
from pi_bench.network.program import (
    UNWINDOWED_BITS,
    ActivationGroup,
    ActivationKind,
    ActivationOp,
    LinearOp,
    Op,
    element_count,
    weighted_mac_count,
)

_GROWTH_BITS = 4
"""A sum without weights may exceed an activation's bits by this many; its readers have fewer for weights."""


class Values:
    """Collects the operators and weights of a program while the compiler walks over a graph's nodes in order.

    `expressions` has for each visited node the sum of earlier operators' values that it computes. Later nodes
    ask for the value in the form that they can read. The methods emit an operator where that form needs one.

    Args:
        bounds: for some nodes, a magnitude that their windows must hold besides the calibrated one.

    >>> from pi_bench.network.graph import InputNode, OutputNode, ReluNode
    >>> nodes = InputNode("x", (), (2,)), ReluNode("relu", ("x",), (2,)), OutputNode("o", ("relu",), (2,))
    >>> values = Values(Graph(nodes, {}, ranges={"x": 1.0}), CompileOptions(), bounds={"x": 3.0})
    >>> values.maximum("x"), [node.name for node in values.readers("x")]
    (3.0, ['relu'])
    """

    def __init__(self, graph: Graph, options: CompileOptions, bounds: Mapping[str, float]) -> None:
        self.graph = graph
        self.options = options
        self.ops: list[Op] = []
        self.weights: dict[str, np.ndarray] = {}
        self.expressions: dict[str, Expression] = {}
        self.titles = {node.name for node in graph.nodes}  # and those of fused operators
        self._alias: dict[str, str] = {}
        for node in graph.nodes:
            name = node.inputs[0] if isinstance(node, IdentityNode) else node.name
            self._alias[node.name] = self._alias.get(name, name)
        self._readers: dict[str, list[Node]] = {}
        for node in graph.nodes:
            if not isinstance(node, IdentityNode):
                for name in node.inputs:
                    self._readers.setdefault(self._alias[name], []).append(node)
        self.deferred: dict[str, str] = {}
        """ReLUs that are moved after the max-pool that reads them, and the values that they read."""
        self._bounds: dict[str, float] = {}
        for name, bound in bounds.items():
            name = self._alias[name]
            self._bounds[name] = max(bound, self._bounds.get(name, 0.0))
        self._linear: dict[str, LinearOp] = {}
        self._derived: dict[str, Expression] = {}
        self._truncated: dict[str, Expression] = {}

    def source(self, name: str) -> str:
        """Returns the node whose value `name` is, with identities skipped."""
        return self._alias[name]

    def readers(self, name: str) -> list[Node]:
        """Lists the nodes that read the value of a node, identities left out."""
        return self._readers.get(self._alias[name], [])

    def maximum(self, name: str) -> float:
        """Returns the largest magnitude that the windows of a value are made for."""
        return max(self.graph.ranges[name], self._bounds.get(name, 0.0))

    def summand(self, name: str) -> Expression:
        """Returns the value as a summand; a weighted value with several readers is truncated.

        Weights are applied once.
        """
        name = self._alias[name]
        expression = self.expressions[name]
        if expression.is_weighted and len(self._readers[name]) > 1:
            return self.truncated(name)
        return expression

    def local(self, name: str) -> Expression:
        """Returns the value as an operand of local operators, which run before weights and not after them."""
        expression = self.expressions[self._alias[name]]
        return expression if expression.is_local else self.value(name)

    def single(self, name: str) -> Expression:
        """Returns the value as an operand of weights: one value."""
        expression = self.expressions[self._alias[name]]
        return expression if expression.is_single else self.value(name)

    def weighable(self, name: str) -> Expression:
        """Returns the value as an operand of secret factors per channel.

        They fold into its weights, or become weights of one value.
        """
        expression = self.summand(name)
        if expression.reads_products:
            return self.truncated(name)
        return expression if expression.is_weighted else self.single(name)

    def value(self, name: str) -> Expression:
        """Returns the value as one value with an operator of its own, at about an activation's scale."""
        name = self._alias[name]
        expression = self.expressions[name]
        if expression.is_weighted or name in self._truncated:
            return self.truncated(name)
        if name not in self._derived:
            scale_bits = derived_scale_bits(expression, self.options)
            finest = (
                activation_scale_bits(self.maximum(name), self.options.activation_bits_of(name))
                + _GROWTH_BITS
            )
            if scale_bits > finest:
                return self.truncated(name)
            self._derived[name] = self.derive(name, expression)
        return self._derived[name]

    def derive(self, name: str, expression: Expression) -> Expression:
        """Emits a linear operator for an expression without weights, at its natural scale."""
        scale_bits = derived_scale_bits(expression, self.options)
        op = self.emit_linear(name, expression, scale_bits)
        return sums.of_value(op.id, scale_bits, op.shape, rectified=expression.rectified)

    def truncated(self, name: str) -> Expression:
        """Returns the value at an activation's scale; all its readers share the truncation."""
        name = self._alias[name]
        if name not in self._truncated:
            count = element_count(self.expressions[name].shape)
            groups = (ActivationGroup(ActivationKind.TRUNCATE, count, None),)
            self._truncated[name] = self.activation(name, name, groups, rectified=False)
        return self._truncated[name]

    def activation(
        self, name: str, source: str, groups: tuple[ActivationGroup, ...], *, rectified: bool
    ) -> Expression:
        """Emits an activation `name` of the value `source`, at that value's own scale."""
        source = self._alias[source]
        scales = self.scales(source, self.result_scale(name, source))
        linear = self.linear_op(source, scales)
        op = self.emit_activation(
            name, linear, groups, scales.truncate_bits, scales.window_bits, self.maximum(source)
        )
        return sums.of_value(op.id, op.scale_bits, op.shape, rectified=rectified)

    def result_scale(self, name: str, source: str) -> int:
        """Returns the scale that the range and the bits of the result of an activation of `source` ask for.

        A result that was always 0 has the range of its source.
        """
        result = self.graph.ranges[name] or self.maximum(source)
        return activation_scale_bits(result, self.options.activation_bits_of(name))

    def scales(self, source: str, result_scale: int) -> ActivationScales:
        """Returns the scales of the linear value `source` and of an activation that should have such a scale.

        The linear value has one scale, that of the first activation that asks.
        """
        source = self._alias[source]
        maximum = self.maximum(source)
        scales = scales_of_activation(source, self.expressions[source], maximum, result_scale, self.options)
        if source not in self._linear:
            return scales
        linear = self._linear[source].scale_bits
        out = min(scales.activation, linear - 1)
        return ActivationScales(linear, out, window_above_bits(maximum, out, self.options))

    def linear_op(self, name: str, scales: ActivationScales | None = None) -> LinearOp:
        """Returns the linear operator of the value `name`, emitted once.

        It has the scale that an activation needs, or that of a value that is revealed.
        """
        name = self._alias[name]
        if name not in self._linear:
            expression = self.expressions[name]
            if scales is None:
                scale_bits = scale_of_output(name, expression, self.maximum(name), self.options)
            else:
                scale_bits = scales.linear
            self._linear[name] = self.emit_linear(name, expression, scale_bits)
        return self._linear[name]

    def emit_linear(self, name: str, expression: Expression, scale_bits: int) -> LinearOp:
        """Appends the linear operator of an expression at a scale."""
        quantized: QuantizedLinear = quantize(name, expression, scale_bits, self.options)
        bias_name = None
        self.weights.update(quantized.weights)
        if quantized.bias is not None:
            bias_name = self.fresh_name(f"{name}.bias")
            self.weights[bias_name] = quantized.bias
        paths = [layer_of(term.weights.name) for term in expression.terms if term.weights is not None]
        op = LinearOp(
            id=len(self.ops),
            name=" + ".join(paths) or name,
            shape=expression.shape,
            scale_bits=scale_bits,
            terms=quantized.terms,
            bias=bias_name,
            mac_count=sum(weighted_mac_count(term.weighted) for term in quantized.terms if term.weighted),
        )
        self.ops.append(op)
        return op

    def fresh_name(self, name: str) -> str:
        """Makes an unused name of weights: a value can have several operators, each with a bias of its
        own."""
        candidates = (f"{name}.{i}" if i else name for i in range(len(self.ops) + 1))
        return next(candidate for candidate in candidates if candidate not in self.weights)

    def emit_activation(
        self,
        name: str,
        source: LinearOp,
        groups: tuple[ActivationGroup, ...],
        truncate_bits: int,
        window_bits: int,
        maximum: float,
    ) -> ActivationOp:
        """Appends an activation of values of at most `maximum`."""
        relu = any(group.kind is ActivationKind.RELU for group in groups)
        room = window_bits if relu else UNWINDOWED_BITS
        headroom = room - source.scale_bits - math.log2(maximum) if maximum else float(room)
        op = ActivationOp(
            id=len(self.ops),
            name=name,
            shape=source.shape,
            scale_bits=source.scale_bits - truncate_bits,
            source=source.id,
            groups=groups,
            truncate_bits=truncate_bits,
            window_bits=window_bits,
            headroom_bits=headroom,
        )
        self.ops.append(op)
        return op
