"""What goes wrong in a lesson: the author's mistakes, and the learner's."""

from __future__ import annotations

from minidepth.errors import InputError


class LessonError(InputError):
    """A lesson, its checks or its mutants are not as they must be: the author's to mend."""


class LearnerError(InputError):
    """The learner's file cannot be used: one sentence that says where, and what to do."""
