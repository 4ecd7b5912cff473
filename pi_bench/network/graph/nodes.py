"""The operators of a float graph. Shapes leave the batch out; a node's value has the node's name.

Paddings are zeros, ``(rows, columns)`` for both sides or ``(top, bottom, left, right)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pi_bench.shape import Pair, Shape

Padding = tuple[int, int] | tuple[int, int, int, int]


def padding_sides(padding: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Expand a padding to (top, bottom, left, right).

    >>> padding_sides((1, 2))
    (1, 1, 2, 2)
    """
    if len(padding) == 2:
        rows, columns = padding
        return rows, rows, columns, columns
    top, bottom, left, right = padding
    return top, bottom, left, right


@dataclass(frozen=True, slots=True)
class Node:
    """The fields of every node: its name, the names of earlier nodes that it reads, and its value's shape.

    The shape leaves the batch out.

    >>> Node("sum", inputs=("left", "right"), shape=(8, 4, 4)).inputs
    ('left', 'right')
    """

    name: str
    inputs: tuple[str, ...]
    shape: Shape


@dataclass(frozen=True, slots=True)
class InputNode(Node):
    """The network's only input.

    >>> InputNode("input", (), (3, 32, 32)).shape
    (3, 32, 32)
    """


@dataclass(frozen=True, slots=True)
class ConvNode(Node):
    """A two-dimensional convolution. Parameters: weight (out, in / groups, kh, kw), bias (out,).

    >>> node = ConvNode("stem", ("input",), (8, 16, 16), "stem.weight", None, stride=(2, 2), padding=(1, 1))
    >>> node.dilation, node.groups
    ((1, 1), 1)
    """

    weight: str
    bias: str | None
    stride: Pair
    padding: Padding
    dilation: Pair = (1, 1)
    groups: int = 1


@dataclass(frozen=True, slots=True)
class LinearNode(Node):
    """A fully connected layer. Parameters: weight (out, in), bias (out,).

    >>> LinearNode("head", ("flatten",), (10,), weight="head.weight", bias=None).shape
    (10,)
    """

    weight: str
    bias: str | None


@dataclass(frozen=True, slots=True)
class BatchNormNode(Node):
    """A batch normalization in inference: weight * (x - mean) / sqrt(variance + epsilon) + bias.

    Its parameters are (channels,) each; `weight` and `bias` may be None (1 and 0). Any other secret scale and
    shift per channel is written as a batch normalization too.

    >>> node = BatchNormNode("bn", ("conv",), (8, 4, 4), None, None, "bn.mean", "bn.variance", epsilon=1e-5)
    >>> node.mean
    'bn.mean'
    """

    weight: str | None
    bias: str | None
    mean: str
    variance: str
    epsilon: float


@dataclass(frozen=True, slots=True)
class ScaleNode(Node):
    """A public scale and shift, factor * x + shift, equal for all elements; factor is not 0.

    >>> import numpy as np
    >>> from pi_bench.network.graph import Graph
    >>> from pi_bench.network.graph.float_operators import apply
    >>> node = ScaleNode("scale", ("x",), (2,), factor=3.0, shift=1.0)
    >>> apply(node, [np.float32([[-2, 3]])], Graph((), {})).tolist()
    [[-5.0, 10.0]]
    """

    factor: float
    shift: float


@dataclass(frozen=True, slots=True)
class ReluNode(Node):
    """A ReLU: max(0, x) where the mask is True, x elsewhere.

    The mask is bool of the node's shape; None means that every element has its ReLU.

    >>> import numpy as np
    >>> from pi_bench.network.graph import Graph
    >>> from pi_bench.network.graph.float_operators import apply
    >>> masks = {"m": np.array([True, True, False])}
    >>> node = ReluNode("relu", ("x",), (3,), mask="m")
    >>> apply(node, [np.float32([[-1, 2, -3]])], Graph((), {}, masks)).tolist()
    [[0.0, 2.0, -3.0]]
    """

    mask: str | None = None


