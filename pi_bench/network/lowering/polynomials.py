"""Polynomial activations in a trace: finds powers of one value in its arithmetic.

`x * x`, `x ** 2`, `torch.square(x)`, `torch.pow(x, 3)` and products of sums such as `(a * x + b) * x` are
powers of one value with constant coefficients. Each power is a node of its own until another operator reads
a `Combination` that holds it, whose coefficients then tell the activation: one
`PolynomialNode`, with ReLU in the channels of a mixture that have one (SAFENet). The product of two values
that are no powers of one value is refused: a private network has no such product.
"""

from __future__ import annotations

import numpy as np

from pi_bench.network.graph import PolynomialNode, ReluNode
from pi_bench.network.lowering.advice import advice
from pi_bench.network.lowering.combination import Combination
from pi_bench.network.lowering.composites import composed_activation
from pi_bench.network.lowering.per_channel import is_per_channel, per_channel
from pi_bench.network.lowering.state import FxNode, Lowering, refuse

MAX_DEGREE = 3
_TWO_VALUES = (
    "products of two different activations are not supported (gates, squeeze-and-excitation); polynomials of "
    "one activation are (x * x, a * x**2 + b * x + c, powers up to 3), and so are constant factors"
)
_DEGREE = (
    f"polynomial activations have degree 2 or {MAX_DEGREE}; take one of them and train again, or put a "
    "linear layer with a polynomial activation of its own between the factors"
)


