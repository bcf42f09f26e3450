"""What setup.cfg says about the package is true: nothing is left out of a wheel, no dependency is missing or idle."""

from __future__ import annotations

import ast
import configparser
import re
import sys
from pathlib import Path

import pytest

import minidepth

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "minidepth"
IMPORT_NAMES = {"pillow": "PIL", "markdown-it-py": "markdown_it"}
"""Distributions that are imported under another name."""

EXTRAS = {"cupy": "gpu", "markdown_it": "site", "pygments": "site"}
"""What only some users need, and the extra that installs it."""


@pytest.fixture(scope="module")
def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(REPOSITORY / "setup.cfg", encoding="utf-8")
    return parser


def imported_modules(path: Path) -> set[str]:
    """First parts of all absolute imports in a file, also of those inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


def test_version_is_the_same_everywhere(setup_cfg):
    assert minidepth.__version__ == setup_cfg["metadata"]["version"]


def test_every_folder_with_code_is_a_package(setup_cfg):
    # A folder that is not in the list is silently left out of a wheel, and only a wheel would show it.
    listed = setup_cfg["options"]["packages"].split()
    folders = {
        "minidepth.lessons",
        *(".".join(path.parent.relative_to(REPOSITORY).parts) for path in PACKAGE.rglob("*.py")),
    }
    assert sorted(listed) == sorted(folders)
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    missing = [str(folder.relative_to(REPOSITORY)) for folder in folders if not (folder / "__init__.py").is_file()]
    assert missing == []


def test_each_dependency_is_imported_and_each_import_is_declared(setup_cfg):
    requirements = setup_cfg["options"]["install_requires"].split("\n")
    declared = {re.split(r"[ <>=]", line)[0] for line in requirements if line.strip()}
    imported = set().union(*(imported_modules(path) for path in PACKAGE.rglob("*.py")))
    third_party = imported - set(sys.stdlib_module_names) - {"minidepth", *EXTRAS}
    assert third_party == {IMPORT_NAMES.get(name, name) for name in declared}


def test_what_only_some_users_need_has_its_extra(setup_cfg):
    for module, extra in EXTRAS.items():
        lines = setup_cfg["options.extras_require"][extra].split("\n")
        names = [re.split(r"[ <>=]", line)[0] for line in lines if line.strip()]
        assert any(IMPORT_NAMES.get(name, name).startswith(module) for name in names), module


def test_the_libraries_of_the_pages_are_imported_there_alone_and_late():
    pages = {module for module, extra in EXTRAS.items() if extra == "site"}
    for path in PACKAGE.rglob("*.py"):
        assert path.parent.name == "site" or not imported_modules(path) & pages, path.name
        early = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.ImportFrom)]
        assert not {str(node.module).partition(".")[0] for node in early} & pages, path.name


def test_the_command_exists(setup_cfg):
    command = setup_cfg["options.entry_points"]["console_scripts"].strip()
    assert command == "minidepth = minidepth.cli:main"
    from minidepth import cli  # late: a broken cli should fail this test alone

    assert callable(cli.main)
