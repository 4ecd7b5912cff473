"""Operators of a program; each makes the value that has its id."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

import numpy as np

from pi_bench.network.program.terms import LinearTerm, element_count
from pi_bench.shape import Shape


@dataclass(frozen=True, slots=True, eq=False)
class InputOp:
    """The client's quantized input; an input with an element of magnitude above `bound` is refused.

    Such an input could leave the windows of activations. The value is the input times 2**channel_bits, uint8
    (channels,), or the input itself (None).

    >>> InputOp(0, "input", shape=(1, 3, 32, 32), scale_bits=12, bound=4.0).scale_bits
    12
    """

    id: int
    name: str
    shape: Shape
    scale_bits: int
    bound: float  # |x| above this is refused: it would leave the windows
    channel_bits: np.ndarray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LinearOp:
    """A sum of linear terms of earlier values, plus a secret bias (a name in the weights, or None).

    Attributes:
        name: the module paths of the user's network.
        mac_count: counts multiply-accumulates, batch included.

    >>> from pi_bench.network.program import LinearTerm
    >>> double = LinearTerm(0, (), None, multiplier=2, shift_bits=np.zeros(4, np.uint8))
    >>> operands(LinearOp(1, "double", (1, 4), 12, terms=(double,), bias=None, mac_count=0))
    (0,)
    """

    id: int
    name: str  # module path(s) of the user's network
    shape: Shape
    scale_bits: int
    terms: tuple[LinearTerm, ...]
    bias: str | None  # name in the weights
    mac_count: int


UNWINDOWED_BITS = 30
"""Values that are truncated only must be below 2 to this power."""


class ActivationKind(enum.StrEnum):
    """The two functions that a gadget computes: ReLU and truncation, or truncation alone.

    >>> ActivationKind("relu") is ActivationKind.RELU
    True
    """

    RELU = "relu"
    TRUNCATE = "truncate"


@dataclass(frozen=True, slots=True, eq=False)
class ActivationGroup:
    """Elements of a tensor that one gadget treats alike.

    Attributes:
        index: flat positions in the tensor, batch included (int64, ascending); None means every element.

    >>> ActivationGroup(ActivationKind.RELU, count=2, index=np.array([0, 3])).count
    2
    """

    kind: ActivationKind
    count: int
    index: np.ndarray | None


@dataclass(frozen=True, slots=True, eq=False)
class ActivationOp:
    """An activation, y = ReLU(x) >> f or x >> f by group; the client draws one mask for the whole tensor.

    `truncate_bits` is f and `window_bits` is B of docs/threat-model.md section 3, which also gives the range
    of X for ReLUs by mode. Elements that are truncated only must satisfy -2^30 - off <= x < 2^30 - off.
    `source` is the id of a LinearOp; `headroom_bits` is log2(window / largest calibrated value).

    >>> groups = (ActivationGroup(ActivationKind.RELU, 4, None),)
    >>> op = ActivationOp(2, "relu", (1, 4), 8, 1, groups, truncate_bits=12, window_bits=24, headroom_bits=1)
    >>> op.relu_count, op.calibrated_maximum
    (4, 8.0)
    """

    id: int
    name: str
    shape: Shape
    scale_bits: int
    source: int  # id of a LinearOp
    groups: tuple[ActivationGroup, ...]
    truncate_bits: int
    window_bits: int
    headroom_bits: float  # log2(window / largest calibrated value)

    @property
    def calibrated_maximum(self) -> float | None:
        """The largest magnitude in calibration, which the window was made for; None if all values were 0."""
        range_bits = self.window_bits if self.relu_count else UNWINDOWED_BITS
        if self.headroom_bits == range_bits:
            return None
        return math.ldexp(2.0**-self.headroom_bits, range_bits - self.scale_bits - self.truncate_bits)

    @property
    def relu_count(self) -> int:
        """The number of its elements that have a ReLU."""
        return sum(group.count for group in self.groups if group.kind is ActivationKind.RELU)

    @property
    def truncation_count(self) -> int:
        """The number of its elements that are truncated only."""
        return sum(group.count for group in self.groups if group.kind is ActivationKind.TRUNCATE)


@dataclass(frozen=True, slots=True, eq=False)
class MultiplyOp:
    """A product element by element, y = left * right mod 2^32; `scale_bits` is the sum of theirs.

    `right` is an activation, in whose round the product is computed. `left` is the same activation (a square)
    or one of `derived_values` before it. Readers see the product at its double scale: a sum, then a
    truncation.

    >>> square = MultiplyOp(3, "square", (1, 4), 16, left=2, right=2)
    >>> square.square_count, square.product_count
    (4, 0)
    """

    id: int
    name: str
    shape: Shape
    scale_bits: int
    left: int
    right: int

    @property
    def square_count(self) -> int:
        """The number of its elements that are squares."""
        return element_count(self.shape) if self.left == self.right else 0

    @property
    def product_count(self) -> int:
        """The number of its elements that are products of two different values."""
        return element_count(self.shape) - self.square_count


@dataclass(frozen=True, slots=True, eq=False)
class OutputOp:
    """The linear value that is revealed to the client; `source` is the id of a LinearOp.

    >>> OutputOp(4, "output", (1, 10), source=3, scale_bits=12).source
    3
    """

    id: int
    name: str
    shape: Shape
    source: int  # id of a LinearOp
    scale_bits: int


Op = InputOp | LinearOp | ActivationOp | MultiplyOp | OutputOp


def operands(op: Op) -> tuple[int, ...]:
    """Returns the ids of the values that an operator reads.

    >>> operands(MultiplyOp(3, "square", (1, 4), 16, left=1, right=2))
    (1, 2)
    """
    if isinstance(op, InputOp):
        return ()
    if isinstance(op, LinearOp):
        return tuple(term.source for term in op.terms)
    return (op.left, op.right) if isinstance(op, MultiplyOp) else (op.source,)