class Powers:
    """The powers of one trace's values; nodes cite `parameters` (float32) and `masks` (bool).

    >>> import torch
    >>> from pi_bench.network.lowering import lower
    >>> class Quadratic(torch.nn.Module):
    ...     def forward(self, x):
    ...         return x * x + 3 * x
    >>> lower(Quadratic(), torch.zeros(1, 1)).parameters
    {'polynomial.coefficients': array([[0., 3., 1.]], dtype=float32)}
    """

    def __init__(self, lowering: Lowering) -> None:
        self._lowering = lowering
        self._known: dict[tuple[str, int], str] = {}
        self._meaning: dict[str, tuple[str, int]] = {}
        self.parameters: dict[str, np.ndarray] = {}
        self.masks: dict[str, np.ndarray] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._meaning

    def base(self, name: str) -> tuple[str, int]:
        """Returns the value that the node `name` is a power of, and the exponent."""
        return self._meaning.get(name, (name, 1))

    def sources(self, combination: Combination) -> set[str]:
        """Returns the values that a combination's powers, and the ReLUs in it, are made of."""
        found = set()
        for name in combination.coefficients:
            base, _ = self.base(name)
            node = self._lowering.node(base)
            found.add(node.inputs[0] if isinstance(node, ReluNode) and node.mask is None else base)
        return found

    def product(self, call: FxNode, left: Combination, right: Combination) -> Combination:
        """Multiplies two combinations of powers of one value.

        Raises:
            ModelError: they are of two different values, or the degree is too high.
        """
        bases = {self.base(name)[0] for name in (*left.coefficients, *right.coefficients)}
        if left.shape != right.shape or len(bases) != 1:
            named = composed_activation(call)
            raise refuse(call, _TWO_VALUES if named is None else advice("hardswish"), activation=named)
        (base,) = bases
        literal = left.literal and right.literal
        total = Combination(left.shape, {}, left.constant * right.constant, literal)
        for name, coefficient in left.coefficients.items():
            for other, factor in right.coefficients.items():
                exponent = self.base(name)[1] + self.base(other)[1]
                power = self._power(call, base, exponent)
                total = total.plus(Combination(left.shape, {power: coefficient * factor}, np.zeros(())))
        for one, constant in ((left, right.constant), (right, left.constant)):
            linear = Combination(one.shape, one.coefficients, np.zeros(()))
            total = total.plus(linear.times(constant))
        return total.without_zeros()

    def power(self, call: FxNode, combination: Combination, exponent: float) -> Combination:
        """Raises a combination to a power.

        Raises:
            ModelError: an exponent other than 0, 1, 2 and 3.
        """
        if exponent == 0:
            return Combination(combination.shape, {}, np.ones(()))
        if exponent not in (1, 2, MAX_DEGREE):
            raise refuse(call, f"it takes the power {exponent:g}; {_DEGREE}")
        total = combination
        for _ in range(int(exponent) - 1):
            total = self.product(call, total, combination)
        return total

    def take(self, call: FxNode, combination: Combination) -> Combination:
        """Replaces the powers of each value in a combination that is read now by one polynomial activation.

        Raises:
            ModelError: coefficients that differ inside a channel.
        """
        for base in sorted({self.base(name)[0] for name in combination.coefficients if name in self}):
            if not self._is_bare(base, combination):
                combination = self._polynomial(call, base, combination)
        return combination

    def _is_bare(self, base: str, combination: Combination) -> bool:
        """Tells if a power of `base` is one summand among others, equal to its node."""
        alone = [name for name in combination.coefficients if self.base(name)[0] == base]
        others = len(combination.coefficients) > len(alone) or not combination.constant.any()
        return others and len(alone) == 1 and bool(np.all(combination.coefficients[alone[0]] == 1))

    def _polynomial(self, call: FxNode, base: str, combination: Combination) -> Combination:
        source = self._lowering.node(base)
        left = dict(combination.coefficients)
        table = np.zeros((MAX_DEGREE + 1, *source.shape))
        for name in combination.coefficients:
            if self.base(name)[0] == base:
                table[self.base(name)[1]] = left.pop(name)
        table[0] = combination.constant
        constant = np.zeros(())
        relu = next((name for name in left if self._is_relu_of(name, base)), None)
        mask: np.ndarray | None = None
        if relu is not None:
            kept = np.broadcast_to(left[relu], source.shape)
            if np.all((kept == 0) | (kept == 1)) and not table[1:, kept == 1].any():
                mask = kept == 1
                constant = np.where(mask, table[0], 0.0)
                table[0] = np.where(mask, 0.0, table[0])
                if is_per_channel(kept):
                    mask = mask.reshape(len(mask), -1)[:, 0].copy()
                else:
                    table = _without_relus(table, mask)
                del left[relu]
        coefficients = np.stack([_coefficients(call, row) for row in table], axis=1)
        degree = MAX_DEGREE if coefficients[:, MAX_DEGREE].any() else 2
        name = self._lowering.name(call, "polynomial")
        node = PolynomialNode(
            name, (base,), source.shape, f"{name}.coefficients", None if mask is None else f"{name}.relu"
        )
        self._keep(node, coefficients[:, : degree + 1], mask)
        return Combination(combination.shape, {**left, name: np.ones(())}, constant, combination.literal)

    def _power(self, call: FxNode, base: str, exponent: int) -> str:
        """Returns the node that is this power of a value, which is made once."""
        if exponent == 1:
            return base
        if exponent > MAX_DEGREE:
            raise refuse(call, f"it makes a polynomial of degree {exponent}; {_DEGREE}")
        if (base, exponent) not in self._known:
            source = self._lowering.node(base)
            name = self._lowering.name(call, "square" if exponent == 2 else "cube")
            node = PolynomialNode(name, (base,), source.shape, f"{name}.coefficients")
            self._keep(node, np.tile(np.eye(MAX_DEGREE + 1)[exponent, : exponent + 1], (source.shape[0], 1)))
            self._known[base, exponent] = name
            self._meaning[name] = (base, exponent)
        return self._known[base, exponent]

    def _keep(self, node: PolynomialNode, coefficients: np.ndarray, relu: np.ndarray | None = None) -> None:
        self.parameters[node.coefficients] = np.ascontiguousarray(coefficients, np.float32)
        if node.relu is not None and relu is not None:
            self.masks[node.relu] = relu
        self._lowering.append(node)

    def _is_relu_of(self, name: str, base: str) -> bool:
        node = self._lowering.node(name)
        return isinstance(node, ReluNode) and node.mask is None and node.inputs == (base,)


def _without_relus(table: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Gives the elements that are ReLUs the coefficients of another element of their channel.

    `table` is (degree + 1, channels, ...), `mask` bool (channels, ...).
    """
    others = (~mask).reshape(len(mask), -1).argmax(axis=1)
    flat = table.reshape(*table.shape[:2], -1)
    of_channel = np.take_along_axis(flat, others[None, :, None], axis=2)
    return np.where(mask, of_channel.reshape(*table.shape[:2], *(1,) * (mask.ndim - 1)), table)


def _coefficients(call: FxNode, values: np.ndarray) -> np.ndarray:
    """Reduces a coefficient per element (channels, ...) to float32 (channels,)."""
    found = per_channel(call, values, "a coefficient of a polynomial activation")
    if not is_per_channel(values):
        raise refuse(
            call,
            "a polynomial activation has one coefficient per channel, of shape (channels, 1, 1), and a ReLU "
            "mask beside it has only zeros and ones",
        )
    return found
