"""Colors of the page in light and dark, and the style of its plots.

A specification names a color as ``var(--NAME)``. The page defines these variables for light and dark, so that
the plots follow the reader's choice and turn light in print without being drawn again. Files of plots get
the light colors.

A color has one meaning on the whole page. The client, the server, their messages, waiting, round trips
and measured times have colors of their own. Protocols and methods of papers have others, the same in every
plot.

The colors keep a contrast of 3 to 1 or more to the background. Those of bars keep it to the ink as well, in
which ticks and lines are drawn over them. Readers with any kind of color vision can tell the colors of bars
that stand side by side apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

LIGHT = {
    "background": "#ffffff",
    "panel": "#f4f6f8",
    "ink": "#1b1f24",
    "faint": "#59636e",
    "grid": "#d5dae0",
    "accent": "#0066a6",
    "alarm": "#b3261e",
    "client": "#2b78c2",
    "server": "#0a9168",
    "messages": "#d2620a",
    "waiting": "#84898f",
    "trips": "#2f8fa8",
    "measured": "#a2589f",
    "first": "#4b3fa8",
    "second": "#c8386b",
    "third": "#00858a",
    "fourth": "#7a3f00",
    "fifth": "#6f8f00",
    "sixth": "#4b5563",
    "seventh": "#9c3d2e",
}
DARK = {
    "background": "#14171c",
    "panel": "#1e232a",
    "ink": "#e8ebef",
    "faint": "#a7b0bb",
    "grid": "#3a424c",
    "accent": "#5db3ee",
    "alarm": "#ff8a80",
    "client": "#3f83d0",
    "server": "#128f6b",
    "messages": "#cf6a1e",
    "waiting": "#7d858e",
    "trips": "#2c8aa3",
    "measured": "#ac62ab",
    "first": "#9d8cff",
    "second": "#ff7fa8",
    "third": "#3fc9c6",
    "fourth": "#cf8d45",
    "fifth": "#c6de55",
    "sixth": "#c3ccd6",
    "seventh": "#f0937f",
}
BAR_NAMES = ("client", "server", "messages", "waiting", "trips", "measured")
"""The names of the colors of bars."""
CLIENT, SERVER, MESSAGES, WAITING, TRIPS, MEASURED = (f"var(--{name})" for name in BAR_NAMES)
INK, FAINT, ALARM, BACKGROUND = (f"var(--{name})" for name in ("ink", "faint", "alarm", "background"))
_SERIES_NAMES = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")
SERIES = tuple(f"var(--{name})" for name in _SERIES_NAMES)
"""The colors of protocols, methods and other series with names, in the order in which they are given."""
_VARIABLE = re.compile(r"var\(--(\w+)\)")


def colors_by_name(names: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """Gives each name a color of `SERIES`, in the order in which the names appear. They repeat at the end.

    Args:
        taken: colors that none gets, unless all are taken.

    >>> colors_by_name(["delphi", "fss", "delphi"])
    {'delphi': 'var(--first)', 'fss': 'var(--second)'}
    """
    used = set(taken)
    free = [color for color in SERIES if color not in used] or SERIES
    return {name: free[number % len(free)] for number, name in enumerate(dict.fromkeys(names))}


def plot_style() -> dict[str, Any]:
    """Returns the style of all plots as a configuration of Vega-Lite.

    >>> plot_style()["background"]
    'transparent'
    """
    font = "system-ui, 'Liberation Sans', Arial, sans-serif"
    text = {"labelColor": INK, "titleColor": INK, "labelFontSize": 12, "titleFontSize": 12}
    return {
        "background": "transparent",
        "font": font,
        "axis": {
            **text,
            "titleFontWeight": "normal",
            "domainColor": FAINT,
            "tickColor": FAINT,
            "gridColor": "var(--grid)",
            "labelOverlap": True,
        },
        "axisY": {"labelLimit": 260},
        "legend": {
            **text,
            "title": None,
            "orient": "top",
            "columns": 4,
            "labelLimit": 200,
            "symbolBaseFillColor": FAINT,
            "symbolBaseStrokeColor": FAINT,
        },
        "view": {"stroke": None},
        "bar": {"color": MEASURED},
        "point": {"filled": True, "size": 70, "opacity": 1},
        "tick": {"opacity": 1},
        "rule": {"color": INK},
        "text": {"color": INK, "fontSize": 12},
    }


def in_light_colors(value: Any) -> Any:
    """Replaces every variable of a color by the light color, in all texts of a specification.

    >>> in_light_colors({"mark": {"color": "var(--ink)"}, "height": 3})
    {'mark': {'color': '#1b1f24'}, 'height': 3}
    """
    if isinstance(value, dict):
        return {name: in_light_colors(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [in_light_colors(each) for each in value]
    if isinstance(value, str):
        known = _VARIABLE.fullmatch(value)
        return LIGHT.get(known[1], value) if known else value
    return value
