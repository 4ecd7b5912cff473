"""Compiles polynomial activations: squares and products of an affine image of their input.

    z = scale x + shift      folded into the linear operator that makes x
    square    z^2 + outer                        one truncation of z, a square in its round, one truncation
    cube      z (z^2 + inner) + outer            besides a truncation of the bracket, a product in its round
    ReLU      max(0, x)                          in the last round of the others

Only the channels that have a square are gathered for it, and only those with a cube for the product; the
ReLU circuit sees the ReLU channels alone. All channels meet again in one linear value, at the products'
scale, and one activation of it is the result (DELPHI's quadratics; SAFENet's mixtures). Where z^2 and outer
cancel each other too far, powers have images of their own (`graph.polynomials`, spread).

All products of a layer have one scale, at which they are joined without a shift. So an overflow of 32 bits is
detected at the product, and a value outside its window at the truncation. z may grow by the headroom, a
square by twice and a cube by three times as many bits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pi_bench.errors import ModelError
from pi_bench.network.compiler import sums
from pi_bench.network.compiler.activations import split, stacked
from pi_bench.network.compiler.scales import (
    activation_scale_bits,
    bits_below,
    derived_scale_bits,
    scales_of_activation,
    window_above_bits,
)
from pi_bench.network.compiler.sums import Expression, FloatTerm, Handler
from pi_bench.network.compiler.values import Values
from pi_bench.network.graph import Node, PolynomialNode, range_names
from pi_bench.network.graph.polynomials import ChannelKind, ReducedPolynomials, reduced_node, spread_node
from pi_bench.network.program import (
    UNWINDOWED_BITS,
    ActivationGroup,
    ActivationKind,
    ActivationOp,
    ChannelMap,
    LinearOp,
    LocalOp,
    MultiplyOp,
    Shape,
    element_count,
)

_FINEST = 64  # of scales
_MIN_ACCURACY = 32
"""Rounding may change a polynomial by at most its range divided by this."""


def _polynomial(values: Values, node: PolynomialNode) -> Expression:
    reduced = reduced_node(node, values.graph)
    ranges = {what: values.graph.ranges[name] for what, name in range_names(node).items()}
    activation = _Polynomial(values, node, reduced, ranges)
    if not reduced.channels(ChannelKind.SQUARE, ChannelKind.CUBE).size:
        return activation.without_products()
    if not activation.is_accurate():
        apart = {what: ranges.get(f"spread {what}", size) for what, size in ranges.items()}
        activation = _Polynomial(values, node, spread_node(node, values.graph), apart)
    return activation.with_products()


@dataclass(frozen=True, slots=True)
class _Scales:
    """The scales of the linear value z (`image`) and of the two factors of a product, z and z^2 + inner."""

    image: int
    factor: int
    bracket: int  # that of `factor` where all products are squares, or some

    @property
    def product(self) -> int:
        return self.factor + self.bracket


@dataclass
class _Polynomial:
    """One polynomial activation under compilation."""

    values: Values
    node: PolynomialNode
    reduced: ReducedPolynomials
    ranges: Mapping[str, float]  # of the values inside it

    def is_accurate(self) -> bool:
        """Tells if its products leave the activation as exact as it needs to be."""
        return self._error(*self._factor_scales(_FINEST)) * _MIN_ACCURACY <= self.ranges["joined"]

    @property
    def shape(self) -> Shape:
        return (self.values.options.batch, *self.node.shape)

    def without_products(self) -> Expression:
        """Compiles channels that are ReLUs or linear."""
        image = self._image(self.values.weighable(self.node.inputs[0]))
        if not self.reduced.channels(ChannelKind.RELU).size:
            return image
        values, maximum = self.values, self.ranges["joined"]
        wanted = activation_scale_bits(maximum, self._bits)
        scales = scales_of_activation(self.node.name, image, maximum, wanted, values.options)
        return self._last(values.emit_linear(self.node.name, image, scales.linear), scales.activation)

    def with_products(self) -> Expression:
        """Compiles channels of all kinds.

        Raises:
            ModelError: 32 bits do not hold the products as exactly as the activation needs.
        """
        values, reduced = self.values, self.reduced
        rooted = reduced.channels(ChannelKind.SQUARE, ChannelKind.CUBE)
        cubes = reduced.channels(ChannelKind.CUBE)
        linear, scales = self._linear_image()
        chosen = linear
        if rooted.size < len(reduced.kinds):
            chosen = self._gathered("factor", linear.id, linear.scale_bits, rooted)
        roots = self._truncated("factor", chosen, scales.factor, self.ranges["root"])
        squares = self._multiplied("square", roots.id, roots)
        terms = [
            term
            for sign in (1, -1)
            for term in self._scattered(squares, rooted, reduced.kinds == ChannelKind.SQUARE, sign)
        ]
        if cubes.size:
            within = np.searchsorted(rooted, cubes)
            left = roots.id
            if cubes.size < rooted.size:
                left = self._gathered("cube factor", roots.id, scales.factor, within).id
            bracket = self._gathered("bracket", squares.id, squares.scale_bits, within, reduced.inner[cubes])
            brackets = self._truncated("bracket", bracket, scales.bracket, self.ranges["inner"])
            products = self._multiplied("cube", left, brackets)
            terms += self._scattered(products, cubes, reduced.kinds == ChannelKind.CUBE, 1)
        if rooted.size < len(reduced.kinds):
            alive = (reduced.scale != 0) | (reduced.shift != 0)
            others = (reduced.kinds <= ChannelKind.LINEAR) & alive
            terms += self._scattered(linear, np.arange(len(reduced.kinds)), others, 1)
        outer = (reduced.outer * reduced.gain).reshape(-1, self.shape[1]).sum(axis=0)
        joined = Expression(self.shape, tuple(terms), outer if outer.any() else None)
        scale = min(activation_scale_bits(self.ranges["joined"], self._bits), scales.product - 1)
        return self._last(values.emit_linear(self.node.name, joined, scales.product), scale)

    def _linear_image(self) -> tuple[LinearOp, _Scales]:
        """Emits the linear value z, and returns the scales of the values made of it."""
        values, name = self.values, self.node.inputs[0]
        source = values.source(name)
        if self.reduced.is_monic and values.expressions[source].is_weighted:
            itself = values.scales(source, values.result_scale(source, source))
            scales = self._scales(itself.linear)
            if scales.image == itself.linear:  # asked before the operator is there: weights are used once
                return values.linear_op(name, itself), scales
        for operand in (values.weighable, values.truncated):
            image = self._image(operand(name))
            scales = self._scales(derived_scale_bits(image, values.options))
            plain = [term.source_scale_bits for term in image.terms if term.weights is None]
            if max(plain, default=scales.image) <= scales.image:
                return values.emit_linear(self.node.name, image, scales.image), scales
        raise self._fault("its input's range is too large compared with that of its products")

    def _scales(self, natural: int) -> _Scales:
        """Chooses the scales; `natural` is the finest scale that z can have without a shift."""
        factor, bracket = self._factor_scales(natural)
        self._require_accuracy(factor, bracket)
        finest = bits_below(UNWINDOWED_BITS - self._headroom, self.ranges["scaled"])
        if np.any(self.reduced.kinds <= ChannelKind.LINEAR):
            finest = min(finest, factor + bracket)
        if finest <= factor:
            raise self._fault("channels with and without products differ too much in range")
        return _Scales(max(min(natural, finest), factor + 1), factor, bracket)

    def _factor_scales(self, natural: int) -> tuple[int, int]:
        """Chooses the finest scales of z as a factor and of the bracket at which all later values fit."""
        ranges, room = self.ranges, UNWINDOWED_BITS - 2 * self._headroom
        squared = bits_below(room, max(ranges["root"] ** 2, ranges["inner"]))
        if not self._has(ChannelKind.CUBE):
            factor = min(natural, squared // 2, bits_below(room, ranges["joined"]) // 2)
            return factor, factor
        cubed = bits_below(room - self._headroom, max(ranges["cube"], ranges["joined"]))
        if self._has(ChannelKind.SQUARE):
            factor = min(natural, squared // 2, cubed // 2)
            return factor, factor
        growth = bits_below(0, ranges["root"]) - bits_below(0, ranges["inner"])  # of the bracket over z
        factor = min(natural, squared // 2, (cubed + growth) // 2)
        return factor, min(cubed - factor, 2 * factor - 1)

    def _has(self, kind: ChannelKind) -> bool:
        return bool(np.any(self.reduced.kinds == kind))

    def _require_accuracy(self, factor: int, bracket: int) -> None:
        """Checks that rounding the factors changes only a small part of the polynomial's range.

        Raises:
            ModelError: the rounding changes more.
        """
        ranges = self.ranges
        if self._error(factor, bracket) * _MIN_ACCURACY > ranges["joined"] > 0:
            largest = max(ranges["root"] ** 2, ranges["inner"], ranges["cube"])
            raise self._fault(
                f"its terms cancel: they reach {largest:.3g} where the activation is at most "
                f"{ranges['joined']:.3g}"
            )

    def _error(self, factor: int, bracket: int) -> float:
        """Bounds the change of the polynomial by the rounding of factors."""
        ranges = self.ranges
        if not self._has(ChannelKind.CUBE):
            return math.ldexp(2 * ranges["root"], -factor)
        slope = 2 * ranges["root"] ** 2 + ranges["inner"]
        return math.ldexp(slope, -factor) + math.ldexp(ranges["root"], -bracket)

    def _image(self, operand: Expression) -> Expression:
        if self.reduced.is_monic:
            return operand
        if len(self.reduced.kinds) > self.shape[1]:
            copies = list(self.reduced.scale.reshape(-1, self.shape[1]))
            return stacked(operand, copies, f"{self.node.name}.image")
        return sums.normalize(operand, self.reduced.scale, self.reduced.shift, f"{self.node.name}.image")

    @property
    def _headroom(self) -> int:
        return self.values.options.headroom

    @property
    def _bits(self) -> int:
        return self.values.options.activation_bits_of(self.node.name)

    def _fault(self, reason: str) -> ModelError:
        return ModelError(
            f"layer {self.node.name!r}: {reason}, which 32-bit fixed point does not hold; normalize "
            "the layer before it (batch normalization), or train it so that leading coefficients that are "
            "almost 0 are 0 and channels of one layer have ranges alike"
        )

    def _title(self, part: str) -> str:
        return f"{self.node.name} ({part})"

    def _gathered(
        self, part: str, source: int, scale: int, channels: np.ndarray, bias: np.ndarray | None = None
    ) -> LinearOp:
        """Gathers some channels of a value, in their order."""
        shape = (self.shape[0], channels.size, *self.shape[2:])
        local: tuple[LocalOp, ...] = (_channel_map(channels),)
        if channels.size == self.values.ops[source].shape[1]:
            local = ()
        term = FloatTerm(source, scale, local, shape, shape)
        bias = bias if bias is not None and bias.any() else None
        return self.values.emit_linear(self._title(part), Expression(shape, (term,), bias), scale)

    def _scattered(
        self, source: LinearOp | MultiplyOp, channels: np.ndarray, wanted: np.ndarray, sign: int
    ) -> Iterator[FloatTerm]:
        """Yields terms that put channels of a value in the places of the channels `wanted` (bool) with that
        sign.

        `channels` has, for each channel of the value, the channel of the activation that it belongs to.
        """
        everywhere = np.full(len(self.reduced.kinds), -1)
        everywhere[channels] = np.arange(channels.size)
        everywhere[~wanted | (self.reduced.gain != sign)] = -1
        for places in everywhere.reshape(-1, self.shape[1]):
            if (places < 0).all():
                continue
            local: tuple[LocalOp, ...] = (_channel_map(places),)
            if source.shape == self.shape and np.array_equal(places, np.arange(places.size)):
                local = ()
            yield FloatTerm(source.id, source.scale_bits, local, self.shape, self.shape, float(sign))

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
        """Emits the activation that makes the result: ReLU in its channels, truncation in the others."""
        keeps_relu = np.zeros(self.shape, np.bool_)
        keeps_relu[:, self.reduced.channels(ChannelKind.RELU)] = True
        groups = split(keeps_relu.reshape(-1))
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


def _channel_map(channels: Sequence[int] | np.ndarray) -> ChannelMap:
    return ChannelMap(tuple(int(channel) for channel in channels))


HANDLERS: Mapping[type[Node], Handler] = {PolynomialNode: _polynomial}
