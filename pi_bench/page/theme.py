"""Colors of the page in light and dark, and the style of its plots.

A specification names a color as ``var(--NAME)``. The page defines these variables for light and dark, so that
the plots follow the reader's choice and turn light in print without being drawn again. Files of plots get
the light colors.

The colors keep a contrast of 3 to 1 or more to the background, and readers with any kind of color vision
can tell those that stand side by side apart.
"""

from __future__ import annotations

import re
from typing import Any

LIGHT = {
    "background": "#ffffff",
    "panel": "#f4f6f8",
    "ink": "#1b1f24",
    "faint": "#59636e",
    "grid": "#d5dae0",
    "first": "#0066a6",
    "second": "#b75301",
    "third": "#00775a",
    "fourth": "#94459a",
    "fifth": "#6b6f76",
    "sixth": "#8a6d00",
    "alarm": "#b3261e",
}
DARK = {
    "background": "#14171c",
    "panel": "#1e232a",
    "ink": "#e8ebef",
    "faint": "#a7b0bb",
    "grid": "#3a424c",
    "first": "#5db3ee",
    "second": "#f2a353",
    "third": "#45cba0",
    "fourth": "#d894d8",
    "fifth": "#9aa2ad",
    "sixth": "#e3cc55",
    "alarm": "#ff8a80",
}
SERIES = tuple(f"var(--{name})" for name in ("first", "second", "third", "fourth", "fifth", "sixth"))
"""The colors of series, in the order in which they are given."""

INK, FAINT, ALARM, BACKGROUND = (f"var(--{name})" for name in ("ink", "faint", "alarm", "background"))
_VARIABLE = re.compile(r"var\(--(\w+)\)")


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
        "bar": {"color": SERIES[0]},
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
