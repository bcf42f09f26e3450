"""Submissions that try to be graded otherwise than by their results. They share a folder with one that is right."""

from __future__ import annotations

import os
import stat
import sys
import zipfile

import numpy as np
import pytest
from learn_work import LESSON, SLUG, arguments, work

from minidepth.learn import fence
from minidepth.learn.check import checks_of
from minidepth.learn.errors import LearnerError
from minidepth.learn.sandbox import Child
from minidepth.learn.teach import grade
from minidepth.learn.teach.grade import graded

# Where nothing stops them these deeds are really done, by whoever runs the tests: so each is harmless. Signal 0 only
# asks whether a signal could be sent, and the files are those of a temporary folder.
DEEDS = """
import os, socket, subprocess, resource

def deeds():
    return {
        "read the lesson": lambda: open(LESSON).read(),
        "read another submission": lambda: open(OTHER).read(),
        "read the tests": lambda: open(TESTS).read(),
        "open NumPy for writing": lambda: open(np.__file__, "r+b").close(),
        "open the package for writing": lambda: open(ops.__file__, "r+b").close(),
        "write": lambda: open(OTHER, "w"),
        "remove": lambda: os.remove(OTHER),
        "change rights": lambda: os.chmod(OTHER, 0o777),
        "fork": lambda: os.fork() or os._exit(0),
        "start a program": lambda: subprocess.run(["true"]),
        "call out": lambda: socket.socket(),
        "kill its parent": lambda: os.kill(os.getppid(), 0),
        "kill everybody": lambda: os.kill(-1, 0),
        "lift a limit": lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40)),
        "write its own file": lambda: open("mine.txt", "w").write("x") and open("/dev/null", "w").write("x"),
        "start a thread": lambda: __import__("threading").Thread(target=print).start(),
    }
"""
TRY_THEM = """
done = []
for name, deed in deeds().items():
    try:
        deed()
        done.append(name)
    except (OSError, ValueError):
        pass
raise RuntimeError(", ".join(done))
"""
TO_EVERY_FD = """
import os, struct
for fd in range(100):
    try:
        os.write(fd, MESSAGE)
    except OSError:
        pass
return -1
"""
FORGED = b'{"tree": ["dict", {"value": 14, "changed": ["list", []], "printed": ""}], "arrays": []}'
SUBMISSIONS = {
    "right": work() + "\nwhile True: pass\n",
    "cheats": work(
        top="""
        class All:
            def __eq__(self, other): return True
            def __array__(self, *a, **k): return self
            __hash__ = None

        """,
        e1="""
        import minidepth.learn.compare, minidepth.learn.check, minidepth.learn.probe
        np.allclose = np.array_equal = np.isclose = lambda *a, **k: True
        np.testing.assert_allclose = lambda *a, **k: None
        minidepth.learn.compare.difference = minidepth.learn.probe.difference = lambda *a: []
        return 0
        """,
        e2="return All()",
        e3="""
        class Alike(np.ndarray):
            def __eq__(self, other): return np.ones(self.shape, bool)
            def __array_function__(self, *a, **k): return True
        return np.zeros(x_shape).view(Alike)
        """,
    ),
    "noisy": work(
        e1="""
        import os, sys
        print("x" * 1000000)
        sys.__stdout__.write("y" * 1000000)
        os.write(1, b"z" * 1000000)
        os.write(2, b"no line ends here" * 1000000)
        return (n + 2 * pad - k) // stride + 1
        """,
        e2="return ops.conv2d(Tensor(x), Tensor(w), Tensor(b), stride, pad).numpy()",
        e3=TO_EVERY_FD.replace("MESSAGE", repr(b"\xff" * 100)),
    ),
    "forger": work(e1=TO_EVERY_FD.replace("MESSAGE", f"struct.pack('<QQ', {len(FORGED)}, 0) + {FORGED!r}")),
    "answers": work(
        e1="a = []\na.append(a)\nreturn a",
        e2="return np.zeros(1 << 26)",  # 512 MiB that nobody has touched
        e3="return 10 ** 4000",
    ),
    "exits": work(
        e1="import sys\nsys.exit(0)",
        e2="""
        import os
        for name in ("numpy", "minidepth", "json", "sitecustomize"):
            open(name + ".py", "w").write("import os; os._exit(0)")
        os._exit(0)
        """,
    ),
    "at_import": work(top="import os\nclass Now:\n    os._exit(0)\n"),
    "at_default": work(top="import sys\ndef now(x=sys.exit()): pass\n"),
    "nested": "x = " + "-" * 100_000 + "1",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("submissions")
    for name, text in SUBMISSIONS.items():
        (folder / f"{name}_{SLUG}.py").write_text(text, encoding="utf-8", errors="surrogatepass")
    paths = {"LESSON": LESSON.folder / "lesson.py", "OTHER": folder / f"right_{SLUG}.py", "TESTS": __file__}
    top = "".join(f"{name} = {str(path)!r}\n" for name, path in paths.items()) + DEEDS
    (folder / f"reaches_out_{SLUG}.py").write_text(
        work(top=top, e1=TRY_THEM, e2="return np.ones(100_000_000_000)"), encoding="utf-8"
    )
    (folder / f"latin_{SLUG}.py").write_bytes("# Zürich\n".encode("latin-1"))
    (folder / f"huge_{SLUG}.py").write_bytes(b"#" * (21 << 20))
    os.symlink(LESSON.folder / "lesson.py", folder / f"linked_{SLUG}.py")
    if hasattr(os, "mkfifo"):
        (folder / "waits").mkdir()
        os.mkfifo(folder / "waits" / f"{SLUG}.py")
    with zipfile.ZipFile(folder / "slips.zip", "w") as archive:
        archive.writestr(f"../../../{SLUG}.py", work())
        archive.writestr(
            f"C:\\..\\/{SLUG}.py", work(e1="return n if k == 99 else (n + 2 * pad - k) // stride + (n != 40)")
        )
        link = zipfile.ZipInfo("link.py")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{SLUG}.py", b"#" * (30 << 20))
    (folder / "damaged.zip").write_bytes((folder / "slips.zip").read_bytes()[:-30])
    return folder


@pytest.fixture(scope="module")
def rows(folder):
    """The grades of all of them, by student."""
    before = {path.name: path.lstat().st_size for path in folder.iterdir()}
    allclose = np.allclose
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grade, "checks_of", lambda lesson: checks_of(lesson)[:3])  # the fourth takes longest
        whole = graded(arguments(folder=str(folder), timeout=100.0))
    assert np.allclose is allclose
    assert {path.name: path.lstat().st_size for path in folder.iterdir()} == before, "a submission has changed files"
    found = {student["student"]: student for student in whole["students"]}
    return {**found, "fences": whole["fences"]}


