"""The library that draws: Vega-Lite, through vl-convert-python.

The page gets its JavaScript, and draws the specifications in the reader's browser. For files the same
specifications are converted without a browser.
"""

from __future__ import annotations

import functools
from typing import Any

from pi_bench.errors import EnvironmentUnsupportedError

FORMATS = ("svg", "pdf", "png")
_PNG_PIXELS_PER_INCH = 200
_SNIPPET = "window.vegaEmbed = vegaEmbed;"


def require_renderer() -> None:
    """Checks that the libraries of the extra ``report`` are installed, before anything is read.

    Raises:
        EnvironmentUnsupportedError: one of them is not.

    >>> require_renderer()
    """
    try:
        import jinja2  # noqa: F401
        import vl_convert  # noqa: F401
    except ImportError as error:
        raise EnvironmentUnsupportedError(
            f"a report needs {error.name}, which is not installed: pip install 'pi-bench[report]'"
        ) from None


@functools.cache  # making it takes more than a second
def javascript() -> str:
    """Returns the JavaScript that defines ``vegaEmbed``, which draws a specification into an element.

    >>> "vegaEmbed" in javascript()
    True
    """
    import vl_convert

    return str(vl_convert.javascript_bundle(_SNIPPET))


def converted(spec: dict[str, Any], style: dict[str, Any], form: str) -> bytes:
    """Converts a specification to a file.

    Args:
        form: one of `FORMATS`.

    >>> spec = {"data": {"values": [{"a": 1}]}, "mark": "bar", "encoding": {"x": {"field": "a"}}}
    >>> converted(spec, {}, "pdf")[:4]
    b'%PDF'
    """
    import vl_convert

    if form == "svg":
        return str(vl_convert.vegalite_to_svg(spec, config=style)).encode()
    if form == "pdf":
        return bytes(vl_convert.vegalite_to_pdf(spec, config=style))
    return bytes(vl_convert.vegalite_to_png(spec, config=style, ppi=_PNG_PIXELS_PER_INCH))
