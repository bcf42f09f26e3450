"""Hold BLAS to one thread while a kernel runs, and give back the number that the program had set.

A matrix product starts threads of its own. In a kernel it must not: a kernel has its own way to use all cores
(threads.py), two threads per core would push each other's tiles out of the cache, and BLAS's threads wait by spinning,
so that one busy neighbour costs ten times the work. One thread also gives the same bits on every machine with the same
cores; products by two threads differ from those by one in the last digit.

BLAS has one number for the whole process, so what is held here is held for all. Hence three rules: it is changed only
between the start and the end of a kernel; of kernels that overlap, the last one to end puts back what the first one
found; and a number that the program has set meanwhile, from another thread, stays. No rule helps a program that *reads*
the number from another thread while a kernel runs, as ``threadpool_limits`` does when it begins: it reads 1, and puts
1 back when it ends. Such limits are better set before the threads are started.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_users = 0
_found: list[int] = []
"""What each library had when the first of the users came."""


@contextmanager
def one_thread() -> Iterator[None]:
    """``with one_thread():`` a matrix product runs in the thread that calls it."""
    global _users
    with _lock:
        if _users == 0:
            _found[:] = [library.num_threads for library in libraries()]
            for library, found in zip(libraries(), _found):
                if found != 1:
                    _set(library, 1)
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _put_back()


@cache
def libraries() -> list[Any]:
    """The BLAS libraries in this process, as threadpoolctl finds them: NumPy's, and perhaps others."""
    return ThreadpoolController().select(user_api="blas").lib_controllers


def _put_back() -> None:
    for library, found in zip(libraries(), _found):
        if found != 1 and library.num_threads == 1:
            _set(library, found)


def _set(library: Any, number: int) -> None:
    """From any thread, and without a claim: threadpoolctl 3.8 and later lets only one thread at a time set numbers."""
    let_go = getattr(library, "clear_controlling_thread", None)
    if let_go is None:
        library.set_num_threads(number)
    else:
        let_go(force=True)
        library.set_num_threads(number)
        let_go()


def _after_fork() -> None:
    """A forked child has none of the threads whose kernels were running."""
    global _lock, _users
    _lock = threading.Lock()
    if _users:
        _users = 0
        _put_back()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
