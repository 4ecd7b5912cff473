"""Pieces of Vega-Lite that several plots use: axes with units, bars, ticks, intervals, points.

Each piece is a layer with the rows that it draws. One row gives one mark, and a line takes all its rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pi_bench.page.theme import INK, SERIES

Rows = Sequence[Mapping[str, Any]]
Encoding = dict[str, Any]
_BAR_STEP = 24
_FRAME: Encoding = {"width": "container", "autosize": {"type": "fit-x", "contains": "padding"}}
"""The width is that of the page. The height is that of the bars, and axes and legends come on top of it."""
_POINT_HEIGHT = 300
_SHORT_LABEL = "truncate(datum.label, 40, 'center', '…')"
"""Shortens a long name in its middle, because runs differ at the ends of their labels."""
_DIGITS = 6
_FULL_DECADES = 2
_WIDE_FACTOR = 20
UPRIGHT = "M-.35,-2.1H.35V2.1H-.35Z"
"""The shape of an upright tick, of which a legend can show the same."""
_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")


def rounded(value: float) -> float:
    """Rounds to six significant digits, which keeps the page small and no plot can show more.

    >>> rounded(0.00541999999)
    0.00542
    """
    return float(f"{value:.{_DIGITS}g}")


def quantity(field: str, title: str, unit: str, *, zero: bool = True) -> Encoding:
    """Returns the encoding of a quantity, with SI prefixes at the axis.

    Args:
        unit: the symbol of the unit, such as s or B; "" for counts.
        zero: whether the axis begins at 0.

    >>> quantity("online_s", "online latency", "s")["axis"]["labelExpr"]
    "replace(format(datum.value, '~s'), 'µ', 'u') + 's'"
    """
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "scale": {"zero": zero},
        "axis": {"labelExpr": with_prefix("datum.value", unit), "tickCount": 5},
    }


def with_prefix(expression: str, unit: str) -> str:
    """Returns the expression of Vega that writes a value with an SI prefix and its unit, as tables do.

    >>> with_prefix("datum.value", "B")
    "replace(format(datum.value, '~s'), 'µ', 'u') + 'B'"
    """
    return f"replace(format({expression}, '~s'), 'µ', 'u') + '{unit}'"


def logarithmic(field: str, title: str, unit: str, values: Sequence[float]) -> Encoding:
    """Returns the encoding of a quantity on a logarithmic axis, with ticks at 1, 2 and 5 times powers of ten.

    Over more than two powers of ten, the ticks are at the powers alone. The title says that the axis is
    logarithmic, because axes of other plots of the same section may begin at 0.

    Args:
        values: all values that are drawn, above 0.

    >>> logarithmic("relus", "ReLUs", "", [12288, 229376])["axis"]["values"]
    [10000.0, 20000.0, 50000.0, 100000.0, 200000.0, 500000.0]
    """
    values = values or [1.0]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    ticks = [rounded(factor * 10.0**power) for power in range(low, high + 1) for factor in (1, 2, 5)]
    begin = max((tick for tick in ticks if tick <= min(values)), default=min(values))
    end = min((tick for tick in ticks if tick >= max(values) and tick > begin), default=10 * max(values))
    if high - low > _FULL_DECADES:
        ticks = [tick for tick in ticks if f"{tick:e}".startswith("1.0")]
    encoding = quantity(field, f"{title} (logarithmic)", unit)
    encoding["scale"] = {"type": "log", "domain": [begin, end], "nice": False}
    encoding["axis"]["values"] = [tick for tick in ticks if begin <= tick <= end]
    return encoding


def spread_out(field: str, title: str, unit: str, values: Sequence[float]) -> Encoding:
    """Returns a logarithmic axis where values differ by a factor of more than 20, and else one from 0.

    On an axis from 0 such values would lie on one another near its begin.

    >>> spread_out("time_s", "time", "s", [1.0, 30.0])["scale"]["type"]
    'log'
    >>> spread_out("time_s", "time", "s", [0.0, 30.0])["scale"]
    {'zero': True}
    """
    if values and 0 < _WIDE_FACTOR * min(values) < max(values):
        return logarithmic(field, title, unit, values)
    return quantity(field, title, unit)


def names(labels: Sequence[str], field: str = "run") -> Encoding:
    """Returns the encoding of names from top to bottom, in this order.

    >>> names(["a", "b"])["scale"]["domain"]
    ['a', 'b']
    """
    return {
        "field": field,
        "type": "nominal",
        "title": None,
        "scale": {"domain": list(labels)},
        "axis": {"grid": False, "labelOverlap": False, "labelExpr": _SHORT_LABEL},
    }


def series(field: str, values: Sequence[str], colors: Sequence[str] = SERIES) -> Encoding:
    """Returns the encoding of a series as a color. The colors repeat if there are more series.

    >>> series("protocol", ["delphi", "fss"])["scale"]["range"]
    ['var(--first)', 'var(--second)']
    """
    chosen = [colors[number % len(colors)] for number in range(len(values))]
    scale = {"domain": list(values), "range": chosen}
    legend: Encoding = {} if len(values) > 1 else {"legend": None}
    return {"field": field, "type": "nominal", "scale": scale, **legend}


def shapes(field: str, values: Sequence[str], colors: Sequence[str] = (), *, upright: str = "") -> Encoding:
    """Returns the encoding of a series as a shape.

    Args:
        colors: those of the same values. Values of one color get different shapes, up to six.
        upright: the value that is an upright tick.

    >>> shapes("link", ["lan"])["legend"] is None
    True
    >>> shapes("method", ["a", "b", "c"], ["red", "blue", "red"])["scale"]["range"]
    ['circle', 'square', 'square']
    """
    distinct = list(dict.fromkeys(colors))
    places = [distinct.index(color) + colors[:at].count(color) for at, color in enumerate(colors)]
    chosen = [_SHAPES[place % len(_SHAPES)] for place in places or range(len(values))]
    chosen = [UPRIGHT if value == upright else each for value, each in zip(values, chosen, strict=True)]
    scale = {"domain": list(values), "range": chosen}
    legend: Encoding = {} if len(values) > 1 else {"legend": None}
    return {"field": field, "type": "nominal", "scale": scale, **legend}


def tooltip(*fields: str) -> list[Encoding]:
    """Returns the encoding of a tooltip that shows these fields. Underscores become spaces in their titles.

    >>> tooltip("online_text")
    [{'field': 'online_text', 'type': 'nominal', 'title': 'online text'}]
    """
    return [{"field": field, "type": "nominal", "title": field.replace("_", " ")} for field in fields]


def layer(mark: str | Encoding, rows: Rows, **encoding: Encoding | list[Encoding]) -> Encoding:
    """Returns one layer of a plot with the rows that it draws.

    >>> layer("bar", [{"run": "a"}], x={"field": "run"})["data"]["values"]
    [{'run': 'a'}]
    """
    return {"mark": mark, "data": {"values": [dict(row) for row in rows]}, "encoding": encoding}


def interval(rows: Rows, low: str, high: str) -> Encoding:
    """Returns a layer that draws an interval as a line from left to right.

    >>> interval([], "low_s", "high_s")["encoding"]["x2"]
    {'field': 'high_s'}
    """
    ends = {"x": {"field": low, "type": "quantitative"}, "x2": {"field": high}}
    return layer({"type": "rule", "strokeWidth": 2}, rows, color={"value": INK}, **ends)


def bars_of_runs(
    labels: Sequence[str],
    layers: Sequence[Encoding],
    *,
    field: str = "run",
    lines: bool = False,
) -> Encoding:
    """Returns a plot of layers whose rows are named from top to bottom.

    Args:
        lines: whether a thin line leads from each name to the marks of its row, for marks that are no bars.

    >>> bars_of_runs(["a"], [])["height"]
    24
    """
    y = names(labels, field)
    y["axis"]["grid"] = lines
    return {
        **_FRAME,
        "height": _BAR_STEP * len(labels),
        "encoding": {"y": y},
        "layer": list(layers),
    }


def points(layers: Sequence[Encoding]) -> Encoding:
    """Returns a plot of layers over two quantities.

    >>> points([])["width"]
    'container'
    """
    return {**_FRAME, "height": _POINT_HEIGHT, "layer": list(layers)}
