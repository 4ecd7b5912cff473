"""The operators of a float graph. Shapes leave the batch out; a node's value has the node's name.

Paddings are zeros, ``(rows, columns)`` for both sides or ``(top, bottom, left, right)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pi_bench.shape import Pair, Shape

Padding = tuple[int, int] | tuple[int, int, int, int]


def padding_sides(padding: tuple[int, ...]) -> tuple[int, int, int, int]:
    """(top, bottom, left, right)."""
    if len(padding) == 2:
        rows, columns = padding
        return rows, rows, columns, columns
    top, bottom, left, right = padding
    return top, bottom, left, right


@dataclass(frozen=True, slots=True)
class Node:
    """What every node has. `inputs`: names of earlier nodes. `shape`: of its value, without batch."""

    name: str
    inputs: tuple[str, ...]
    shape: Shape


@dataclass(frozen=True, slots=True)
class InputNode(Node):
    """The network's only input."""


@dataclass(frozen=True, slots=True)
class ConvNode(Node):
    """2-d convolution. Parameters: weight (out, in / groups, kh, kw), bias (out,)."""

    weight: str
    bias: str | None
    stride: Pair
    padding: Padding
    dilation: Pair = (1, 1)
    groups: int = 1


@dataclass(frozen=True, slots=True)
class LinearNode(Node):
    """Fully connected. Parameters: weight (out, in), bias (out,)."""

    weight: str
    bias: str | None


@dataclass(frozen=True, slots=True)
class BatchNormNode(Node):
    """In inference: weight * (x - mean) / sqrt(variance + epsilon) + bias, each (channels,).

    `weight` and `bias` may be None (1 and 0). Any secret scale and shift of channels is one too.
    """

    weight: str | None
    bias: str | None
    mean: str
    variance: str
    epsilon: float


@dataclass(frozen=True, slots=True)
class ScaleNode(Node):
    """factor * x + shift, the same public numbers for all elements; factor is not 0."""

    factor: float
    shift: float


@dataclass(frozen=True, slots=True)
class ReluNode(Node):
    """max(0, x) where the mask (bool, of the node's shape) is True, x elsewhere; None = everywhere."""

    mask: str | None = None


@dataclass(frozen=True, slots=True)
class ClampNode(Node):
    """min(max(x, low), high) with public bounds, None = no bound; ReLU6 is (0, 6)."""

    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class LeakyReluNode(Node):
    """x where x > 0, else slope * x, with one public slope below 1."""

    slope: float


@dataclass(frozen=True, slots=True)
class PReluNode(Node):
    """As `LeakyReluNode` with secret slopes. Parameter: weight (channels,) or (1,)."""

    weight: str


@dataclass(frozen=True, slots=True)
class PolynomialNode(Node):
    """A polynomial of x of degree 2 or 3, or max(0, x) in the channels where `relu` is True (a mixture).

    Parameter: coefficients (channels, degree + 1), secret, the constant first. `relu`: mask (channels,);
    None = nowhere. What a channel is (a ReLU, or its degree) is public, and the sign of a leading x^2.
    """

    coefficients: str
    relu: str | None = None


@dataclass(frozen=True, slots=True)
class AddNode(Node):
    """Sum of two values of equal shape."""


@dataclass(frozen=True, slots=True)
class ConcatNode(Node):
    """Values that differ in their channels alone, one after the other."""


@dataclass(frozen=True, slots=True)
class AvgPoolNode(Node):
    """Mean over windows; global pooling is this too.

    `ceil`: also the windows that begin inside and end beyond the padding. `count_padding`: the mean
    counts zeros of the padding. `divisor`: by this instead of the elements' number.
    """

    kernel: Pair
    stride: Pair
    padding: Padding
    ceil: bool = False
    count_padding: bool = True
    divisor: int | None = None


@dataclass(frozen=True, slots=True)
class AdaptiveAvgPoolNode(Node):
    """Mean over windows from floor(i * in / out) to ceil((i + 1) * in / out), to the node's shape."""


@dataclass(frozen=True, slots=True)
class MaxPoolNode(Node):
    """Maximum over windows; the padding never counts. `ceil` as in `AvgPoolNode`."""

    kernel: Pair
    stride: Pair
    padding: Padding
    ceil: bool = False


@dataclass(frozen=True, slots=True)
class FlattenNode(Node):
    """To ``(features,)``, in row-major order."""


@dataclass(frozen=True, slots=True)
class ReshapeNode(Node):
    """To the node's shape, in row-major order."""


@dataclass(frozen=True, slots=True)
class PermuteNode(Node):
    """Axis i of the value is axis `axes`[i] of its input, the batch not counted."""

    axes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SliceNode(Node):
    """The channels from `first` on, as many as the node's shape has."""

    first: int


@dataclass(frozen=True, slots=True)
class SubsampleNode(Node):
    """Rows and columns ``offset + i * stride``, as many as the node's shape has; outside of the input, those
    at its edge."""

    offset: Pair
    stride: Pair


@dataclass(frozen=True, slots=True)
class PadNode(Node):
    """Zeros around: `channels` before and after, `padding` around the map."""

    channels: Pair
    padding: Padding


@dataclass(frozen=True, slots=True)
class IdentityNode(Node):
    """Its input unchanged: dropout in inference, `torch.nn.Identity`."""


@dataclass(frozen=True, slots=True)
class OutputNode(Node):
    """The network's only output, ``(features,)`` or a map: the logits."""


ACTIVATIONS = (ReluNode, ClampNode, LeakyReluNode, PReluNode)
"""What counts as a ReLU of the network, an element each."""

OPERATORS: Mapping[str, type[Node]] = {
    "input": InputNode,
    "conv": ConvNode,
    "linear": LinearNode,
    "batch_norm": BatchNormNode,
    "scale": ScaleNode,
    "relu": ReluNode,
    "clamp": ClampNode,
    "leaky_relu": LeakyReluNode,
    "prelu": PReluNode,
    "polynomial": PolynomialNode,
    "add": AddNode,
    "concat": ConcatNode,
    "avg_pool": AvgPoolNode,
    "adaptive_avg_pool": AdaptiveAvgPoolNode,
    "max_pool": MaxPoolNode,
    "flatten": FlattenNode,
    "reshape": ReshapeNode,
    "permute": PermuteNode,
    "slice": SliceNode,
    "subsample": SubsampleNode,
    "pad": PadNode,
    "identity": IdentityNode,
    "output": OutputNode,
}
"""The names of operators in files and messages."""

_OPERATOR_NAMES = {kind: name for name, kind in OPERATORS.items()}


_INSIDE = (
    *("scaled", "root", "inner", "cube", "joined"),
    *("spread scaled", "spread root", "spread inner", "spread cube"),
)


def range_names(node: Node) -> dict[str, str]:
    """Names in a graph's ranges for values inside a node, beside its own (`graph.polynomials`)."""
    inside = _INSIDE if isinstance(node, PolynomialNode) else ()
    return {value: f"{node.name}#{value}" for value in inside}


def operator_name(node: Node) -> str:
    return _OPERATOR_NAMES.get(type(node), "fused")
