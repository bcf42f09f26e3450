"""Where the weights lie in what a file holds: at the top, or wrapped in what a training program saved around them."""

from __future__ import annotations

from typing import Any

from minidepth.pretrained.refused import HOW_TO_SAVE, RefusedError, shown
from minidepth.pretrained.tensors import StoredTensor

WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "weights")
"""Names below which training programs put the weights; the rest, such as the optimiser, is ignored."""


def find_weights(content: Any) -> tuple[dict[str, StoredTensor], tuple[str, ...]]:
    """The tensors by name, and the names of what was left aside.

    Raises:
        RefusedError: there are no weights.
    """
    if not isinstance(content, dict):
        raise RefusedError(f"it holds a {shown(type(content).__name__)} and no weights by name; {HOW_TO_SAVE}")
    aside: list[str] = []
    for wrapper in _wrappers(content):
        aside.extend(str(name) for name in content if name != wrapper)
        content = content[wrapper]
    weights = {str(name): value for name, value in content.items() if isinstance(value, StoredTensor)}
    if not weights:
        names = ", ".join(shown(name, 30) for name in list(content)[:8]) or "nothing"
        raise RefusedError(f"it holds no weights by name (it holds: {names}); {HOW_TO_SAVE}")
    return weights, (*aside, *(str(name) for name in content if str(name) not in weights))


def _wrappers(content: dict[Any, Any]) -> list[str]:
    """The names to follow down to the weights, at most two: a hostile dict may contain itself."""
    names: list[str] = []
    while len(names) < 2:
        inner = {name: content[name] for name in WRAPPERS if isinstance(content.get(name), dict)}
        if not inner or any(isinstance(value, StoredTensor) for value in content.values()):
            break
        names.append(next(iter(inner)))
        content = inner[names[-1]]
    return names
