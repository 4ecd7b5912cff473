"""The plots of a page as files for papers: SVG, PDF and PNG, in light colors on white."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pi_bench.page.parts import Plot, Section
from pi_bench.page.renderer import FORMATS, converted
from pi_bench.page.theme import LIGHT, in_light_colors, plot_style

_WIDTH = 480
_FONT = "Liberation Sans, Arial, sans-serif"


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
    spec = in_light_colors({**plot.spec, "width": _WIDTH, "autosize": "pad"})
    style = in_light_colors({**plot_style(), "background": LIGHT["background"], "font": _FONT})
    for form in FORMATS:
        yield f"{plot.name}.{form}", converted(spec, style, form)
