"""Converts the parts of a linear term to JSON values, and a peer's JSON values to parts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pi_bench.network.program import (
    ChannelMap,
    ChannelSlice,
    Convolution,
    ElementMap,
    FullyConnected,
    LocalOp,
    Pad,
    Permute,
    Reshape,
    Subsample,
    SumPool,
    SumWindows,
    Weighted,
    Window,
)
from pi_bench.network.program.fields import MAX_DIMENSION, FieldError, Fields

_MAX_WINDOWS = 1 << 12
_MAX_FACTOR = 1 << 16

_Readers = Mapping[str, Callable[[Fields, str], Any]]


def _channel(fields: Fields, name: str) -> int:
    return fields.integer(name, 0, MAX_DIMENSION)


def _channel_count(fields: Fields, name: str) -> int:
    return fields.integer(name, 1, MAX_DIMENSION)


def _windows(fields: Fields, name: str) -> tuple[Window, ...]:
    return tuple(_window(item) for item in fields.items(name, _MAX_WINDOWS))


def _window(value: Any) -> Window:
    if not isinstance(value, list) or len(value) != 3:
        raise FieldError("a window of a pool is malformed")
    fields = Fields(dict(zip(("begin", "end", "factor"), value, strict=True)), _WINDOW, "window")
    begin, end = (fields.integer(name, 0, MAX_DIMENSION) for name in ("begin", "end"))
    return Window(begin, end, fields.integer("factor", 1, _MAX_FACTOR))


_WINDOW = {"begin", "end", "factor"}

_LOCAL: Mapping[str, tuple[type[LocalOp], _Readers]] = {
    "sum_pool": (SumPool, {"kernel": Fields.pair, "stride": Fields.pair, "padding": Fields.padding}),
    "sum_windows": (SumWindows, {"rows": _windows, "columns": _windows}),
    "subsample": (Subsample, {"stride": Fields.pair, "offset": Fields.offsets, "size": Fields.pair}),
    "channel_slice": (ChannelSlice, {"first": _channel, "count": _channel_count}),
    "channel_map": (ChannelMap, {"channels": Fields.channels}),
    "reshape": (Reshape, {"shape": Fields.shape}),
    "permute": (Permute, {"axes": Fields.axes}),
    "pad": (Pad, {"padding": Fields.padding}),
}

_ELEMENT_MAP = "element_map"

_WEIGHTS: _Readers = {
    "weight": Fields.text,
    "in_shape": Fields.shape,
    "out_shape": Fields.shape,
    "groups": _channel_count,
}
_WEIGHTED: Mapping[str, tuple[type[Weighted], _Readers]] = {
    "fully_connected": (FullyConnected, _WEIGHTS),
    "convolution": (
        Convolution,
        {
            **_WEIGHTS,
            "kernel": Fields.pair,
            "stride": Fields.pair,
            "padding": Fields.padding,
            "dilation": Fields.pair,
        },
    ),
}

_NAMES = {kind: name for table in (_LOCAL, _WEIGHTED) for name, (kind, _) in table.items()}
_NAMES[ElementMap] = _ELEMENT_MAP


def operator_to_fields(op: LocalOp | Weighted) -> dict[str, Any]:
    """Converts an operator of a term to JSON values: its fields but arrays, and its kind as ``op``.

    >>> operator_to_fields(ChannelSlice(first=1, count=2))
    {'op': 'channel_slice', 'first': 1, 'count': 2}
    """
    fields = {field.name: getattr(op, field.name) for field in dataclasses.fields(op)}
    plain = {name: _plain(value) for name, value in fields.items() if not isinstance(value, np.ndarray)}
    return {"op": _NAMES[type(op)], **plain}


def local_from_fields(value: Any, positions: np.ndarray | None = None) -> LocalOp:
    """Converts a peer's JSON values to a local operator. `positions` are those of a map of elements.

    Raises:
        FieldError: an unknown operator, or a field that it cannot have.

    >>> local_from_fields({"op": "channel_slice", "first": 1, "count": 2})
    ChannelSlice(first=1, count=2)
    """
    if isinstance(value, dict) and value.get("op") == _ELEMENT_MAP:
        fields = Fields(value, {"op", "shape"}, _ELEMENT_MAP)
        if positions is None or positions.dtype != np.int32 or positions.ndim != 1 or not positions.size:
            raise FieldError("a map of elements has no positions")
        return ElementMap(positions, fields.shape("shape"))
    local: LocalOp = _from_fields(value, _LOCAL, "a local operator")
    return local


def weighted_from_fields(value: Any) -> Weighted:
    """Converts a peer's JSON values to an operator with weights.

    Raises:
        FieldError: an unknown operator, or a field that it cannot have.

    >>> shapes = {"in_shape": [1, 4], "out_shape": [1, 2]}
    >>> weighted_from_fields({"op": "fully_connected", "weight": "w", "groups": 1, **shapes}).weight_shape
    (2, 4)
    """
    weighted: Weighted = _from_fields(value, _WEIGHTED, "a weighted operator")
    return weighted


def _from_fields(value: Any, table: Mapping[str, tuple[type, _Readers]], what: str) -> Any:
    name = value.get("op") if isinstance(value, dict) else None
    if not isinstance(name, str) or name not in table:
        raise FieldError(f"{what} of the unknown kind {name!r:.40}")
    kind, readers = table[name]
    fields = Fields(value, {"op", *readers}, name)
    return kind(**{field: read(fields, field) for field, read in readers.items()})


def _plain(value: Any) -> Any:
    if isinstance(value, Window):
        return [value.begin, value.end, value.factor]
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
