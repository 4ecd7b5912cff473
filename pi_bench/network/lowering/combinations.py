"""Sums of activations with constant coefficients, kept as sums until another operator reads them.

`mask * relu(x) + (1 - mask) * x` is written in many ways: with torch.where, lerp, addcmul, in place,
as `x + mask * (relu(x) - x)`. All are linear in x and relu(x), so the trace's products with constants and
sums are collected here as a `Combination`, and its coefficients alone tell which operator was meant
(`lowering.masks`). All that is no masked ReLU becomes scales, shifts and sums of the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pi_bench.network.graph import Node, ReluNode, Shape
from pi_bench.network.lowering.combination import Combination
from pi_bench.network.lowering.constants import Constants
from pi_bench.network.lowering.state import FxNode, Lowering, refuse, stem

if TYPE_CHECKING:
    from pi_bench.network.lowering.polynomials import Powers

_SAMPLE_ADVICE = "its constant differs between the samples of a batch; give it a batch axis of 1"


class Combinations:
    """The combinations of one trace that have no node yet.

    >>> import torch
    >>> from pi_bench.network.graph import InputNode
    >>> from pi_bench.network.lowering.polynomials import Powers
    >>> x = torch.fx.Graph().placeholder("x")
    >>> lowering = Lowering(sources={})
    >>> lowering.add(x, InputNode("input", (), (2,)))
    >>> Combinations(lowering, Constants(lowering), Powers(lowering)).activation(x).coefficients
    {'input': array(1.)}
    """

    def __init__(self, lowering: Lowering, constants: Constants, powers: Powers) -> None:
        self._lowering = lowering
        self._constants = constants
        self.powers = powers
        self._pending: dict[FxNode, Combination] = {}

    def __contains__(self, argument: Any) -> bool:
        return argument in self._pending

    def __getitem__(self, fx_node: FxNode) -> Combination:
        return self._pending[fx_node]

    def collect(self, call: FxNode, given: dict[str, Any]) -> Combination | None:
        """Collects the result of `call` if it is linear in activations; None leaves the call to others.

        Raises:
            ModelError: a sum or product that broadcasts an activation.
        """
        rule = RULES.get(stem(call))
        combination = None if rule is None else rule(self, call, given)
        if combination is None:
            return None
        made = tuple(int(size) for size in call.meta["val"].shape[1:])
        if made != combination.shape:
            raise refuse(call, f"it broadcasts an activation from {combination.shape} to {made}")
        self._pending[call] = combination.without_zeros()
        return self._pending[call]

    def activation(self, argument: Any) -> Combination | None:
        """Returns an operand that depends on the network's input; None if it is a constant or a number."""
        if not hasattr(argument, "op"):
            return None
        node: Node | None = self._lowering.values.get(argument)
        if node is not None:
            return Combination(tuple(node.shape), {self._first_alike(node).name: np.ones(())}, np.zeros(()))
        return self._pending.get(argument)

    def is_plain(self, argument: Any) -> bool:
        """Tells if a value has a node that is no power; powers may belong to a polynomial."""
        node: Node | None = self._lowering.values.get(argument)
        return node is not None and node.name not in self.powers

    def _first_alike(self, node: Node) -> Node:
        """Returns the same ReLU, if forward() takes it of the same value twice."""
        if not isinstance(node, ReluNode) or node.mask is not None:
            return node
        return next(
            other
            for other in self._lowering.nodes
            if isinstance(other, ReluNode) and (other.inputs, other.mask) == (node.inputs, None)
        )

    def constant(self, call: FxNode, argument: Any) -> np.ndarray | None:
        """Returns a constant operand as float64 without batch axis, or None."""
        if isinstance(argument, bool | int | float):
            return np.array(argument, np.float64)
        if argument not in self._constants:
            return None
        tensor = self._constants[argument]
        if tensor.is_complex():
            raise refuse(call, f"it uses the complex constant {argument.name!r}; use real numbers")
        values: np.ndarray = tensor.detach().cpu().double().numpy()
        dimensions = call.meta["val"].dim()
        if values.ndim < dimensions:
            return values
        if values.ndim > dimensions or (values != values[:1]).any():
            raise refuse(call, _SAMPLE_ADVICE)
        sample: np.ndarray = values[0]
        return sample

    def operand(self, call: FxNode, argument: Any, shape: Shape | None) -> Combination | None:
        """Returns an activation or a constant as a combination; None if it is neither."""
        found = self.activation(argument)
        if found is not None:
            return found
        constant = self.constant(call, argument)
        if constant is None or shape is None:
            return None
        return Combination(shape, {}, constant, _is_literal(argument))


def _is_literal(argument: Any) -> bool:
    return isinstance(argument, bool | int | float)


def _product(these: Combinations, call: FxNode, given: dict[str, Any]) -> Combination | None:
    return _times(these, call, given["self"], given["other"])


def _square(these: Combinations, call: FxNode, given: dict[str, Any]) -> Combination | None:
    base = these.activation(given["self"])
    return None if base is None else these.powers.power(call, base, 2)


