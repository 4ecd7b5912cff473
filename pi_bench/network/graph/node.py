"""The fields of every node of a float graph, and nodes without an operator of their own.

Paddings are zeros, ``(rows, columns)`` for both sides or ``(top, bottom, left, right)``.
"""

from __future__ import annotations

from dataclasses import dataclass

from pi_bench.shape import Shape

Padding = tuple[int, int] | tuple[int, int, int, int]


def padding_sides(padding: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Expands a padding to (top, bottom, left, right).

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


_CITING_FIELDS = ("weight", "bias", "mean", "variance", "coefficients")


def cited_parameters(node: Node) -> dict[str, str]:
    """Maps the fields of a node that cite a parameter of the graph to the parameters' names.

    >>> from pi_bench.network.graph import LinearNode
    >>> cited_parameters(LinearNode("head", ("x",), (10,), weight="head.w", bias=None))
    {'weight': 'head.w'}
    """
    found = {field: getattr(node, field, None) for field in _CITING_FIELDS}
    return {field: name for field, name in found.items() if name is not None}


@dataclass(frozen=True, slots=True)
class InputNode(Node):
    """The network's only input, with a public factor 2**channel_bits of each channel or feature.

    None means 1 everywhere. Features of small ranges have large factors, so that one scale fits all of them.

    >>> InputNode("input", (), (3, 32, 32)).channel_bits is None
    True
    """

    channel_bits: tuple[int, ...] | None = None


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