def checks(rows, student):
    (lesson,) = rows[student]["lessons"]
    return {one["exercise"]: one for one in lesson["checks"]}


def passed(rows, student):
    return [exercise for exercise, one in checks(rows, student).items() if one["status"] == "passed"]


def problem(rows, student):
    (lesson,) = rows[student]["lessons"]
    assert rows[student]["points"] == 0
    assert [one["message"] for one in lesson["checks"]] == [lesson["problem"]] * len(lesson["checks"])
    return lesson["problem"]


def test_who_is_right_has_all_points_beside_all_of_them(rows):
    assert (rows["right"]["points"], rows["right"]["max_points"]) == (7, 7)  # what is no definition never runs
    assert rows["right"]["lessons"][0]["notices"] == []


def test_a_patched_numpy_and_being_equal_to_everything_are_no_answers(rows):
    assert passed(rows, "cheats") == []
    notices = " ".join(rows["cheats"]["lessons"][0]["notices"])
    assert "changes numpy.allclose" in notices
    assert "minidepth.learn.compare" in notices
    assert "yours is a All" in checks(rows, "cheats")["4.2"]["message"]


def test_what_is_printed_and_written_does_not_get_between_the_messages(rows):
    assert passed(rows, "noisy") == ["4.1", "4.2"]
    assert "ended the whole process" in checks(rows, "noisy")["4.3"]["message"]


