"""Predicts the error of the logits from the bits of each layer, as a sum of independent roundings.

A value of scale s is rounded by an activation to a unit of 2^-s: probabilistically, with a variance of 1/6 of
its square. The input is rounded to nearest, with 1/12, and so are weights. If the window of a layer is
too narrow for all bits of its input and its weights, finer inputs force coarser weights.
`sensitivity` says how much a variance in one layer changes the logits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from pi_bench.network.compiler.options import MAX_WINDOW_BITS
from pi_bench.network.program import ActivationOp, InputOp, LinearOp, OutputOp, Program, operands

_PROBABILISTIC, _NEAREST = 1 / 6, 1 / 12


@dataclass(frozen=True, slots=True, eq=False)
class WeightedReader:
    """The weights that read a layer's values.

    Attributes:
        sensitivity: the logits' variance per variance of a weight.
        weight_scales: int64 (channels,), the scale of each channel's weights at the reference width.
        finest_scale: the finest scale that weights can have while the layer has its reference bits. It is the
            finest scale of the linear value minus that of the layer.

    >>> WeightedReader(12.0, np.array([4]), finest_scale=20).noise(0, 0) == 4.0**-4
    True
    """

    sensitivity: float
    weight_scales: np.ndarray
    finest_scale: int

    def noise(self, more_weight_bits: int, more_bits: int) -> float:
        """Returns the logits' variance from rounded weights, for so many more bits than the reference has.

        >>> reader = WeightedReader(1.0, np.array([4]), finest_scale=6)
        >>> reader.noise(0, 0) == 4.0**-4 / 12, reader.noise(5, 3) == 4.0**-3 / 12
        (True, True)
        """
        scales = np.minimum(self.weight_scales + more_weight_bits, self.finest_scale - more_bits)
        return self.sensitivity * float(np.mean(np.exp2(-2.0 * scales))) * _NEAREST


@dataclass(slots=True, eq=False)
class AdjustableLayer:
    """A layer whose bits can be chosen: the input, an activation, or a value that is truncated.

    Attributes:
        sensitivity: see `sensitivity`.
        scale_bits: at the reference bits.
        relu_count: ReLUs and comparisons whose windows are one bit wider for each bit of the layer.

    >>> AdjustableLayer("relu", sensitivity=6.0, scale_bits=8).noise(10, 10, 10, 10) == 4.0**-8
    True
    """

    name: str
    sensitivity: float
    scale_bits: int
    rounding: float = _PROBABILISTIC
    relu_count: int = 0
    readers: list[WeightedReader] = field(default_factory=list)

    def noise(self, weight_bits: int, bits: int, reference_weight_bits: int, reference_bits: int) -> float:
        """Returns the logits' variance from the layer's values and from the weights that read them."""
        more = bits - reference_bits
        own = self.sensitivity * self.rounding * math.ldexp(1.0, -2 * (self.scale_bits + more))
        weights = (reader.noise(weight_bits - reference_weight_bits, more) for reader in self.readers)
        return own + sum(weights)


def layers_of(
    program: Program,
    sensitivities: Mapping[str, float],
    powers: Mapping[str, float],
    finest_output: int,
) -> list[AdjustableLayer]:
    """Lists the layers of a program that was compiled at the reference bits, in its order.

    Args:
        powers: the mean square of the values of each node.
        finest_output: the finest scale of the revealed value.

    >>> from pi_bench.network.compiler import compile_graph
    >>> from pi_bench.network.graph import Graph, InputNode, OutputNode, ReluNode
    >>> nodes = InputNode("x", (), (2,)), ReluNode("relu", ("x",), (2,)), OutputNode("o", ("relu",), (2,))
    >>> program, _ = compile_graph(Graph(nodes, {}, ranges=dict.fromkeys(("x", "relu", "o"), 4.0)))
    >>> found = layers_of(program, {"x": 0.5, "relu": 1.0}, {"x": 1.0, "relu": 0.5}, 20)
    >>> [(layer.name, layer.relu_count, layer.scale_bits) for layer in found]
    [('x', 0, 8), ('relu', 2, 8)]
    """
    found: dict[str, AdjustableLayer] = {}
    made: dict[int, list[AdjustableLayer]] = {}
    for op in program.ops:
        if isinstance(op, InputOp):
            layer = AdjustableLayer(op.name, sensitivities.get(op.name, 0.0), op.scale_bits, _NEAREST)
            made[op.id] = [found.setdefault(op.name, layer)]
        elif isinstance(op, ActivationOp) and op.truncate_bits and op.name in sensitivities:
            layer = found.setdefault(op.name, AdjustableLayer(op.name, sensitivities[op.name], op.scale_bits))
            layer.relu_count += op.relu_count
            made[op.id] = [layer]
        else:
            read = _unweighted(op) if isinstance(op, LinearOp) else operands(op)
            sources = {id(layer): layer for source in read for layer in made.get(source, [])}
            made[op.id] = list(sources.values())
            if isinstance(op, ActivationOp):
                for layer in made[op.id]:
                    layer.relu_count += op.relu_count
    of_values, spare_bits = _value_sensitivities(program, sensitivities), _spare_bits(program, finest_output)
    for op in program.linear_ops:
        for term in op.terms:
            if term.weighted is None:
                continue
            read_scale = program.ops[term.source].scale_bits
            for layer in made[term.source]:
                fan_in = math.prod(term.weighted.weight_shape[1:])
                sensitivity = of_values[op.id] * fan_in * powers.get(layer.name, 0.0)
                weight_scales = op.scale_bits - term.shift_bits.astype(np.int64) - read_scale
                finest = op.scale_bits + spare_bits[op.id]
                layer.readers.append(WeightedReader(sensitivity, weight_scales, finest - read_scale))
    return list(found.values())


def _unweighted(op: LinearOp) -> Iterator[int]:
    return (term.source for term in op.terms if term.weighted is None)


def _value_sensitivities(program: Program, sensitivities: Mapping[str, float]) -> list[float]:
    """Finds the sensitivity of each value to noise before the activations that are made of it."""
    found = [0.0] * len(program.ops)
    for op in reversed(program.ops):
        if isinstance(op, OutputOp):
            found[op.source] = 1.0
        elif isinstance(op, ActivationOp):
            own = sensitivities.get(op.name) if op.truncate_bits else None
            found[op.source] = max(found[op.source], found[op.id] if own is None else own)
        elif isinstance(op, LinearOp):
            for source in _unweighted(op):
                found[source] = max(found[source], found[op.id])
    return found


def _spare_bits(program: Program, finest_output: int) -> list[int]:
    """Finds the bits by which the readers of a value let its scale be finer: windows, or the output."""
    spare = [MAX_WINDOW_BITS] * len(program.ops)
    for op in reversed(program.ops):
        if isinstance(op, OutputOp):
            spare[op.source] = max(finest_output - op.scale_bits, 0)
        elif isinstance(op, ActivationOp):
            spare[op.source] = min(spare[op.source], max(MAX_WINDOW_BITS - op.window_bits, 0))
        elif isinstance(op, LinearOp):
            for source in _unweighted(op):
                spare[source] = min(spare[source], spare[op.id])
    return spare
