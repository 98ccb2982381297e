"""The built site: every link and picture in it is there, and nothing is loaded from another machine.

    python tools/check_site.py build/site

mkdocs looks at the links that are written in Markdown; this looks at what came out, HTML and anchors included.
"""

from __future__ import annotations

import argparse
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("object", "data"),
          ("source", "src"), ("video", "src")}  # fmt: skip
"""What a browser fetches without being asked."""
METADATA = {"canonical", "next", "prev", "author"}
"""Links that tell of a page and are not fetched."""


class Page(HTMLParser):
    """The addresses a page refers to, and its anchors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[tuple[str, bool]] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where a tag points, and whether the browser follows."""
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "link" and given.get("rel") in METADATA:
            return
        for name in ("href", "src", "data"):
            if given.get(name):
                self.links.append((given[name], (tag, name) in LOADED))


def faults(folder: Path) -> list[str]:
    """What is wrong, a line each."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        if path.name == "404.html":  # its addresses are those of a site at the root of a server
            continue
        here = path.relative_to(folder)
        for link, loaded in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if loaded and parts.scheme != "data":
                    found.append(f"{here}: loads {link}")
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            if not target.exists():
                found.append(f"{here}: {link} is not there")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                found.append(f"{here}: {link} has no such place")
    for path in sorted(folder.rglob("*.css")):
        text = path.read_text(encoding="utf-8")
        if "url(http" in text or "url(//" in text or "@import" in text:
            found.append(f"{path.relative_to(folder)}: loads from elsewhere")
    return found


def main() -> None:
    """Print what is wrong; exit status 1 if anything is."""
    parser = argparse.ArgumentParser(description="Look for broken links, and for what is loaded from elsewhere.")
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder.resolve()
    if not (folder / "index.html").exists():
        sys.exit(f"{folder} has no index.html: is it a site?")
    found = faults(folder)
    print("\n".join(found) or f"{len(list(folder.rglob('*.html')))} pages, no broken link, nothing from elsewhere")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
