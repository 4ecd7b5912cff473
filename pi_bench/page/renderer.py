"""The library that draws: Vega-Lite, through vl-convert-python.

The page gets its JavaScript, and draws the specifications in the reader's browser. For files the same
specifications are converted without a browser.
"""

from __future__ import annotations

import contextlib
import functools
from importlib.metadata import version
from typing import Any

from pi_bench.atomic_file import whole_file
from pi_bench.cache_folder import cache_folder
from pi_bench.errors import EnvironmentUnsupportedError

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


@functools.cache
def javascript() -> str:
    """Returns the JavaScript that defines ``vegaEmbed``, which draws a specification into an element.

    Making it takes more than a second of computing. So it is kept in the user's cache, in a file per version
    of vl-convert-python, if that folder can be written.

    >>> "vegaEmbed" in javascript()
    True
    """
    import vl_convert

    folder = cache_folder()
    kept = None if folder is None else folder / f"vega-{version('vl-convert-python')}.js"
    if kept is not None:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            return kept.read_text(encoding="utf-8")
    made = str(vl_convert.javascript_bundle(_SNIPPET))
    if kept is not None:
        with contextlib.suppress(OSError):
            kept.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(kept) as file:
                file.write(made.encode())
    return made


def drawn(spec: dict[str, Any], style: dict[str, Any]) -> str:
    """Draws a specification, which has a width of its own, as SVG.

    >>> spec = {"data": {"values": [{"a": 1}]}, "mark": "bar", "encoding": {"x": {"field": "a"}}}
    >>> drawn(spec, {})[:4]
    '<svg'
    """
    import vl_convert

    return str(vl_convert.vegalite_to_svg(spec, config=style))


def converted(spec: dict[str, Any], style: dict[str, Any]) -> dict[str, bytes]:
    """Converts a specification to a file of each of the formats SVG, PDF and PNG.

    It is drawn once: the other files are made of the SVG.

    >>> spec = {"data": {"values": [{"a": 1}]}, "mark": "bar", "encoding": {"x": {"field": "a"}}}
    >>> {form: content[:4] for form, content in converted(spec, {}).items()}
    {'svg': b'<svg', 'pdf': b'%PDF', 'png': b'\\x89PNG'}
    """
    import vl_convert

    svg = drawn(spec, style)
    png = vl_convert.svg_to_png(svg, ppi=_PNG_PIXELS_PER_INCH)
    return {"svg": svg.encode(), "pdf": bytes(vl_convert.svg_to_pdf(svg)), "png": bytes(png)}