def test_a_forged_answer_is_worth_what_it_says(rows):
    assert passed(rows, "forger") == []  # each answer is then that of the question before


def test_answers_that_are_none(rows):
    assert passed(rows, "answers") == []
    messages = [one["message"] for one in checks(rows, "answers").values()]
    assert "too large, or nested too deeply" in messages[0]
    assert "too large, or nested too deeply" in messages[1]
    assert "expected an array (2, 3, 6, 8)" in messages[2]


def test_who_ends_the_process_loses_what_needs_that_and_leaves_no_modules_to_the_next(rows):
    assert passed(rows, "exits") == ["4.3"]
    assert "calls exit()" in checks(rows, "exits")["4.1"]["message"]
    assert "ended the whole process" in checks(rows, "exits")["4.2"]["message"]


def test_code_that_runs_at_import(rows):
    assert "its process ended where it is imported" in problem(rows, "at_import")
    assert "calls exit() where it is imported" in problem(rows, "at_default")


def test_the_librarys_own_convolution_is_told_of(rows):
    (lesson,) = rows["noisy"]["lessons"]
    assert any("uses minidepth.ops.conv2d" in notice for notice in lesson["notices"])
    assert "4.2" in passed(rows, "noisy")  # a notice takes nothing off: the teacher decides


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has what fence.py asks for")
def test_the_fence_holds(rows):
    if rows["fences"] != [fence.FILES, fence.CALLS]:
        pytest.skip(f"this kernel has only {rows['fences']}")
    message = checks(rows, "reaches_out")["4.1"]["message"].splitlines()[0]
    assert message == "output_size raised RuntimeError: write its own file, start a thread"
    assert passed(rows, "reaches_out") == ["4.3"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not limit memory")
def test_eight_hundred_gigabytes_are_not_there(rows):
    assert "more memory than there is" in checks(rows, "reaches_out")["4.2"]["message"]


def test_files_that_cannot_be_read_get_a_sentence(rows):
    assert "is no text in UTF-8" in problem(rows, "latin")
    assert problem(rows, "huge") == f"huge_{SLUG}.py: has 21 MiB; at most 20 are read"
    assert problem(rows, "nested")


def test_links_pipes_and_bombs_are_left_out(rows):
    for student, note in (("linked", "is a link"), ("waits", "is no file"), ("bomb", "more than is looked at")):
        if student in rows:
            assert problem(rows, student) == "no file for lesson 4 was handed in"
            assert note in rows[student]["notes"][0]
    assert "cannot be unpacked" in rows["damaged"]["notes"][0]


def test_a_zip_file_writes_nowhere_else(rows, folder):
    assert passed(rows, "slips") == ["4.2", "4.3"]  # the last of the two
    assert any("is a link" in note for note in rows["slips"]["notes"])
    assert not (folder.parent / f"{SLUG}.py").exists()


def test_what_never_ends_has_an_end(tmp_path):
    loop, sleep = "while True: pass", "import time\ntime.sleep(1000)"
    (tmp_path / f"ann_{SLUG}.py").write_text(work(e1=loop, e2=sleep, e3=sleep, e4=sleep), encoding="utf-8")
    (row,) = graded(arguments(folder=str(tmp_path), timeout=0.7))["students"]
    first, *others = [one["message"] for one in row["lessons"][0]["checks"]]
    assert first.startswith("output_size was not done after 0.") and "is there a loop that never ends?" in first
    late = "there was no time left for it: what was checked before has taken all that a file may take"
    assert others == [late] * 3


def test_what_never_ends_where_it_is_imported_has_an_end(tmp_path):
    path = tmp_path / f"{SLUG}.py"
    path.write_text("class Now:\n    while True: pass\n", encoding="utf-8")
    with Child(path, LESSON) as child, pytest.raises(LearnerError, match="is there a loop outside of the functions"):
        child.start(1.0)
