"""Bars of text that show fractions of a whole."""

from __future__ import annotations

import io

from pi_bench.report.text_width import shows_unicode

_CONSOLE_WIDTH = 100
_LEAST = 0.0005


def bar(fraction: float, width: int = 12) -> str:
    """Draws a fraction from 0 to 1 as a bar; 1 has `width` characters. Below 0.05 % there is no bar.

    From 0.05 % on, which a percentage with one decimal writes as 0.1 %, a bar has at least its smallest part.

    The bar has ASCII characters alone where standard output can write no others.

    >>> len(bar(1.0, 8)), len(bar(0.0005)), bar(0.0004)
    (8, 1, '')
    """
    if fraction < _LEAST:
        return ""
    from rich.console import Console  # here, so that a command without a bar starts without it
    from rich.progress_bar import ProgressBar

    console = Console(file=io.StringIO(), width=_CONSOLE_WIDTH, color_system=None, force_terminal=False)
    options = console.options.update(width=width)
    unicode = shows_unicode()
    options.encoding = "utf-8" if unicode else "ascii"  # rich draws by the encoding
    least = (0.5 if unicode else 1) / width
    drawn = ProgressBar(total=1.0, completed=min(max(fraction, least), 1.0), width=width)
    return "".join(segment.text for segment in console.render(drawn, options)).strip()
