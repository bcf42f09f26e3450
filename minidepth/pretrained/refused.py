"""What the readers of this folder raise, and the advice that most of their texts end with.

The readers know no file names: `read_weights` catches this and puts the name in front.
"""

from __future__ import annotations

import string

HOW_TO_SAVE = "in a program that trusts it, save the weights alone: torch.save(model.state_dict(), 'weights.pth')"


class RefusedError(Exception):
    """The file is damaged, hostile, or of a kind that is not read; the text is one line."""


def shown(text: object, longest: int = 80) -> str:
    """A piece of a file that may be hostile, safe to print: one short line, without control characters."""
    whole = str(text) if isinstance(text, (str, int, float)) else type(text).__name__
    cut = whole if len(whole) <= longest else whole[: longest - 3] + "..."
    allowed = string.ascii_letters + string.digits + string.punctuation + " "
    return "".join(letter if letter in allowed else "?" for letter in cut)
