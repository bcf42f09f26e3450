"""Markdown and Python as HTML: markdown-it-py does the one, Pygments the other."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

_LESSON = re.compile(r"\b[Ll]esson (\d+)\b")
_CODE = re.compile(r"`([^`]+)`")


class Heading(NamedTuple):
    """One heading of a page."""

    level: int
    anchor: str
    html: str


class Prose:
    """Turns the prose of one page into HTML.

    Args:
        pages: name of the page of each lesson, by number; "lesson 4" in the prose becomes a link to it.
    """

    def __init__(self, pages: Mapping[int, str]) -> None:
        from markdown_it import MarkdownIt

        self.pages = pages
        self.headings: list[Heading] = []
        self._markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
        self._markdown.inline.ruler.before("emphasis", "product", _product)
        renderer: Any = self._markdown.renderer
        self._renderer, rules = renderer, renderer.rules
        rules["heading_open"], rules["text"] = self._heading, self._text
        rules["code_block"] = rules["fence"] = self._block
        rules["th_open"] = lambda *_: '<th scope="col">'

    def html(self, text: str) -> str:
        """Markdown as HTML; its headings are noted in `headings`."""
        return str(self._markdown.render(text))

    def _heading(self, tokens: Sequence[Any], index: int, options: Any, env: Any) -> str:
        level, inline = int(tokens[index].tag[1:]), tokens[index + 1]
        anchor = anchor_of(inline.content, [heading.anchor for heading in self.headings])
        words = self._renderer.renderInline(inline.children or [], options, {"plain": True})
        self.headings.append(Heading(level, anchor, words))
        return f'<h{level} id="{anchor}">'

    def _text(self, tokens: Sequence[Any], index: int, options: Any, env: Any) -> str:
        text = escape(tokens[index].content, quote=False)
        nested = sum(token.nesting for token in tokens[:index] if token.type in ("link_open", "link_close"))
        return text if nested or env.get("plain") else _LESSON.sub(self._link, text)

    def _link(self, match: re.Match[str]) -> str:
        page = self.pages.get(int(match[1]))
        return f'<a href="{page}">{match[0]}</a>' if page else match[0]

    def _block(self, tokens: Sequence[Any], index: int, options: Any, env: Any) -> str:
        if tokens[index].info.strip() in ("python", "py"):
            return code_html(tokens[index].content)
        return f'<pre class="formula"><code>{escape(tokens[index].content, quote=False)}</code></pre>\n'


def _product(state: Any, silent: bool) -> bool:
    """A star between two letters or digits is a product, as in 2*w, and never begins or ends *emphasis*."""
    text, place = state.src, state.pos
    if text[place] != "*" or not (text[:place][-1:].isalnum() and text[place + 1 :][:1].isalnum()):
        return False
    if not silent:
        state.pending += "*"
    state.pos += 1
    return True


def anchor_of(heading: str, taken: Collection[str]) -> str:
    """``exercise-4-2-forward``: the id of a heading, other than those of the headings above it."""
    anchor = plain = re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-") or "part"
    number = 2
    while anchor in ("main", "theme", "keys", *taken):
        anchor, number = f"{plain}-{number}", number + 1
    return anchor


def code_html(code: str) -> str:
    """Python with a class around each word; the style sheet gives the classes their colours."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    words = highlight(code, PythonLexer(), HtmlFormatter(nowrap=True))
    return f'<pre class="code"><code>{words}</code></pre>\n'


def line_html(text: str) -> str:
    """A plain sentence, such as a hint, in which only `backticks` mean something: stars in it are products."""
    return _CODE.sub(r"<code>\1</code>", escape(text, quote=False))
