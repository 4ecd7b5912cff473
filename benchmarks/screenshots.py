"""Screenshots of a page of `pi-bench report`: light, dark, on a phone, and as it is printed.

`python -m benchmarks.screenshots PAGE.html FOLDER` writes light.webp, dark.webp, phone.webp and print.webp
into FOLDER. It needs Chromium. Each picture shows the first 6,000 pixels, once the last plot is drawn.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.browser import BROWSER, Browser

DRAWN = "document.documentElement.dataset.drawn ?? null"
PATIENCE_S = 30.0
HEIGHT = 6000


@dataclass(frozen=True, slots=True)
class View:
    """How a reader sees the page: name of the file, width in CSS pixels, and media features."""

    name: str
    width: int
    media: str = "screen"
    scheme: str = "light"


VIEWS = (
    View("light", 1100),
    View("dark", 1100, scheme="dark"),
    View("phone", 390),
    View("print", 794, media="print"),  # the width of A4
)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("page", type=Path, metavar="PAGE.html")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parsed = parser.parse_args(arguments)
    if BROWSER is None:
        print("no Chromium is installed: install chromium, or google-chrome", file=sys.stderr)
        return 7
    parsed.folder.mkdir(parents=True, exist_ok=True)
    for view in VIEWS:
        with tempfile.TemporaryDirectory() as profile, Browser(Path(profile)) as browser:
            address = parsed.page.resolve().as_uri()
            picture = browser.picture(
                address,
                DRAWN,
                view.width,
                HEIGHT,
                media=view.media,
                scheme=view.scheme,
                patience_s=PATIENCE_S,
            )
        (parsed.folder / f"{view.name}.webp").write_bytes(picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
