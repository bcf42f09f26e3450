"""A process of its own for a learner's code: limits, what it is told of the outside, and how it ends."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from learn_work import LESSON, work

from minidepth.learn import fence
from minidepth.learn.definitions import Definitions
from minidepth.learn.errors import LearnerError
from minidepth.learn.fence import around
from minidepth.learn.library import load_checks
from minidepth.learn.sandbox import Child, Direct, Wire, plain
from minidepth.learn.uses import allowed_in, uses

TOP = """
import os, sys, time

count = [0]

def environment(): return dict(os.environ)
def where(): return os.getcwd(), sys.path[0]
def double(x, times=2): return times * x
def spoil(x, more):
    x += 1
    more["a"].append(3)
def many():
    for n in range(3000):
        print(n)
def file(size):
    with open("out", "wb") as stream:
        stream.write(bytes(size))
    return os.path.getsize("out")
def limits():
    import resource
    return [list(resource.getrlimit(kind)) for kind in (resource.RLIMIT_AS, resource.RLIMIT_FSIZE)]
def spawn(path):
    import subprocess
    writes = "import sys, time\\nwhile True: open(sys.argv[1], 'a').write('x'); time.sleep(0.02)"
    subprocess.Popen([sys.executable, "-c", writes, path])
def die(): os.kill(os.getpid(), 9)
"""
FAIL = 'def fail(): raise KeyError("missing")'
TOP += FAIL + "\n"


def ask(asked, name, *args, timeout_s=60.0, **kwargs):
    return asked.ask({"do": "call", "name": name, "args": list(args), "kwargs": kwargs}, timeout_s)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("work") / "mine.py"
    path.write_text(TOP, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def child(path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("A_SECRET_TOKEN", "x")
        with Child(path, LESSON, {"memory_mib": 4096, "file_mib": 1}) as child:
            child.start()
            yield child


@pytest.fixture(params=["child", "direct"])
def either(request, path):
    """Both ways must answer alike."""
    if request.param == "direct":
        return Direct(Definitions(TOP, path), load_checks(LESSON))
    return request.getfixturevalue("child")


def test_values_come_back(either):
    answer = ask(either, "double", np.arange(3.0))
    assert np.array_equal(answer["value"], [0, 2, 4]) and answer["changed"] == [] and answer["printed"] == ""
    assert ask(either, "double", (1, "a"), times=1)["value"] == (1, "a")


def test_changed_arguments_are_told_of_and_stay_as_they_were_here(either):
    x, more = np.zeros(2), {"a": [1]}
    assert ask(either, "spoil", x, more)["changed"] == [0, 1]
    assert (x == 0).all() and more == {"a": [1]}


def test_what_is_missing_and_what_is_raised(either):
    answer = ask(either, "nothing")
    assert answer["missing"] == "nothing" and "double" in answer["there"]
    assert "np" not in answer["there"]
    assert ask(either, "double", 1, 2, 3)["signature"] == "(x, times=2) (too many positional arguments)"
    answer = ask(either, "fail")
    assert (answer["raised"], answer["text"]) == ("KeyError", "'missing'")
    line = TOP.splitlines().index(FAIL) + 1
    assert answer["frames"] == [f"line {line}, in fail: {FAIL}"]


def test_printed_text_is_cut(either):
    assert len(ask(either, "many")["printed"]) == 2000


def test_the_environment_has_no_secrets(child):
    value = ask(child, "environment")["value"]
    assert "A_SECRET_TOKEN" not in value and value["OPENBLAS_NUM_THREADS"] == "1"
    assert value["XDG_CACHE_HOME"] == os.environ["XDG_CACHE_HOME"]  # what was rendered once need not be again


def test_it_works_in_a_folder_of_its_own_and_imports_from_elsewhere(child):
    folder, first = ask(child, "where")["value"]
    assert os.path.basename(folder).startswith("minidepth-check-")
    assert first not in ("", folder)


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="Windows has no such limits")
def test_limits_hold_and_cannot_be_lifted(child):
    (memory, most_memory), (size, most_size) = ask(child, "limits")["value"]
    assert memory == most_memory == 4096 << 20 and size == most_size == 1 << 20
    assert ask(child, "file", 1000)["value"] == 1000
    assert ask(child, "file", 2 << 20)["raised"] == "OSError"


def test_a_process_that_died_or_hangs_is_followed_by_another(child):
    before = child._process.pid
    assert ask(child, "die") == {"ended": "died"}
    assert ask(child, "double", 1)["value"] == 2
    assert child._process.pid != before


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="Windows has no process groups")
def test_what_it_has_started_ends_with_it(path, tmp_path):
    alive = tmp_path / "alive"
    with Child(path, LESSON) as child:
        child.start()
        ask(child, "spawn", str(alive))
        while not alive.exists():
            time.sleep(0.01)
    for _ in range(100):
        before = alive.stat().st_size
        time.sleep(0.2)
        if alive.stat().st_size == before:
            return
    raise AssertionError("it still writes")


@pytest.mark.parametrize("program", ["import time; time.sleep(60)", "import os, time; os.close(0); time.sleep(60)"])
def test_nobody_waits_for_a_process_that_neither_reads_nor_writes(program):
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        wire = Wire(process)
        try:
            answer = wire.exchange({"args": np.zeros(1 << 20)}, 0.3)  # more than a pipe holds
            assert answer is None
        except queue.Empty:
            pass
        process.kill()
        wire.close()


def test_a_file_that_cannot_be_loaded(tmp_path):
    (tmp_path / "mine.py").write_text("class Now:\n    1 / 0\n")
    with Child(tmp_path / "mine.py", LESSON) as child, pytest.raises(LearnerError, match="line 2: ZeroDivisionError"):
        child.start()


def test_plain_values():
    assert plain((1, [2.0, {"a": None}])) == (1, [2.0, {"a": None}])
    assert repr(plain(object())) == "a object" and repr(plain({1: 2})) == "a dict"


def test_around_a_folder_is_all_but_that_folder(tmp_path):
    for place in ("a/b/hole/in", "a/c", "d"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "a" / "file").touch()
    found = {str(place.relative_to(tmp_path)) for place in around(tmp_path, tmp_path / "a" / "b" / "hole")}
    assert found == {"a/c", "a/file", "d"}
    assert around(tmp_path / "d", tmp_path / "a") == [tmp_path / "d"]
    assert around(tmp_path / "a", tmp_path) == around(tmp_path, tmp_path) == []


def test_no_fence_where_the_system_has_none(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert fence.fence(tmp_path, tmp_path, tmp_path) == []


def used(**bodies):
    return uses(Definitions(work(**bodies), Path("mine.py")), allowed_in(LESSON))


def test_what_a_file_uses_that_its_lesson_does_without():
    assert used() == []
    line = work(e1="").splitlines().index("def output_size(n: int, k: int, stride: int = 1, pad: int = 0) -> int:") + 3
    for body, text in (
        ("return ops.conv2d(n).shape", "uses minidepth.ops.conv2d, which the lesson's own solution does without"),
        ("return open('x')", "uses open, which is not needed here"),
        (
            "return n.__class__.__subclasses__()",
            "uses x.__class__.__subclasses__, which looks behind Python's curtains",
        ),
        ("np.allclose = n", "changes numpy.allclose for everybody"),
    ):
        assert f"line {line}: {text}" in used(e1=body), body
    assert any("uses os.listdir" in notice for notice in used(top="import os\n", e1="return os.listdir()"))
    assert any(
        "uses scipy.signal.convolve" in n for n in used(top="from scipy.signal import convolve as c\n", e1="return c")
    )
    assert used(e1="return np.linalg.norm(n)") == []
