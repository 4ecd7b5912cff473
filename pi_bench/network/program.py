"""The public program: what both parties know and run, in static single assignment form.

A program is a sequence of operators; the id of an operator is the id of the value that it makes.
Values live in Z_2^32 as fixed point: the real number times ``2**scale_bits``. Every tensor has the
batch as axis 0 and channels (or features) as axis 1.

    InputOp        the client's quantized input
    LinearOp       a sum of linear terms of earlier values, plus a bias
    ActivationOp   groups of elements of one linear value: ReLU and truncate, or truncate only
    OutputOp       a linear value that is revealed to the client

Every value is held the same way: the client has its mask and the server the value less that mask. The
masks of the input and of activations are drawn; that of a linear value follows from those of its sources,
through an encrypted product where a term has weights and by local arithmetic where none has. So a linear
value without weights (a residual sum, a concatenation, ``b + ReLU(a - b)``) costs no message, and whatever
can read an activation can read it (`derived_values`).

Only shapes, scales, masks and wiring stand here, and all of it is public. The weights are a separate
mapping from names to integer arrays that the server alone holds (`Weights`).
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

RING_BITS = 32

Shape = tuple[int, ...]

Weights = Mapping[str, np.ndarray]
"""Server only. A weighted operator's name → int16 (out, in, kh, kw) or (out, in), each |w| <= 511
by default; a bias' name → uint32 (out,), already at its linear operator's scale."""


@dataclass(frozen=True, slots=True)
class SumPool:
    """Sum over windows of axes 2 and 3; the divisor of an average is folded elsewhere."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]  # top, bottom, left, right: zeros


@dataclass(frozen=True, slots=True)
class Window:
    """The sum of the positions [`begin`, `end`) of one axis, times `factor`."""

    begin: int
    end: int
    factor: int


@dataclass(frozen=True, slots=True)
class SumWindows:
    """Sums over windows that differ: output (i, j) is that of `rows`[i] by `columns`[j] of axes 2 and 3."""

    rows: tuple[Window, ...]
    columns: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class Subsample:
    """`size` rows and columns of axes 2 and 3: number i is ``offset + i * stride``, or where that lies
    outside, the row or column at that edge."""

    stride: tuple[int, int]
    offset: tuple[int, int]
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class ChannelSlice:
    """The channels [`first`, `first + count`)."""

    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Reshape:
    """To `shape`, batch included; row-major."""

    shape: Shape


@dataclass(frozen=True, slots=True)
class Permute:
    """Axis i of the result is axis `axes`[i]; the batch stays where it is."""

    axes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pad:
    """Zeros around axes 2 and 3: the operand's place in a larger map."""

    padding: tuple[int, int, int, int]  # top, bottom, left, right


LocalOp = SumPool | SumWindows | Subsample | ChannelSlice | Reshape | Permute | Pad
"""Linear, without weights: each party applies it to its own share."""


@dataclass(frozen=True, slots=True)
class Convolution:
    """Secret weights `weight` (out, in / groups, kh, kw), no bias."""

    weight: str
    in_shape: Shape  # (batch, in, h, w)
    out_shape: Shape  # (batch, out, oh, ow)
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]  # top, bottom, left, right
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns from the first that a window reads to the last."""
        (rows, columns), (down, across) = self.kernel, self.dilation
        return (rows - 1) * down + 1, (columns - 1) * across + 1

    @property
    def weight_shape(self) -> Shape:
        return (self.out_shape[1], self.in_shape[1] // self.groups, *self.kernel)


@dataclass(frozen=True, slots=True)
class FullyConnected:
    """Secret weights `weight` (out, in / groups), no bias."""

    weight: str
    in_shape: Shape  # (batch, in)
    out_shape: Shape  # (batch, out)
    groups: int = 1

    @property
    def weight_shape(self) -> Shape:
        return (self.out_shape[1], self.in_shape[1] // self.groups)


Weighted = Convolution | FullyConnected


def weighted_mac_count(op: Weighted) -> int:
    """Multiply-accumulates of one application, batch included."""
    return math.prod(op.weight_shape[1:]) * math.prod(op.out_shape)


@dataclass(frozen=True, slots=True, eq=False)
class LinearTerm:
    """One summand: ``(weighted(local(source)) * multiplier) << shift_bits[channel]`` mod 2^32.

    `source` is the id of any earlier value; with weights one of `derived_values`. `local` runs first, in
    order. `multiplier` is a public integer, not 0 (1 for weighted terms). `shift_bits` (the term's
    channels,) uint8 brings it to the scale of its linear operator; weights with a scale per channel
    differ in it. The term is added to the channels from `first_channel` on: a concatenation is a sum of
    terms at different places.
    """

    source: int
    local: tuple[LocalOp, ...]
    weighted: Weighted | None
    multiplier: int
    shift_bits: np.ndarray
    first_channel: int = 0


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
    def relu_count(self) -> int:
        return sum(group.count for group in self.groups if group.kind is ActivationKind.RELU)

    @property
    def truncation_count(self) -> int:
        return sum(group.count for group in self.groups if group.kind is ActivationKind.TRUNCATE)


@dataclass(frozen=True, slots=True, eq=False)
class OutputOp:
    id: int
    name: str
    shape: Shape
    source: int  # id of a LinearOp
    scale_bits: int


Op = InputOp | LinearOp | ActivationOp | OutputOp


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Operators in order: one `InputOp` first, one `OutputOp` last."""

    name: str
    ops: tuple[Op, ...]
    weight_bits: int  # public bound: |w| < 2**(weight_bits - 1)
    labels: tuple[str, ...]

    @property
    def input(self) -> InputOp:
        op = self.ops[0]
        assert isinstance(op, InputOp)
        return op

    @property
    def output(self) -> OutputOp:
        op = self.ops[-1]
        assert isinstance(op, OutputOp)
        return op

    @property
    def linear_ops(self) -> tuple[LinearOp, ...]:
        return tuple(op for op in self.ops if isinstance(op, LinearOp))

    @property
    def activation_ops(self) -> tuple[ActivationOp, ...]:
        return tuple(op for op in self.ops if isinstance(op, ActivationOp))

    @property
    def source_ops(self) -> tuple[InputOp | ActivationOp, ...]:
        """The values whose masks are drawn."""
        return (self.input, *self.activation_ops)

    @property
    def relu_count(self) -> int:
        return sum(op.relu_count for op in self.activation_ops)

    @property
    def truncation_count(self) -> int:
        return sum(op.truncation_count for op in self.activation_ops)

    @property
    def mac_count(self) -> int:
        return sum(op.mac_count for op in self.linear_ops)


def derived_values(program: Program) -> frozenset[int]:
    """Ids of the values whose masks the client knows before any product: what weights can read.

    The input, activations, and linear values that are made of these alone and without weights.
    """
    known = {op.id for op in program.source_ops}
    for op in program.linear_ops:
        if all(term.weighted is None and term.source in known for term in op.terms):
            known.add(op.id)
    return frozenset(known)


def element_count(shape: Shape) -> int:
    return math.prod(shape)
