"""Lessons: the learner's file, checks that recognise mistakes, grades, pages.

An author needs `open_page` in lesson.py, `check`, `replaces` and `own` in checks.py, and `Mutant` in mutants.py.
"""

from minidepth.learn.check import check
from minidepth.learn.mine import own, replaces
from minidepth.learn.mutant import Mutant
from minidepth.learn.page import open_page
from minidepth.learn.probe import Probe

__all__ = ["Mutant", "Probe", "check", "open_page", "own", "replaces"]
