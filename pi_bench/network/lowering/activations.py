"""Lowers calls that are ReLUs, or that are made of them: clamps and leaky ReLUs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pi_bench.network.graph import ClampNode, LeakyReluNode, Node, PReluNode, ReluNode, ScaleNode
from pi_bench.network.lowering.state import FxNode, Lowering, Translator, refuse


def _relu(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    clamped(lowering, call, given["self"], 0.0, None)


def clamped(lowering: Lowering, call: FxNode, source: Any, low: Any, high: Any) -> None:
    """Clamps an operand between two numbers, or constants of one number; None is no bound.

    Raises:
        ModelError: the bounds are no constants, differ between elements, or leave nothing between them.

    >>> import torch
    >>> from pi_bench.network.graph import InputNode
    >>> graph, lowering = torch.fx.Graph(), Lowering(sources={})
    >>> x = graph.placeholder("x")
    >>> lowering.add(x, InputNode("input", (), (2,)))
    >>> clamped(lowering, graph.call_function(torch.ops.aten.relu6.default, (x,)), x, 0.0, 6.0)
    >>> lowering.nodes[-1].high
    6.0
    """
    bounds = [_bound(lowering, call, bound) for bound in (low, high)]
    value, bounds = _with_clamp_before(lowering, source, lowering.value(call, source), bounds)
    if bounds == [None, None]:
        lowering.values[call] = value
    elif bounds == [0.0, None]:
        lowering.add(call, ReluNode(lowering.name(call, "relu"), (value.name,), value.shape))
    else:
        if None not in bounds and not bounds[0] < bounds[1]:  # type: ignore[operator]
            raise refuse(call, f"its bounds are {bounds[0]:g} and {bounds[1]:g}; the second must be larger")
        lowering.add(call, ClampNode(lowering.name(call, "clamp"), (value.name,), value.shape, *bounds))


def _with_clamp_before(
    lowering: Lowering, argument: FxNode, value: Node, bounds: list[float | None]
) -> tuple[Node, list[float | None]]:
    """Joins a clamp with the ReLU or clamp that it reads alone: min(relu(x), 6) is one clamp of x."""
    if len(argument.users) != 1:
        return value, bounds
    if isinstance(value, ReluNode) and value.mask is None:
        before: tuple[float | None, float | None] = (0.0, None)
    elif isinstance(value, ClampNode):
        before = (value.low, value.high)
    else:
        return value, bounds
    low = max((bound for bound in (before[0], bounds[0]) if bound is not None), default=None)
    high = min((bound for bound in (before[1], bounds[1]) if bound is not None), default=None)
    if low is not None and high is not None and not low < high:
        return value, bounds
    return lowering.node(value.inputs[0]), [low, high]


def _bound(lowering: Lowering, call: FxNode, bound: Any) -> float | None:
    if bound is None:
        return None
    values = lowering.constant(bound)
    if values is None or not values.size or (values != values.flat[0]).any():
        raise refuse(call, "its bounds must be numbers, equal for all elements")
    number = float(values.flat[0])
    return None if math.isinf(number) else number


def _clamp(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    clamped(lowering, call, given["self"], given.get("min"), given.get("max"))


def _hardtanh(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    clamped(lowering, call, given["self"], given["min_val"], given["max_val"])


def _relu6(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    clamped(lowering, call, given["self"], 0.0, 6.0)


def _hardsigmoid(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    """Lowers x / 6 + 1 / 2, clamped between 0 and 1."""
    source, name = lowering.value(call, given["self"]), lowering.reserve(call, "hardsigmoid")
    sloped = ScaleNode(lowering.name(call, "scale"), (source.name,), source.shape, 1 / 6, 0.5)
    lowering.append(sloped)
    lowering.add(call, ClampNode(name, (sloped.name,), source.shape, 0.0, 1.0))


def _threshold(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    if given["threshold"] != given["value"]:
        raise refuse(call, "it jumps at its threshold; use torch.nn.ReLU")
    clamped(lowering, call, given["self"], given["threshold"], None)


def _leaky_relu(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    _sloped(lowering, call, given["self"], float(given["negative_slope"]))


def _rrelu(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    if given["training"]:
        raise refuse(call, "its slopes are random in training; export the module in evaluation")
    _sloped(lowering, call, given["self"], (float(given["lower"]) + float(given["upper"])) / 2)


def _sloped(lowering: Lowering, call: FxNode, argument: Any, slope: float) -> None:
    source = lowering.value(call, argument)
    if slope == 1:
        lowering.values[call] = source
    elif slope == 0:
        lowering.add(call, ReluNode(lowering.name(call, "relu"), (source.name,), source.shape))
    elif abs(slope) < 1:
        name = lowering.name(call, "leaky_relu")
        lowering.add(call, LeakyReluNode(name, (source.name,), source.shape, slope))
    else:
        raise refuse(call, f"its slope is {slope:g}; between -1 and 1 is supported")


def _prelu(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    source, weight = lowering.value(call, given["self"]), lowering.parameter(call, given["weight"])
    lowering.add(call, PReluNode(lowering.name(call, "prelu"), (source.name,), source.shape, weight))


TRANSLATORS: Mapping[str, Translator] = {
    "relu": _relu,
    "relu6": _relu6,
    "hardtanh": _hardtanh,
    "hardsigmoid": _hardsigmoid,
    "clamp": _clamp,
    "clip": _clamp,
    "clamp_min": _clamp,
    "clamp_max": _clamp,
    "threshold": _threshold,
    "leaky_relu": _leaky_relu,
    "rrelu": _rrelu,
    "prelu": _prelu,
    "_prelu_kernel": _prelu,
}
