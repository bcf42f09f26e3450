"""Errors that are the user's to mend: one line each, saying what is wrong, where, and what to do.

The operations raise plain ``ValueError`` and ``TypeError`` for wrong shapes and types, as NumPy does. Whatever a
person can get wrong on the command line is an `InputError`; the command line prints its text, without a traceback, and
exits with 2.
"""

from __future__ import annotations


class InputError(ValueError):
    """Something given by the user cannot be used: a path, an option, a file."""


class DataError(InputError):
    """A file of a data set cannot be used; the text names the file and, where there is one, the row."""


class CheckpointError(InputError):
    """A checkpoint is missing, damaged or does not fit; the text names the file."""
