"""Lowers means, sums, maxima and minima over whole axes: pools whose window is the axes' extent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pi_bench.network.graph import AvgPoolNode, FlattenNode, MaxPoolNode, Node, Pair, ReshapeNode, ScaleNode
from pi_bench.network.lowering.arrangement import axis_of, in_order, reshaped
from pi_bench.network.lowering.state import FxNode, Lowering, Translator, refuse, result_shape


def _reduced(lowering: Lowering, call: FxNode, given: dict[str, Any], kind: str) -> None:
    source, dimensions = lowering.value(call, given["self"]), given.get("dim")
    if isinstance(dimensions, int):
        dimensions = [dimensions]
    if not dimensions:
        raise refuse(call, "it reduces all axes, the batch too; name the axes, such as dim=(2, 3)")
    if given.get("dtype") is not None and str(given["dtype"]) != "torch.float32":
        raise refuse(call, f"it makes an activation {given['dtype']}; keep activations float32")
    axes = sorted({axis_of(call, source, dimension) for dimension in dimensions})
    pooled = _over(lowering, call, source, axes, kind)
    result = result_shape(call) or (1,)
    if pooled.shape == result:
        lowering.values[call] = pooled
    else:
        kind_of_node = FlattenNode if len(result) == 1 else ReshapeNode
        lowering.add(call, kind_of_node(lowering.name(call, "flatten"), (pooled.name,), result))


def summed_over(lowering: Lowering, call: FxNode, source: Node, axes: Sequence[int]) -> Node:
    """Sums over axes, which are counted without the batch and left out of the result.

    >>> import torch
    >>> call = torch.fx.Graph().call_function(torch.ops.aten.einsum.default, ())
    >>> summed_over(Lowering(sources={}), call, ReshapeNode("x", (), (3, 8, 8)), [1, 2]).shape
    (3,)
    """
    total = _over(lowering, call, source, sorted(axes), "sum")
    return reshaped(
        lowering, call, total, tuple(n for i, n in enumerate(source.shape) if i not in axes) or (1,)
    )


def _over(lowering: Lowering, call: FxNode, source: Node, axes: Sequence[int], kind: str) -> Node:
    """Pools the windows of whole axes; the result is a map, whose elements are those of the others."""
    kernel = (1, 1)
    if len(source.shape) == 3 and 0 not in axes:
        kernel = (source.shape[1] if 1 in axes else 1, source.shape[2] if 2 in axes else 1)
        plane = source
    else:
        others = [axis for axis in range(len(source.shape)) if axis not in axes]
        kept, count = (math.prod(source.shape[axis] for axis in group) for group in (others, axes))
        plane = reshaped(lowering, call, in_order(lowering, call, source, [*others, *axes]), (kept, count, 1))
        kernel = (count, 1)
    return _pooled(lowering, call, plane, kernel, kind)


def _pooled(lowering: Lowering, call: FxNode, plane: Node, kernel: Pair, kind: str) -> Node:
    shape = (plane.shape[0], plane.shape[1] // kernel[0], plane.shape[2] // kernel[1])
    if kind == "amin":
        plane = negated(lowering, call, plane)
    name = lowering.name(call, kind)
    pooled: Node = (
        MaxPoolNode(name, (plane.name,), shape, kernel, kernel, (0, 0))
        if kind in ("amax", "amin")
        else AvgPoolNode(
            name, (plane.name,), shape, kernel, kernel, (0, 0), divisor=1 if kind == "sum" else None
        )
    )
    lowering.append(pooled)
    return negated(lowering, call, pooled) if kind == "amin" else pooled


def negated(lowering: Lowering, call: FxNode, source: Node) -> Node:
    """Returns the node of -source, which a comparison needs as well.

    >>> import torch
    >>> call = torch.fx.Graph().call_function(torch.ops.aten.neg.default, ())
    >>> negated(Lowering(sources={}), call, ReshapeNode("x", (), (2,))).factor
    -1.0
    """
    name = lowering.name(call, "scale")
    return lowering.append(ScaleNode(name, (source.name,), source.shape, -1.0, 0.0))


def _mean(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    _reduced(lowering, call, given, "mean")


def _sum(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    _reduced(lowering, call, given, "sum")


def _amax(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    _reduced(lowering, call, given, "amax")


def _amin(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    _reduced(lowering, call, given, "amin")


TRANSLATORS: Mapping[str, Translator] = {"mean": _mean, "sum": _sum, "amax": _amax, "amin": _amin}
