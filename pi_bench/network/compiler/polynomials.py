"""Compiles polynomial activations: squares and products of an affine image of their input.

    z = scale x + shift      folded into the linear operator that makes x
    square    z^2 + outer                        one truncation of z, a square in its round, one truncation
    cube      z (z^2 + inner) + outer            besides a truncation of the bracket, a product in its round
    ReLU      max(0, x)                          in the last round of the others

Only the channels that have a square are gathered for it, and only those with a cube for the product; the
ReLU circuit sees the ReLU channels alone. All channels meet again in one linear value, at the products'
scale, and one activation of it is the result (DELPHI's quadratics; SAFENet's mixtures). Where z^2 and outer
cancel each other too far, powers have images of their own (`graph.polynomials`, spread).

Where single elements of a channel have ReLU (AutoReP), elements take the place of channels: those that have
a square are gathered for it as a flat value. The linear operator has an output for z and another for x of
such a channel (`compiler.images`). The bias outer is added to all elements of a channel of the joined value,
so x is made smaller by it.

All products of a layer have one scale, at which they are joined without a shift. So an overflow of 32 bits is
detected at the product, and a value outside its window at the truncation. z may grow by the headroom, a
square by twice and a cube by three times as many bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pi_bench.network.compiler import images, sums
from pi_bench.network.compiler.activations import split, stacked
from pi_bench.network.compiler.product_scales import ProductScales, ScaleChoice
from pi_bench.network.compiler.scales import (
    activation_scale_bits,
    derived_scale_bits,
    scales_of_activation,
    window_above_bits,
)
from pi_bench.network.compiler.sums import Expression, FloatTerm, Handler
from pi_bench.network.compiler.units import Units
from pi_bench.network.compiler.values import Values
from pi_bench.network.graph import Node, PolynomialNode, range_names
from pi_bench.network.graph.pixel_polynomials import per_element, pixel_relus
from pi_bench.network.graph.polynomials import ChannelKind, ReducedPolynomials, reduced_node, spread_node
from pi_bench.network.program import (
    UNWINDOWED_BITS,
    ActivationGroup,
    ActivationKind,
    ActivationOp,
    LinearOp,
    MultiplyOp,
    Shape,
    element_count,
)


def _polynomial(values: Values, node: PolynomialNode) -> Expression:
    reduced = reduced_node(node, values.graph)
    ranges = {what: values.graph.ranges[name] for what, name in range_names(node).items()}
    pixels = pixel_relus(node, values.graph)
    activation = _Polynomial(values, node, reduced, ranges, pixels)
    if not reduced.channels(ChannelKind.SQUARE, ChannelKind.CUBE).size:
        return activation.without_products()
    if not activation.choice.is_accurate():
        apart = {what: ranges.get(f"spread {what}", size) for what, size in ranges.items()}
        activation = _Polynomial(values, node, spread_node(node, values.graph), apart, pixels)
    return activation.with_products()


@dataclass(frozen=True, slots=True)
class _Image:
    """The linear value z of an activation, and the place in it of each of the activation's units."""

    value: Expression
    places: np.ndarray  # int (units,)


