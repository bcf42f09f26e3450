"""The README is true: its two commands have the promised form, and everything else in it is run.

The first two blocks cannot be run inside the tests (the second one runs them); `.ci/run` runs the second as printed.
Of the first, `minidepth train` is run here. Training commands get options of `smaller` appended, to take seconds.
"""

from __future__ import annotations

import configparser
import re
import shlex
from pathlib import Path

import data_folders
import pytest

from minidepth import cli

REPOSITORY = Path(__file__).resolve().parents[1]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def commands() -> list[list[str]]:
    """Every command line of the README, as words, `&&` taken apart."""
    lines = "".join(blocks("sh")).splitlines()
    return [shlex.split(command) for line in lines for command in line.split(" && ")]


def smaller(words: list[str]) -> list[str]:
    """Options that make a command quick; of one given twice the last one holds."""
    if words[:2] == ["data", "make"]:
        return ["--frames", "24", "--size", "32x32"]
    if words[0] != "train":
        return []
    narrow = [] if "--model" in words else ["--base-channels", "2"]
    few_steps = [] if "--data" in words else ["--batch", "60"]  # of rooms there are a thousand
    return ["--epochs", "1", "--size", "32x32", *narrow, *few_steps]


def test_the_first_two_blocks_are_one_line_each_and_make_their_own_environment():
    for block, last in zip(blocks("sh")[:2], (".venv/bin/minidepth train\n", ".venv/bin/pytest -q\n")):
        assert block.count("\n") == 1
        assert block.startswith("python3 -m venv .venv && .venv/bin/pip install ")
        assert block.endswith(" && " + last)


def test_extras_that_are_installed_exist():
    parser = configparser.ConfigParser()
    parser.read(REPOSITORY / "setup.cfg", encoding="utf-8")
    named = re.findall(r"'\.\[([\w,-]+)\]'", README)
    assert named
    for extra in named:
        assert extra in parser["options.extras_require"]


def test_every_command_is_one_that_is_tested():
    programs = {words[0] for words in commands()}
    assert programs == {"python3", ".venv/bin/pip", ".venv/bin/pytest", ".venv/bin/minidepth"}


def test_every_minidepth_command_works_in_the_order_of_the_page(tmp_path, monkeypatch):
    frames = data_folders.make_frames(24, size=(48, 64))
    data_folders.write_csv_folder(tmp_path / "nyu", train=frames, test=frames[:2])
    monkeypatch.chdir(tmp_path)
    ran = set()
    for program, *words in commands():
        if program == ".venv/bin/minidepth":
            ran.add(words[0])
            status = 1 if words[0] == "check" else 0  # nothing is written yet, and that is what it says
            assert cli.main(words + smaller(words)) == status, words
    assert ran == {
        "learn",
        "check",
        "train",
        "evaluate",
        "predict",
        "compare",
        "models",
        "presets",
        "summary",
        "gradcheck",
        "data",
        "doctor",
    }
    assert (tmp_path / "runs/rooms-1/samples.png").is_file()


def test_the_python_block_is_the_quickstart_which_test_examples_runs():
    (block,) = blocks("python")
    program = (REPOSITORY / "examples" / "quickstart.py").read_text(encoding="utf-8")
    _docstring, code = program.split('"""\n\n', 1)
    assert block == code


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "CONTRIBUTING.md",
        "lessons/README.md",
        "docs/differences_from_pytorch.md",
        "docs/from_naive_to_tiled.md",
        "docs/teachers.md",
    ],
)
def test_links_lead_somewhere(page):
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target:
            assert ((REPOSITORY / page).parent / target).exists(), target


def test_files_named_in_the_guides_exist():
    for page in ("CONTRIBUTING.md", "lessons/README.md"):
        text = (REPOSITORY / page).read_text(encoding="utf-8")
        for name in re.findall(r"`((?:minidepth|tests|examples|ops|docs)/[\w./]+)`", text):
            if "softplus" not in name:  # the guide's own example of what does not exist yet
                assert (REPOSITORY / name).exists() or (REPOSITORY / "minidepth" / name).exists(), f"{page}: {name}"
