"""Nodes that move elements: shapes, orders, choices and zeros around."""

from __future__ import annotations

from dataclasses import dataclass

from pi_bench.network.graph.node import Node, Padding
from pi_bench.shape import Pair


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
class TakeNode(Node):
    """A choice of channels: channel i of the value is channel `positions[i]` of its input, zeros where -1.

    Positions are public. One may occur several times.

    >>> import numpy as np
    >>> from pi_bench.network.graph import Graph
    >>> from pi_bench.network.graph.float_operators import apply
    >>> node = TakeNode("chosen", ("x",), (4,), positions=(2, -1, 0, 0))
    >>> apply(node, [np.float32([[5, 6, 7]])], Graph((), {})).tolist()
    [[7.0, 0.0, 5.0, 5.0]]
    """

    positions: tuple[int, ...]


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
