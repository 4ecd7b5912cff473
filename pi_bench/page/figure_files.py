"""The plots of a page as files for papers: SVG, PDF and PNG, in light colors on white."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pi_bench.page.parts import Plot, Section
from pi_bench.page.renderer import converted
from pi_bench.page.runs import CAUTION_MARK
from pi_bench.page.theme import LIGHT, in_light_colors, plot_style

_WIDTH = 480
_FONT = "Liberation Sans, Arial, sans-serif"
_LEGEND_COLUMNS = 2
_CAPTION = {"orient": "bottom", "anchor": "start", "offset": 12, "fontSize": 10, "fontWeight": "normal"}
_MARK = "(!)"
"""The mark of a caution in a file. The fonts of files lack the sign, and would change for its label."""


def plots_of(sections: Sequence[Section]) -> list[Plot]:
    """Lists the plots of all sections, in their order.

    >>> plots_of([Section("bytes", "Bytes")])
    []
    """
    return [plot for section in sections for plot in section.plots]


def figure_files(plot: Plot) -> Iterator[tuple[str, bytes]]:
    """Yields the files of a plot: the name of each, and its content.

    >>> from pi_bench.page.parts import PageTable
    >>> spec = {"data": {"values": [{"a": 1}]}, "mark": "bar", "encoding": {"x": {"field": "a"}}}
    >>> [name for name, _ in figure_files(Plot("bytes", "", "", spec, PageTable("", (), ())))]
    ['bytes.svg', 'bytes.pdf', 'bytes.png']
    """
    caption = {"title": {**_CAPTION, "text": list(plot.caption)}} if plot.caption else {}
    spec = _in_letters(in_light_colors({**plot.spec, **caption, "width": _WIDTH, "autosize": "pad"}))
    page_style = plot_style()
    narrow = {**page_style["legend"], "columns": _LEGEND_COLUMNS}  # as wide as the plot, even with long names
    style = in_light_colors(
        {**page_style, "legend": narrow, "background": LIGHT["background"], "font": _FONT}
    )
    for form, content in converted(spec, style).items():
        yield f"{plot.name}.{form}", content


def _in_letters(value: Any) -> Any:
    """Writes the mark of a caution in letters, in all texts of a specification."""
    if isinstance(value, dict):
        return {name: _in_letters(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_in_letters(each) for each in value]
    return value.replace(CAUTION_MARK, _MARK) if isinstance(value, str) else value
