"""Lowers the larger and the smaller of two values: max(a, b) = b + relu(a - b), min(a, b) = a - relu(a - b).

A maximum with one number for all elements is a clamp. The maximum of one value over an axis is a pool.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pi_bench.network.graph import AddNode, BatchNormNode, Node, ReluNode
from pi_bench.network.lowering import reductions
from pi_bench.network.lowering.activations import clamped
from pi_bench.network.lowering.state import FxNode, Lowering, Translator, refuse


def _maximum(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    _compared(lowering, call, given, larger=True)


def _minimum(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    _compared(lowering, call, given, larger=False)


def _compared(lowering: Lowering, call: FxNode, given: dict[str, Any], *, larger: bool) -> None:
    first, second = given["self"], given["other"]
    if lowering.constant(first) is not None:
        first, second = second, first
    source, bound = lowering.value(call, first), lowering.constant(second)
    if bound is not None and (bound == bound.flat[0]).all():
        number = float(bound.flat[0])
        clamped(lowering, call, first, number if larger else None, None if larger else number)
        return
    if bound is not None:
        lowering.values[call] = bounded(lowering, call, source, bound, larger=larger)
        return
    other = lowering.value(call, second)
    if source.shape != other.shape:
        raise refuse(call, f"shapes {source.shape} and {other.shape} differ; compare tensors of equal shape")
    excess = _rectified(
        lowering, call, _sum(lowering, call, source, reductions.negated(lowering, call, other))
    )
    if larger:
        lowering.values[call] = _sum(lowering, call, other, excess)
    else:
        lowering.values[call] = _sum(lowering, call, source, reductions.negated(lowering, call, excess))


def bounded(lowering: Lowering, call: FxNode, source: Node, bound: np.ndarray, *, larger: bool) -> Node:
    """Returns max(source, bound), or min, for a bound with one number per channel.

    Raises:
        ModelError: the bound differs inside a channel.

    >>> import torch
    >>> from pi_bench.network.graph import ReshapeNode
    >>> call, lowering = torch.fx.Graph().call_function(torch.ops.aten.maximum.default, ()), Lowering({})
    >>> call.meta["val"] = torch.zeros(1, 2)
    >>> node = bounded(lowering, call, ReshapeNode("x", (), (2,)), np.float64([0, 1]), larger=True)
    >>> [type(node).__name__ for node in lowering.nodes]
    ['BatchNormNode', 'ReluNode', 'BatchNormNode']
    """
    shape = (1, *source.shape)
    if np.broadcast_shapes(bound.shape, shape) != shape:
        raise refuse(call, f"it broadcasts an activation of {source.shape}")
    full = np.broadcast_to(bound, shape).reshape(source.shape[0], -1)
    if (full != full[:, :1]).any():
        raise refuse(call, "its bound differs between the elements of a channel; use one number per channel")
    column, sign = full[:, 0], 1.0 if larger else -1.0  # min(x, b) = b - relu(b - x)
    excess = _affine(lowering, call, source, sign, -sign * column)
    return _affine(lowering, call, _rectified(lowering, call, excess), sign, column)


def _affine(lowering: Lowering, call: FxNode, source: Node, gain: float, shift: np.ndarray) -> Node:
    name, channels = lowering.name(call, "shift"), source.shape[0]
    values = {
        "weight": np.full(channels, gain),
        "bias": shift,
        "mean": np.zeros(channels),
        "variance": np.ones(channels),
    }
    cited = {key: lowering.cite(f"{name}.{key}", value) for key, value in values.items()}
    return lowering.append(BatchNormNode(name, (source.name,), source.shape, **cited, epsilon=0.0))


def _sum(lowering: Lowering, call: FxNode, left: Node, right: Node) -> Node:
    return lowering.append(AddNode(lowering.name(call, "add"), (left.name, right.name), left.shape))


def _rectified(lowering: Lowering, call: FxNode, source: Node) -> Node:
    return lowering.append(ReluNode(lowering.name(call, "relu"), (source.name,), source.shape))


def _max(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    """Lowers `torch.max` of two values, or over an axis; the positions are not supported."""
    if "other" in given:
        _maximum(lowering, call, given)
    else:
        reductions.TRANSLATORS["amax"](lowering, call, given)


def _min(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    if "other" in given:
        _minimum(lowering, call, given)
    else:
        reductions.TRANSLATORS["amin"](lowering, call, given)


TRANSLATORS: Mapping[str, Translator] = {
    "maximum": _maximum,
    "minimum": _minimum,
    "fmax": _maximum,
    "fmin": _minimum,
    "max": _max,
    "min": _min,
}
