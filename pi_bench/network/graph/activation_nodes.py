"""Nodes of activations: ReLUs and their relatives, and polynomials."""

from __future__ import annotations

from dataclasses import dataclass

from pi_bench.network.graph.node import Node


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
    """A polynomial activation of degree 2 or 3, or a mixture, which has ReLU in some channels or elements.

    `coefficients` names the secret parameter (channels, degree + 1), the constant first. `relu` names a mask
    of the channels, (channels,), or of the elements, of the node's shape, that have max(0, x). None means
    that none has it. The kind of each element (ReLU or the degree) is public, and so is the sign of the
    coefficient of a leading x^2.

    >>> PolynomialNode("act", ("conv",), (8, 4, 4), coefficients="act.coefficients").relu is None
    True
    """

    coefficients: str
    relu: str | None = None
