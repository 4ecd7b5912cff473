"""Builds the site from the documents and checks it: `python -m docs.site [FOLDER]`, build/site by default.

Warnings of Sphinx are errors. Then every link inside the site must lead to a page and a place on it, and no
page may load anything from another machine. Links to other sites are listed and not fetched.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from docs.site.links import external_links, faults
from docs.site.pages import ROOT, copy_sources


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "site"
    source, pages = folder / "source", folder / "html"
    copy_sources(source)
    options = ("--fail-on-warning", "--keep-going", "--quiet", "--fresh-env", "--write-all")
    command = (sys.executable, "-m", "sphinx", *options, "-c", ROOT / "docs" / "site", source, pages)
    built = subprocess.run(command, cwd=ROOT)
    if built.returncode:
        sys.exit("error: Sphinx reported the warnings above; correct the documents that they name")
    if found := faults(pages):
        sys.exit("\n".join(["error: correct these links in the documents:", *found]))
    others = external_links(pages)
    print("\n".join([*others, f"{len(others)} links to other sites were listed and not fetched"]))
    print(f"read {pages / 'index.html'}")


if __name__ == "__main__":
    main()
