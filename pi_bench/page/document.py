"""Writes the sections as one HTML file that needs no network and no other file.

jinja2 fills the templates and escapes every text, because its autoescape is on for all of them: a layout is
read as HTML, and no name of a network can become a tag. Besides, the page's content security policy lets the
browser run the scripts of this page alone, known by their hashes, and load nothing.

Plots and results are embedded as compressed JSON in base64, so that a page of many runs stays small and no
text in them can end a script. The page's button writes the results as a file that ``pi-bench history import``
reads.

The first plot stands in the page as SVG as well, so that it is there before a script has run, and without
one. The script draws it again, for the width of the reader's window.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pi_bench.page.figure_files import plots_of
from pi_bench.page.inputs import printable
from pi_bench.page.parts import Section
from pi_bench.page.renderer import drawn, javascript
from pi_bench.page.runs import CAUTION_MARK, DOUBT_MARK
from pi_bench.page.theme import DARK, LIGHT, plot_style
from pi_bench.page.words import WORDS, pattern_of

if TYPE_CHECKING:
    from markupsafe import Markup

_COMMAND = re.compile(r"`([^`]+)`")
_SPACE = "\N{NO-BREAK SPACE}"
_PAGE_WIDTH, _COLUMN_WIDTH = 1184, 580
"""The pixels of a plot that has the width of a large window, and of one that shares it with a second."""
_TEMPLATES = files(__package__) / "template"
_PAGE_SCRIPTS = ("chooser.js", "labels.js", "page.js")
"""The files of the page's own script, in the order in which they need each other."""


def html_page(
    title: str,
    sections: Sequence[Section],
    documents: Sequence[Mapping[str, Any]],
    settings: Sequence[tuple[str, str]] = (),
    set_up: str = "",
) -> str:
    """Returns the page. Each word that a table named "words" explains leads there where it is used first.

    Args:
        documents: the values of the JSON of the results, to be embedded.
        settings: names and values for the line under the title.
        set_up: sentences on the set-up, for papers.

    >>> page = html_page("two runs </title>", [Section("bytes", "Bytes")], [])
    >>> page.count("</title>"), "two runs &lt;/title&gt;" in page
    (1, True)
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["marked"] = _Marked(sections)
    environment.filters["unbroken"] = _unbroken
    specs = {plot.name: plot.spec for plot in plots_of(sections)}
    clock = _inline(_template("clock.js"))
    scripts = [_inline(javascript()), _inline(_page_script())]
    return environment.get_template("page.html").render(
        title=printable(title),
        sections=sections,
        settings=settings,
        set_up=set_up,
        plots=_packed(json.dumps(specs)),
        first_plot=_first_plot(sections),
        style=plot_style(),
        light=LIGHT,
        dark=DARK,
        css=_template("page.css"),
        clock=clock,
        scripts=scripts,
        policy=_policy([clock, *scripts]),
        results=_packed(_lines(documents)),
        result_count=len(documents),
    )


def _first_plot(sections: Sequence[Section]) -> dict[str, str]:
    """Draws the first plot of the page; returns its name with its SVG, and nothing without a plot."""
    for each in sections:
        for plot in each.plots[:1]:
            width = _PAGE_WIDTH if plot.choice or len(each.plots) == 1 else _COLUMN_WIDTH
            style = {**plot_style(), "padding": {"left": 12, "top": 5, "right": 12, "bottom": 5}}
            return {plot.name: drawn({**plot.spec, "width": width}, style)}
    return {}


def _template(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _page_script() -> str:
    """Joins the files of the page's own script in a scope, apart from the short names of the library."""
    return "(() => {\n" + "\n".join(_template(name) for name in _PAGE_SCRIPTS) + "})();\n"


def _unbroken(text: str) -> str:
    """Keeps lines from breaking after an ellipsis, and before the mark of a run or a percent sign."""
    for mark in (CAUTION_MARK, DOUBT_MARK, "%"):
        text = text.replace(f" · {mark}", f"{_SPACE}·{_SPACE}{mark}").replace(f" {mark}", f"{_SPACE}{mark}")
    return text.replace("…", "…\N{WORD JOINER}")


class _Marked:
    """Escapes texts, marks up the commands between backticks, and links each explained word once.

    The templates use it for the texts of a page in their order.
    """

    def __init__(self, sections: Sequence[Section]) -> None:
        tables = [table for each in sections if each.name == WORDS for table in each.tables]
        self._addresses = {
            row[0].lower(): address
            for table in tables
            for row, address in zip(table.rows, table.addresses.values(), strict=True)
        }
        longest_first = sorted(self._addresses, key=len, reverse=True)
        self._names = longest_first
        self._any = re.compile("|".join(f"({pattern_of(word)})" for word in longest_first), re.IGNORECASE)

    def __call__(self, text: str) -> Markup:
        from markupsafe import Markup

        pieces = _COMMAND.split(_unbroken(text))  # every second piece was between backticks
        return Markup("").join(
            Markup("<code>{}</code>").format(piece) if at % 2 else self._linked(piece)
            for at, piece in enumerate(pieces)
        )

    def _linked(self, text: str) -> Markup:
        from markupsafe import Markup

        found, end = [], 0
        for match in self._any.finditer(text) if self._names else ():
            word = self._names[(match.lastindex or 1) - 1]
            address = self._addresses.pop(word, None)
            if address is not None:
                found.append(Markup.escape(text[end : match.start()]))
                found.append(Markup('<a class="word" href="#{}">{}</a>').format(address, match[0]))
                end = match.end()
        return Markup("").join([*found, Markup.escape(text[end:])])


def _inline(script: str) -> str:
    """Makes a script safe inside a script element, which the first ``</script`` in it would end."""
    return script.replace("\r\n", "\n").replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _policy(scripts: Sequence[str]) -> str:
    """Allows these scripts alone, styles of the page, and no connection."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _lines(documents: Sequence[Mapping[str, Any]]) -> str:
    """Writes the results, one line of JSON each, in the form of ``pi-bench history export``."""
    return "".join(
        json.dumps({"tags": [], "result": document}, separators=(",", ":")) + "\n" for document in documents
    )


def _packed(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
