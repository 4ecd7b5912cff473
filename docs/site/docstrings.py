"""Turns the Markdown of docstrings into the reStructuredText that Sphinx expects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")


def as_restructured_text(lines: Iterable[str]) -> list[str]:
    """Returns the lines with fenced blocks and code in backticks as reStructuredText writes them.

    Interactive examples stay as they are.

    >>> as_restructured_text(["Returns `x`.", "", "```python", "f(x)", "```"])
    ['Returns ``x``.', '', '.. code-block:: python', '', '   f(x)', '']
    >>> as_restructured_text([">>> len('`x`')", "3"])
    [">>> len('`x`')", '3']
    """
    return list(_converted(lines))


def _converted(lines: Iterable[str]) -> Iterator[str]:
    fenced = example = False
    for line in lines:
        stripped = line.strip()
        if stripped.startswith("```") and not fenced:
            fenced = True
            indent = line[: len(line) - len(line.lstrip())]
            yield f"{indent}.. code-block:: {stripped.removeprefix('```') or 'text'}"
            yield ""
        elif stripped == "```":
            fenced = False
            yield ""
        elif fenced:
            yield f"   {line}" if stripped else ""
        else:
            example = stripped.startswith(">>> ") or (example and bool(stripped))
            yield line if example else _CODE.sub(r"``\1``", line)
