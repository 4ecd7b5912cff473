"""Operators of a program: each makes the value that has its id."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

import numpy as np

from pi_bench.network.program.terms import LinearTerm, element_count
from pi_bench.shape import Shape


@dataclass(frozen=True, slots=True, eq=False)
class InputOp:
    id: int
    name: str
    shape: Shape
    scale_bits: int
    bound: float  # |x| above this is refused: it would leave the windows


@dataclass(frozen=True, slots=True, eq=False)
class LinearOp:
    id: int
    name: str  # module path(s) of the user's network
    shape: Shape
    scale_bits: int
    terms: tuple[LinearTerm, ...]
    bias: str | None  # name in the weights
    mac_count: int


UNWINDOWED_BITS = 30
"""Bits below which a value must stay that is truncated only."""


class ActivationKind(enum.StrEnum):
    RELU = "relu"
    TRUNCATE = "truncate"


@dataclass(frozen=True, slots=True, eq=False)
class ActivationGroup:
    """Elements that one gadget treats alike.

    `index`: flat positions in the tensor, batch included (int64, ascending); None = every element.
    """

    kind: ActivationKind
    count: int
    index: np.ndarray | None


@dataclass(frozen=True, slots=True, eq=False)
class ActivationOp:
    """y = ReLU(x) >> f or x >> f, by group; the client draws one mask for the whole tensor.

    `truncate_bits` is f, `window_bits` is B of docs/threat-model.md section 3, which also gives the
    range of X for ReLUs by mode; -2^30 - off <= x < 2^30 - off holds for what is truncated only.
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
        """The largest magnitude in calibration, which the window was made for; None if all was 0."""
        room = self.window_bits if self.relu_count else UNWINDOWED_BITS
        if self.headroom_bits == room:
            return None
        return math.ldexp(2.0**-self.headroom_bits, room - self.scale_bits - self.truncate_bits)

    @property
    def relu_count(self) -> int:
        return sum(group.count for group in self.groups if group.kind is ActivationKind.RELU)

    @property
    def truncation_count(self) -> int:
        return sum(group.count for group in self.groups if group.kind is ActivationKind.TRUNCATE)


@dataclass(frozen=True, slots=True, eq=False)
class MultiplyOp:
    """y = left * right element by element, mod 2^32; `scale_bits` is the sum of theirs.

    `right` is an activation, in whose round the product is computed; `left` is the same one (a square) or
    one of `derived_values` before it. Readers see the product at its double scale: a sum, then a truncation.
    """

    id: int
    name: str
    shape: Shape
    scale_bits: int
    left: int
    right: int

    @property
    def square_count(self) -> int:
        return element_count(self.shape) if self.left == self.right else 0

    @property
    def product_count(self) -> int:
        """Elements that are products of two values."""
        return element_count(self.shape) - self.square_count


@dataclass(frozen=True, slots=True, eq=False)
class OutputOp:
    id: int
    name: str
    shape: Shape
    source: int  # id of a LinearOp
    scale_bits: int


Op = InputOp | LinearOp | ActivationOp | MultiplyOp | OutputOp


def operands(op: Op) -> tuple[int, ...]:
    """Ids of the values that an operator reads."""
    if isinstance(op, InputOp):
        return ()
    if isinstance(op, LinearOp):
        return tuple(term.source for term in op.terms)
    return (op.left, op.right) if isinstance(op, MultiplyOp) else (op.source,)