@dataclass(frozen=True, slots=True)
class ClampNode(Node):
    """A clamp with public bounds, min(max(x, low), high); None is no bound. ReLU6 is (0, 6).

    >>> import numpy as np
    >>> from pi_bench.network.graph import Graph
    >>> from pi_bench.network.graph.float_operators import apply
    >>> relu6 = ClampNode("relu6", ("x",), (3,), low=0.0, high=6.0)
    >>> apply(relu6, [np.float32([[-1, 2, 9]])], Graph((), {})).tolist()
    [[0.0, 2.0, 6.0]]
    """

    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class LeakyReluNode(Node):
    """A leaky ReLU: x where x > 0, else slope * x, with one public slope of magnitude below 1.

    >>> import numpy as np
    >>> from pi_bench.network.graph import Graph
    >>> from pi_bench.network.graph.float_operators import apply
    >>> node = LeakyReluNode("leaky", ("x",), (2,), slope=0.5)
    >>> apply(node, [np.float32([[-4, 2]])], Graph((), {})).tolist()
    [[-2.0, 2.0]]
    """

    slope: float


@dataclass(frozen=True, slots=True)
class PReluNode(Node):
    """A leaky ReLU with secret slopes. Parameter: weight (channels,) or (1,).

    >>> PReluNode("prelu", ("conv",), (8, 4, 4), weight="prelu.weight").weight
    'prelu.weight'
    """

    weight: str


@dataclass(frozen=True, slots=True)
class PolynomialNode(Node):
    """A polynomial activation of degree 2 or 3, or a mixture, which has ReLU in some channels.

    `coefficients` names the secret parameter (channels, degree + 1), the constant first. `relu` names a mask
    (channels,) of the channels that have max(0, x); None means no channel. The kind of each channel (ReLU or
    the degree) is public, and so is the sign of the coefficient of a leading x^2.

    >>> PolynomialNode("act", ("conv",), (8, 4, 4), coefficients="act.coefficients").relu is None
    True
    """

    coefficients: str
    relu: str | None = None


@dataclass(frozen=True, slots=True)
class AddNode(Node):
    """The sum of two values of equal shape.

    >>> AddNode("sum", ("block", "shortcut"), (8, 4, 4)).inputs
    ('block', 'shortcut')
    """


@dataclass(frozen=True, slots=True)
class ConcatNode(Node):
    """A concatenation of values along their channels; all other sizes are equal.

    >>> ConcatNode("cat", ("left", "right"), (16, 4, 4)).shape  # of two values (8, 4, 4)
    (16, 4, 4)
    """


@dataclass(frozen=True, slots=True)
class AvgPoolNode(Node):
    """A mean over windows; global average pooling is one too.

    `ceil` adds the windows that begin inside the padded input and end beyond it. `count_padding` makes the
    mean count the zeros of the padding. `divisor` replaces the number of elements.

    >>> AvgPoolNode("pool", ("relu",), (8, 1, 1), kernel=(4, 4), stride=(4, 4), padding=(0, 0)).ceil
    False
    """

    kernel: Pair
    stride: Pair
    padding: Padding
    ceil: bool = False
    count_padding: bool = True
    divisor: int | None = None


@dataclass(frozen=True, slots=True)
class AdaptiveAvgPoolNode(Node):
    """A mean over windows from floor(i * in / out) to ceil((i + 1) * in / out).

    The node's shape gives `out`.

    >>> AdaptiveAvgPoolNode("pool", ("relu",), (8, 3, 3)).shape
    (8, 3, 3)
    """


@dataclass(frozen=True, slots=True)
class MaxPoolNode(Node):
    """A maximum over windows; the padding never counts. `ceil` as in `AvgPoolNode`.

    >>> import numpy as np
    >>> from pi_bench.network.graph import Graph
    >>> from pi_bench.network.graph.float_operators import apply
    >>> node = MaxPoolNode("pool", ("x",), (1, 1, 2), kernel=(1, 2), stride=(1, 2), padding=(0, 0))
    >>> apply(node, [np.float32([[[[1, -2, -3, -4]]]])], Graph((), {})).tolist()
    [[[[1.0, -3.0]]]]
    """

    kernel: Pair
    stride: Pair
    padding: Padding
    ceil: bool = False