@dataclass
class _Polynomial:
    """One polynomial activation under compilation.

    Its units are the channels, of all copies, or the elements if `pixels` has some kinds inside of channels.
    """

    values: Values
    node: PolynomialNode
    reduced: ReducedPolynomials  # by channel
    ranges: Mapping[str, float]  # of the values inside it
    pixels: np.ndarray | None  # bool of the node's shape: the elements with ReLU

    def __post_init__(self) -> None:
        table = self.reduced if self.pixels is None else per_element(self.reduced, self.pixels)
        self.units = Units(self.shape, table, self.pixels)
        self.choice = ScaleChoice(self.node.name, table.kinds, self.ranges, self.values.options.headroom)

    @property
    def shape(self) -> Shape:
        return (self.values.options.batch, *self.node.shape)

    @property
    def outer(self) -> np.ndarray:
        """The bias of the joined value, one per channel."""
        outer: np.ndarray = (self.reduced.outer * self.reduced.gain).reshape(-1, self.shape[1]).sum(axis=0)
        return outer

    def without_products(self) -> Expression:
        """Compiles units that are ReLUs or linear."""
        image = self._image(self.values.weighable(self.node.inputs[0]))
        if not self.units.table.channels(ChannelKind.RELU).size:
            return image.value
        values, name, maximum = self.values, self.node.name, self.ranges["joined"]
        wanted = activation_scale_bits(maximum, self._bits)
        scales = scales_of_activation(name, image.value, maximum, wanted, values.options)
        linear = values.emit_linear(name, image.value, scales.linear)
        if linear.shape != self.shape:
            units = np.arange(image.places.size)
            chosen = tuple(self.units.scattered(linear, units, units >= 0, 1, image.places))
            linear = values.emit_linear(name, Expression(self.shape, chosen), scales.linear)
        return self._last(linear, scales.activation)

    def with_products(self) -> Expression:
        """Compiles units of all kinds.

        Raises:
            ModelError: 32 bits do not hold the products as exactly as the activation needs.
        """
        values, units = self.values, self.units.table
        rooted = units.channels(ChannelKind.SQUARE, ChannelKind.CUBE)
        cubes = units.channels(ChannelKind.CUBE)
        linear, places, scales = self._linear_image()
        chosen = linear
        if rooted.size < len(units.kinds):
            chosen = self._gathered("factor", linear.id, linear.scale_bits, places[rooted])
        roots = self._truncated("factor", chosen, scales.factor, self.ranges["root"])
        squares = self._multiplied("square", roots.id, roots)
        terms = [
            term
            for sign in (1, -1)
            for term in self.units.scattered(squares, rooted, units.kinds == ChannelKind.SQUARE, sign)
        ]
        if cubes.size:
            within = np.searchsorted(rooted, cubes)
            left = roots.id
            if cubes.size < rooted.size:
                left = self._gathered("cube factor", roots.id, scales.factor, within).id
            bracket = self._bracket(squares, rooted, cubes)
            brackets = self._truncated("bracket", bracket, scales.bracket, self.ranges["inner"])
            products = self._multiplied("cube", left, brackets)
            terms += self.units.scattered(products, cubes, units.kinds == ChannelKind.CUBE, 1)
        if rooted.size < len(units.kinds):
            alive = (units.scale != 0) | (units.shift != 0)
            others = (units.kinds <= ChannelKind.LINEAR) & alive
            terms += self.units.scattered(linear, np.arange(len(units.kinds)), others, 1, places)
        joined = Expression(self.shape, tuple(terms), self.outer if self.outer.any() else None)
        scale = min(activation_scale_bits(self.ranges["joined"], self._bits), scales.product - 1)
        return self._last(values.emit_linear(self.node.name, joined, scales.product), scale)

    def _linear_image(self) -> tuple[LinearOp, np.ndarray, ProductScales]:
        """Emits the linear value z. Returns it, the places of units in it, and the scales of its products."""
        values, name = self.values, self.node.inputs[0]
        source = values.source(name)
        if self._is_plain and values.expressions[source].is_weighted:
            itself = values.scales(source, values.result_scale(source, source))
            scales = self.choice.choose(itself.linear)
            if scales.image == itself.linear:  # asked before the operator is there: weights are used once
                return values.linear_op(name, itself), np.arange(self.units.count), scales
        for operand in (values.weighable, values.truncated):
            image = self._image(operand(name))
            scales = self.choice.choose(derived_scale_bits(image.value, values.options))
            plain = [term.source_scale_bits for term in image.value.terms if term.weights is None]
            if max(plain, default=scales.image) <= scales.image:
                return values.emit_linear(self.node.name, image.value, scales.image), image.places, scales
        raise self.choice.fault("its input's range is too large compared with that of its products")

    @property
    def _is_plain(self) -> bool:
        """True if z is x itself, and its elements with ReLU need no output of their own."""
        return self.reduced.is_monic and not (self.pixels is not None and self.outer.any())

    def _image(self, operand: Expression) -> _Image:
        places = np.arange(self.units.count)
        if self._is_plain:
            return _Image(operand, places)
        name, reduced = f"{self.node.name}.image", self.reduced
        if len(reduced.kinds) > self.shape[1]:
            image = stacked(operand, list(reduced.scale.reshape(-1, self.shape[1])), name)
        elif reduced.is_monic:
            image = operand
        else:
            image = sums.normalize(operand, reduced.scale, reduced.shift, name)
        if self.pixels is None:
            return _Image(image, places)
        flat = self.pixels.reshape(self.shape[1], -1)
        twice = images.whole_groups(operand, np.flatnonzero(flat.any(axis=1) & ~flat.all(axis=1)))
        row = np.arange(self.shape[1])  # of the image, for elements with ReLU
        row[twice] = image.shape[1] + np.arange(twice.size)
        at_relus = row[:, None] * flat.shape[1] + np.arange(flat.shape[1])
        places[: flat.size] = np.where(flat, at_relus, places[: flat.size].reshape(flat.shape)).reshape(-1)
        outer = self.outer[twice]
        return _Image(images.with_channels(image, operand, twice, -outer, f"{self.node.name}.relu"), places)

    @property
    def _bits(self) -> int:
        return self.values.options.activation_bits_of(self.node.name)

    def _title(self, part: str) -> str:
        return f"{self.node.name} ({part})"

    def _gathered(
        self, part: str, source: int, scale: int, places: np.ndarray, bias: np.ndarray | None = None
    ) -> LinearOp:
        """Gathers some units of a value, given by their places in it, in that order."""
        local, shape = self.units.gathered(places, self.values.ops[source].shape)
        term = FloatTerm(source, scale, local, shape, shape)
        bias = bias if bias is not None and bias.any() else None
        return self.values.emit_linear(self._title(part), Expression(shape, (term,), bias), scale)

    def _bracket(self, squares: MultiplyOp, rooted: np.ndarray, cubes: np.ndarray) -> LinearOp:
        """Emits z^2 + inner of the cubes. inner is added before elements are gathered, once per channel."""
        scale, units = squares.scale_bits, self.units.table
        if self.pixels is None or not units.inner.any():
            within = np.searchsorted(rooted, cubes)
            return self._gathered("bracket", squares.id, scale, within, units.inner[cubes])
        terms = tuple(self.units.scattered(squares, rooted, units.kinds == ChannelKind.CUBE, 1))
        value = Expression(self.shape, terms, self.reduced.inner)
        everywhere = self.values.emit_linear(self._title("bracket"), value, scale)
        return self._gathered("bracket", everywhere.id, scale, cubes)

    def _truncated(self, part: str, linear: LinearOp, scale: int, maximum: float) -> ActivationOp:
        groups = (ActivationGroup(ActivationKind.TRUNCATE, element_count(linear.shape), None),)
        return self._activation(self._title(part), linear, groups, scale, maximum)

    def _multiplied(self, part: str, left: int, right: ActivationOp) -> MultiplyOp:
        values = self.values
        scale = values.ops[left].scale_bits + right.scale_bits
        op = MultiplyOp(len(values.ops), self._title(part), right.shape, scale, left, right.id)
        values.ops.append(op)
        return op

    def _last(self, linear: LinearOp, scale: int) -> Expression:
        """Emits the activation that makes the result: ReLU in its units, truncation in the others."""
        groups = split(self.units.relus().reshape(-1))
        op = self._activation(self.node.name, linear, groups, scale, self.ranges["joined"])
        return sums.of_value(op.id, op.scale_bits, op.shape)

    def _activation(
        self,
        name: str,
        linear: LinearOp,
        groups: tuple[ActivationGroup, ...],
        scale: int,
        maximum: float,
    ) -> ActivationOp:
        truncate_bits = linear.scale_bits - scale
        above = window_above_bits(maximum, scale, self.values.options)
        window_bits = min(truncate_bits + above, UNWINDOWED_BITS)
        return self.values.emit_activation(name, linear, groups, truncate_bits, window_bits, maximum)


HANDLERS: Mapping[type[Node], Handler] = {PolynomialNode: _polynomial}
