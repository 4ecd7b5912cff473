"""Lists the pages of the site, and copies their texts to one folder from which Sphinx builds it.

The texts are README.md and its neighbors, docs/*.md, and the lists of functions in docs/site/api. Links
between them work on the forge, where all lie in one tree, and are rewritten for the site.
"""

from __future__ import annotations

import posixpath
import re
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

TOP_TEXTS = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
"""The texts of the top folder, with the names of their pages."""

CONTENTS = {
    "Use": {
        "first-measurement": "First measurement in five minutes",
        "your-network": "Your network",
        "reading-a-result": "Reading a result",
        "comparing": "Comparing and keeping",
        "sweeps": "Sweeps and published tables",
        "report-page": "A page of results",
        "faq": "Questions and answers",
    },
    "Figures": {
        "measuring": "Every figure and option",
        "accuracy": "Accuracy",
        "fidelity": "Fidelity",
        "table-4": "DeepReDuce's tables, measured",
        "networks": "Networks, measured",
        "performance": "Performance",
        "bytes-on-links": "Bytes and times on links",
    },
    "Networks": {
        "recipes": "Recipes",
        "training": "Training",
        "reduction": "Reducing ReLUs",
        "frontiers": "Frontiers",
    },
    "Protocols": {
        "protocols": "The protocols",
        "adding-a-protocol": "Adding a protocol",
        "debugging-a-protocol": "Debugging a protocol",
        "threat-model": "Threat model",
        "threat-model-fss": "Threat model of FSS gadgets",
    },
    "Reference": {
        "glossary": "Glossary",
        "file-formats": "File formats",
        "model-file": "Model file",
        "api/measuring": "Python: measuring",
        "api/protocols": "Python: protocols",
        "api/testing": "Python: testing",
    },
    "Project": {
        "architecture": "Architecture",
        "native": "Native code",
        "contributing": "Contributing",
        "security": "Security",
        "changelog": "Changes",
    },
}
"""The pages in the order of the navigation, by section, with their titles there."""

_LINK = re.compile(r"\]\(([^)\s#]+)((?:#[^)]*)?)\)")
_FENCED = re.compile(r"^( *)```.*?^\1```$", re.DOTALL | re.MULTILINE)


def copy_sources(target: Path) -> None:
    """Writes the sources of all pages to the folder `target`, whose earlier contents are removed."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(ROOT / "docs", target, ignore=shutil.ignore_patterns("site"))
    shutil.copytree(ROOT / "docs" / "site" / "api", target / "api")
    for path in (ROOT / "docs").glob("*.md"):
        (target / path.name).write_text(with_site_links(path.read_text(), "docs"))
    for name, page in TOP_TEXTS.items():
        (target / page).write_text(with_site_links((ROOT / name).read_text(), ""))
    with open(target / "index.md", "a") as index:
        index.write(contents_text())


def contents_text() -> str:
    """Returns the navigation as Sphinx reads it, to be put below the text of the first page.

    >>> print("\\n".join(contents_text().splitlines()[1:7]))
    ```{toctree}
    :hidden:
    :caption: Use
    <BLANKLINE>
    First measurement in five minutes <first-measurement>
    Your network <your-network>
    """
    blocks = []
    for section, pages in CONTENTS.items():
        lines = [f"{title} <{page}>" for page, title in pages.items()]
        blocks.append(
            "\n".join(["", "```{toctree}", ":hidden:", f":caption: {section}", "", *lines, "```", ""])
        )
    return "".join(blocks)


def with_site_links(text: str, folder: str) -> str:
    """Rewrites the links in a text of `folder`, "" or "docs", for the folder of the site's sources.

    Links to other places and fenced text stay.

    >>> with_site_links("[a](docs/faq.md#build), [b](SECURITY.md), [c](https://example.org)", "")
    '[a](faq.md#build), [b](security.md), [c](https://example.org)'
    >>> with_site_links("[a](../README.md), [b](faq.md)", "docs")
    '[a](index.md), [b](faq.md)'
    """

    def rewritten(match: re.Match[str]) -> str:
        target, section = match.groups()
        path = posixpath.normpath(posixpath.join(folder, target))
        if re.match(r"[a-z]+:", target) or not (path in TOP_TEXTS or path.startswith("docs/")):
            return match[0]
        return f"]({TOP_TEXTS.get(path, path.removeprefix('docs/'))}{section})"

    parts, end = [], 0
    for fenced in _FENCED.finditer(text):
        parts += [_LINK.sub(rewritten, text[end : fenced.start()]), fenced[0]]
        end = fenced.end()
    return "".join([*parts, _LINK.sub(rewritten, text[end:])])