def _power(these: Combinations, call: FxNode, given: dict[str, Any]) -> Combination | None:
    base, exponent = these.activation(given["self"]), these.constant(call, given["exponent"])
    if base is None or exponent is None or (exponent != exponent.flat[0]).any():
        return None
    return these.powers.power(call, base, float(exponent.flat[0]))


def _times(these: Combinations, call: FxNode, left: Any, right: Any) -> Combination | None:
    first, second = these.activation(left), these.activation(right)
    if first is not None and second is not None:
        return these.powers.product(call, first, second)
    for activation, factor in ((left, right), (right, left)):
        combination, constant = these.activation(activation), these.constant(call, factor)
        if combination is not None and constant is not None:
            return combination.times(constant, literal=_is_literal(factor))
    return None


def _quotient(these: Combinations, call: FxNode, given: dict[str, Any]) -> Combination | None:
    combination, divisor = these.activation(given["self"]), these.constant(call, given["other"])
    if combination is None or divisor is None or given.get("rounding_mode") is not None:
        return None
    if not np.all(divisor):
        raise refuse(call, "it divides by zero")
    return combination.times(1 / divisor, literal=_is_literal(given["other"]))


def _sum(these: Combinations, call: FxNode, left: Any, right: Any, gain: float) -> Combination | None:
    known = these.activation(left) or these.activation(right)
    if known is None:
        return None
    first, second = these.operand(call, left, known.shape), these.operand(call, right, known.shape)
    if first is None or second is None:
        return None
    if first.shape != second.shape:
        raise refuse(call, f"shapes {first.shape} and {second.shape} differ; add tensors of equal shape")
    return first.plus(second.times(gain, literal=True))


def _addition(these: Combinations, call: FxNode, given: dict[str, Any]) -> Combination | None:
    operands = (given["self"], given["other"])
    if given["alpha"] == 1 and all(these.is_plain(operand) for operand in operands):
        return None  # a residual sum
    return _sum(these, call, *operands, float(given["alpha"]))


def _subtraction(these: Combinations, call: FxNode, given: dict[str, Any]) -> Combination | None:
    return _sum(these, call, given["self"], given["other"], -float(given["alpha"]))


def _reverse_subtraction(these: Combinations, call: FxNode, given: dict[str, Any]) -> Combination | None:
    if given["alpha"] != 1:
        return None
    return _sum(these, call, given["other"], given["self"], -1.0)


def _negation(these: Combinations, call: FxNode, given: dict[str, Any]) -> Combination | None:
    combination = these.activation(given["self"])
    return None if combination is None else combination.times(-1.0, literal=True)


def _choice(these: Combinations, call: FxNode, given: dict[str, Any]) -> Combination | None:
    condition = these.constant(call, given["condition"])
    if condition is None:
        return None
    chosen = condition != 0
    known = these.activation(given["self"]) or these.activation(given["other"])
    if known is None:
        return None
    yes = these.operand(call, given["self"], known.shape)
    no = these.operand(call, given["other"], known.shape)
    if yes is None or no is None or yes.shape != no.shape:
        return None
    return yes.times(chosen.astype(np.float64)).plus(no.times((~chosen).astype(np.float64)))


def _interpolation(these: Combinations, call: FxNode, given: dict[str, Any]) -> Combination | None:
    weight = these.constant(call, given["weight"])
    start, end = these.activation(given["self"]), these.activation(given["end"])
    if weight is None or start is None or end is None or start.shape != end.shape:
        return None
    return start.times(1 - weight).plus(end.times(weight))


def _product_sum(these: Combinations, call: FxNode, given: dict[str, Any]) -> Combination | None:
    product = _times(these, call, given["tensor1"], given["tensor2"])
    if product is None:
        return None
    base = these.operand(call, given["self"], product.shape)
    if base is None or base.shape != product.shape:
        return None
    return base.plus(product.times(float(given["value"])))


def _same(these: Combinations, call: FxNode, given: dict[str, Any]) -> Combination | None:
    """Returns a viewed or copied combination; views of nodes are left to others."""
    source = next(iter(given.values()))
    return these._pending.get(source) if hasattr(source, "op") else None


FACTORS: Mapping[str, tuple[str, ...]] = {
    "mul": ("self", "other"),
    "multiply": ("self", "other"),
    "addcmul": ("tensor1", "tensor2"),
    "square": ("self",),
    "pow": ("self",),
}
"""The operands of a call that are multiplied with each other or with themselves."""

RULES: Mapping[str, Callable[[Combinations, FxNode, dict[str, Any]], Combination | None]] = {
    "mul": _product,
    "multiply": _product,
    "square": _square,
    "pow": _power,
    "div": _quotient,
    "divide": _quotient,
    "true_divide": _quotient,
    "add": _addition,
    "sub": _subtraction,
    "subtract": _subtraction,
    "rsub": _reverse_subtraction,
    "neg": _negation,
    "negative": _negation,
    "where": _choice,
    "lerp": _interpolation,
    "addcmul": _product_sum,
    "clone": _same,
    "alias": _same,
    "contiguous": _same,
    "detach": _same,
}
