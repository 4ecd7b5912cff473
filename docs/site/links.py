"""Checks the links of built pages: each one inside the site leads to a page and to a place on it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

LOADING = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src", "object": "data"}
"""The attribute by which an element loads another file, by the name of the element."""

NOT_LOADED = {"canonical", "index", "search", "next", "prev", "author", "copyright", "license"}
"""Relations of a link element of which a browser loads nothing."""


class Page(HTMLParser):
    """Collects the places, the links and the loaded files of one page.

    Attributes:
        places: the names of elements to which a link may lead.
        links: the targets of links.
        loaded: the addresses of the files that a browser loads with the page.

    >>> page = Page('<p id="a"><a href="b.html#c">b</a><img src="d.png"></p>')
    >>> page.places, page.links, page.loaded
    ({'a'}, ['b.html#c'], ['d.png'])
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Notes the identifier and the targets of an element."""
        given = {name: value for name, value in attributes if value}
        if "id" in given:
            self.places.add(given["id"])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "link" and NOT_LOADED & set(given.get("rel", "").split()):
            return
        if tag in LOADING and LOADING[tag] in given:
            self.loaded.append(given[LOADING[tag]])


def is_external(address: str) -> bool:
    """Tells whether an address is that of another site.

    >>> is_external("https://example.org"), is_external("//example.org"), is_external("faq.html")
    (True, True, False)
    """
    return re.match(r"(?!data:)[a-z][a-z+.-]*:|//", address) is not None


def faults(folder: Path) -> list[str]:
    """Returns one line for each broken link and for each file that is loaded from another site.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     _ = Path(name, "a.html").write_text('<a href="b.html">b</a><img src="https://example.org/c.png">')
    ...     faults(Path(name))
    ['a.html: no such page: b.html', 'a.html: loads https://example.org/c.png']
    """
    pages = {path: Page(path.read_text()) for path in sorted(folder.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        name = path.relative_to(folder)
        for link in dict.fromkeys([*page.links, *page.loaded]):
            if is_external(link) or link.startswith("data:"):  # the latter holds its own contents
                continue
            address, place = urldefrag(link)
            target = (
                (path.parent / unquote(address.partition("?")[0])).resolve() if address else path.resolve()
            )
            known = next((other for there, other in pages.items() if there.resolve() == target), None)
            if not target.exists():
                found.append(f"{name}: no such page: {link}")
            elif place and known is not None and unquote(place) not in known.places:
                found.append(f"{name}: no such place: {link}")
        found += [f"{name}: loads {address}" for address in page.loaded if is_external(address)]
    for path in sorted(folder.rglob("*.css")):
        loads = re.findall(r"(?:url\(|@import)\s*['\"]?((?:https?:)?//[^'\")\s]+)", path.read_text())
        found += [f"{path.relative_to(folder)}: loads {address}" for address in loads]
    return found


def external_links(folder: Path) -> list[str]:
    """Returns the links to other sites, sorted."""
    pages = [Page(path.read_text()) for path in folder.rglob("*.html")]
    return sorted({link for page in pages for link in page.links if is_external(link)})
