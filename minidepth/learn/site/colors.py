"""The colours of the pages, light and dark, and from them the first part of the style sheet.

Every colour for text is at least 4.5 to 1 against every ground it stands on, which a test computes (WCAG 2.2, 1.4.3).
"""

from __future__ import annotations

GROUNDS = ("ground", "panel")

LIGHT = {
    "ground": "#ffffff",
    "panel": "#f4f6f8",
    "line": "#c9d0d7",
    "text": "#1b2027",
    "quiet": "#55606c",
    "link": "#0a55a8",
    "comment": "#5a6570",
    "keyword": "#9a1750",
    "string": "#1a6332",
    "number": "#8a3f00",
    "name": "#4a36b0",
    "builtin": "#005f70",
}

DARK = {
    "ground": "#14181d",
    "panel": "#1e242b",
    "line": "#3f4954",
    "text": "#e7eaee",
    "quiet": "#a9b4bf",
    "link": "#86bfff",
    "comment": "#9fabb7",
    "keyword": "#ff9ac1",
    "string": "#93d8a2",
    "number": "#f3b176",
    "name": "#bdb2ff",
    "builtin": "#7ad3e0",
}

CODE = {
    "Comment": "comment",
    "Keyword": "keyword",
    "Operator.Word": "keyword",
    "Literal.String": "string",
    "Literal.Number": "number",
    "Name.Function": "name",
    "Name.Class": "name",
    "Name.Decorator": "name",
    "Name.Builtin": "builtin",
    "Name.Exception": "builtin",
}
"""The colour of each kind of word in code, by Pygments' names; the others have that of the text."""


def style_sheet() -> str:
    """Both sets as variables, and a rule for each class that Pygments gives to words of code. Paper is always light."""
    light, dark = _variables(LIGHT), _variables(DARK)
    return (
        f":root {{ color-scheme: light; {light} }}\n"
        "@media screen and (prefers-color-scheme: dark) {\n"
        f'  :root:not([data-theme="light"]) {{ color-scheme: dark; {dark} }}\n'
        "}\n"
        f'@media screen {{\n  :root[data-theme="dark"] {{ color-scheme: dark; {dark} }}\n}}\n{_code_rules()}\n'
    )


def _variables(colors: dict[str, str]) -> str:
    return " ".join(f"--{name}: {value};" for name, value in colors.items())


def _code_rules() -> str:
    from pygments.token import STANDARD_TYPES, string_to_tokentype

    kinds = {string_to_tokentype(name): color for name, color in CODE.items()}
    classes: dict[str, list[str]] = {}
    for token, short in STANDARD_TYPES.items():
        color = next((kinds[kind] for kind in reversed(token.split()) if kind in kinds), None)
        if color is not None:
            classes.setdefault(color, []).append(f".code .{short}")
    return "\n".join(f"{', '.join(names)} {{ color: var(--{color}); }}" for color, names in classes.items())
