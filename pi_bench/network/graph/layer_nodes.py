"""Nodes of linear layers and pools."""

from __future__ import annotations

from dataclasses import dataclass

from pi_bench.network.graph.node import Node, Padding
from pi_bench.shape import Pair


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