@dataclass(frozen=True, slots=True)
class FlattenNode(Node):
    """A change of shape to ``(features,)``, in row-major order.

    >>> FlattenNode("flatten", ("pool",), (32,)).shape  # of a value (8, 2, 2)
    (32,)
    """


@dataclass(frozen=True, slots=True)
class ReshapeNode(Node):
    """A change of shape to the node's shape, in row-major order.

    >>> ReshapeNode("view", ("x",), (2, 4, 4)).shape  # of a value (32,)
    (2, 4, 4)
    """


@dataclass(frozen=True, slots=True)
class PermuteNode(Node):
    """A change of the order of axes: axis i of the value is axis `axes[i]` of its input.

    The batch is not counted.

    >>> import numpy as np
    >>> from pi_bench.network.graph import Graph
    >>> from pi_bench.network.graph.float_operators import apply
    >>> node = PermuteNode("swap", ("x",), (3, 2, 1), axes=(2, 1, 0))
    >>> apply(node, [np.zeros((1, 1, 2, 3))], Graph((), {})).shape
    (1, 3, 2, 1)
    """

    axes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SliceNode(Node):
    """A range of channels: from `first` on, as many as the node's shape has.

    >>> import numpy as np
    >>> from pi_bench.network.graph import Graph
    >>> from pi_bench.network.graph.float_operators import apply
    >>> apply(SliceNode("part", ("x",), (2,), first=1), [np.arange(4)[None]], Graph((), {})).tolist()
    [[1, 2]]
    """

    first: int


@dataclass(frozen=True, slots=True)
class SubsampleNode(Node):
    """The rows and columns ``offset + i * stride``, as many as the node's shape has.

    Positions outside of the input give the row or column at its edge.

    >>> import numpy as np
    >>> from pi_bench.network.graph import Graph
    >>> from pi_bench.network.graph.float_operators import apply
    >>> node = SubsampleNode("odd", ("x",), (1, 1, 3), offset=(0, 1), stride=(1, 2))
    >>> apply(node, [np.arange(5).reshape(1, 1, 1, 5)], Graph((), {})).tolist()
    [[[[1, 3, 4]]]]
    """

    offset: Pair
    stride: Pair


@dataclass(frozen=True, slots=True)
class PadNode(Node):
    """Zeros around a value: `channels` before and after its channels, `padding` around the map.

    >>> import numpy as np
    >>> from pi_bench.network.graph import Graph
    >>> from pi_bench.network.graph.float_operators import apply
    >>> node = PadNode("pad", ("x",), (3,), channels=(0, 1), padding=(0, 0))
    >>> apply(node, [np.ones((1, 2))], Graph((), {})).tolist()
    [[1.0, 1.0, 0.0]]
    """

    channels: Pair
    padding: Padding


@dataclass(frozen=True, slots=True)
class IdentityNode(Node):
    """Its input unchanged: dropout in inference, or `torch.nn.Identity`.

    >>> IdentityNode("dropout", ("relu",), (8,)).inputs
    ('relu',)
    """


@dataclass(frozen=True, slots=True)
class OutputNode(Node):
    """The network's only output: logits ``(features,)``, or a map.

    >>> OutputNode("output", ("head",), (10,)).shape
    (10,)
    """


ACTIVATIONS = (ReluNode, ClampNode, LeakyReluNode, PReluNode)
"""Nodes that count as ReLUs of the network, one per element."""

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
    """Map each value inside a polynomial activation to its name in a graph's ranges.

    Other nodes have no values inside. `graph.polynomials` explains the values.

    >>> range_names(PolynomialNode("act", ("x",), (4,), "act.coefficients"))["root"]
    'act#root'
    >>> range_names(ReluNode("relu", ("x",), (4,)))
    {}
    """
    inside = _INSIDE if isinstance(node, PolynomialNode) else ()
    return {value: f"{node.name}#{value}" for value in inside}


def operator_name(node: Node) -> str:
    """Return the name of a node's operator in files and messages.

    >>> operator_name(ReluNode("layer1.0.relu", ("x",), (4,)))
    'relu'
    """
    return _OPERATOR_NAMES.get(type(node), "fused")
