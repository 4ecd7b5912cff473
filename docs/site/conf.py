"""The configuration of Sphinx for the site; `python -m docs.site` runs it."""

from __future__ import annotations

import importlib.metadata
import re
from typing import Any

from docs.site.docstrings import as_restructured_text

project = "pi-bench"
copyright = "the pi-bench developers, Apache License 2.0"
version = release = importlib.metadata.version("pi-bench")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
myst_heading_anchors = 6

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
python_maximum_signature_line_length = 88
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"pi-bench {version}"
html_static_path = ["static"]
html_css_files = ["style.css"]
html_show_sphinx = False
html_copy_source = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"
copybutton_exclude = ".linenos, .gp, .go"
copybutton_prompt_text = ">>> |\\$ "
copybutton_prompt_is_regexp = True


def _convert(app: Any, what: str, name: str, thing: object, options: Any, lines: list[str]) -> None:
    lines[:] = as_restructured_text(lines)


def _name_defaults(
    app: Any, what: str, name: str, thing: object, options: Any, signature: str | None, result: str | None
) -> tuple[str | None, str | None]:
    """Writes defaults that are functions as their names: Sphinx cannot read `<function f>`."""
    return signature and re.sub(r"<function (\w+)>", r"\1", signature), result


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", _convert, priority=100)  # before napoleon
    app.connect("autodoc-process-signature", _name_defaults)
