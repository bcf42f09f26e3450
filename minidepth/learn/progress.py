"""What the learner has done: one small JSON file beside their work. Losing it loses no work."""

from __future__ import annotations

import json
import os
from typing import Any

from minidepth.learn.page import work_folder

NAME = "progress.json"


class Progress:
    """``exercise -> {"passed": bool, "hints": n, "gave_up": bool}``, read from and written to the work folder."""

    def __init__(self) -> None:
        self.path = work_folder() / NAME
        try:
            rows = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # none yet, or damaged: it starts again
            rows = {}
        rows = rows if isinstance(rows, dict) else {}
        self.rows: dict[str, dict[str, Any]] = {key: row for key, row in rows.items() if isinstance(row, dict)}

    def get(self, exercise: str, what: str) -> Any:
        """``passed``, ``hints`` (how many were opened) or ``gave_up`` of an exercise; 0 where nothing is known."""
        return self.rows.get(exercise, {}).get(what, 0)

    def set(self, exercise: str, **values: Any) -> None:
        """Change what is known of an exercise, and write it down at once."""
        self.rows[exercise] = {**self.rows.get(exercise, {}), **values}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".part")
        temporary.write_text(json.dumps(self.rows, indent=1) + "\n", encoding="utf-8")
        os.replace(temporary, self.path)
