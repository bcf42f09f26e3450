"""What may come back from the process in which a learner's code runs, looked at before anybody uses it.

That code can write whatever it likes where the answers come from. So each answer is rebuilt here from the few forms
that there are, and what has none of them counts as no answer. A forged answer is thus worth as much as a returned one:
its values are compared in this process.
"""

from __future__ import annotations

from typing import Any

from minidepth.learn.codec import clean

MOST_LINES = 200


def trusted(answer: Any) -> dict[str, Any]:
    """The answer in one of the forms of learner.py and child.py.

    Raises:
        ValueError: it has none of them.
    """
    if not isinstance(answer, dict):
        raise ValueError("an answer is a dict")
    if "refused" in answer:
        return {"refused": clean(answer["refused"])}
    if "read" in answer:
        return {"read": True, "notices": _texts(answer.get("notices")), "fences": _texts(answer.get("fences"))}
    if "ready" in answer:
        return {"ready": True}
    if "missing" in answer:
        return {"missing": clean(answer["missing"]), "there": _texts(answer.get("there"))}
    if "signature" in answer:
        return {"signature": clean(answer["signature"])}
    if "raised" in answer:
        kept = {name: clean(answer.get(name)) for name in ("raised", "text", "printed")}
        return {**kept, "frames": _texts(answer.get("frames"))}
    changed = answer.get("changed")
    if "value" not in answer or not isinstance(changed, list) or any(type(place) is not int for place in changed):
        raise ValueError("an answer has a value and what was changed")
    return {"value": answer["value"], "changed": changed, "printed": clean(answer.get("printed"))}


def _texts(values: Any) -> list[str]:
    if not isinstance(values, list):
        raise ValueError("a list of texts was expected")
    return [clean(value) for value in values[:MOST_LINES]]
