"""HTML read back, for tests of pages: elements with their places, what they link to, contrast of colours."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Element:
    """One element: its name, attributes, what it lies in, and all text inside."""

    def __init__(self, tag: str, attributes: dict[str, str], inside: list[Element]) -> None:
        self.tag, self.attributes, self.inside, self.text = tag, attributes, inside, ""

    def within(self, tag: str) -> bool:
        return any(outer.tag == tag for outer in self.inside)


class Reader(HTMLParser):
    """Reads a page; what is not closed, or closed without having been opened, is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(text)
        self.close()
        assert not self._open, f"<{self._open[-1].tag}> is not closed"

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), f"<{tag}> has an attribute twice"
        element = Element(tag, {name: value or "" for name, value in attrs}, list(self._open))
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag):
        assert self._open and self._open[-1].tag == tag, f"</{tag}> closes nothing, {self.getpos()}"
        self._open.pop()

    def handle_data(self, data):
        for element in self._open:
            element.text += data

    def all(self, *tags: str) -> list[Element]:
        return [element for element in self.elements if element.tag in tags]

    def ids(self) -> list[str]:
        return [element.attributes["id"] for element in self.elements if "id" in element.attributes]


def broken_links(folder: Path) -> list[str]:
    """What pages in `folder` link to or show that is not there, or that lies elsewhere, and files that none needs."""
    pages = {path.name: Reader(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.html"))}
    found, used = [], {folder / "index.html"}
    for name, page in pages.items():
        for element in page.elements:
            for attribute in ("href", "src"):
                target = element.attributes.get(attribute)
                if target is None or target == "data:,":
                    continue
                parts = urlsplit(target)
                if parts.scheme or parts.netloc:
                    if element.tag != "a" or parts.scheme != "https":
                        found.append(f"{name}: {target} is elsewhere")
                    continue
                path = folder / unquote(parts.path) if parts.path else folder / name
                used.add(path)
                if not path.is_file():
                    found.append(f"{name}: {target} is not there")
                elif parts.fragment and parts.fragment not in pages[path.name].ids():
                    found.append(f"{name}: {target} has no such part")
    files = {path for path in folder.rglob("*") if path.is_file()}
    return found + [f"{path.relative_to(folder)}: no page needs it" for path in sorted(files - used)]


def contrast(one: str, other: str) -> float:
    """Of two colours such as #1b2027, from 1 to 21. Source: WCAG 2.2, relative luminance."""

    def luminance(color: str) -> float:
        parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def variables(css: str) -> list[dict[str, str]]:
    """The sets of ``--name: #colour`` in a style sheet, in order."""
    blocks = [dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6});", block)) for block in re.findall(r"\{([^{}]*)\}", css)]
    return [block for block in blocks if block]
