"""The commit that studies name, asked of a package in a repository of its own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from molehunt.core import code


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with a package of the same name that holds nothing but what is tested."""
    core = tmp_path / "tree" / "molehunt" / "core"
    core.mkdir(parents=True)
    for folder in (core.parent, core):
        (folder / "__init__.py").touch()
    shutil.copy(Path(code.__file__), core / "code.py")
    (tmp_path / "tree" / "study.py").write_text("SEED = 0\n")
    return tmp_path / "tree"


def asked(tree: Path, *also: str) -> str:
    words = f"from molehunt.core.code import commit; print(commit(*{also!r}))"
    return told([sys.executable, "-B", "-c", words], tree)


def told(words: list[str], folder: Path) -> str:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True, env=env(folder))
    return done.stdout.strip()


def env(tree: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(tree), "GIT_CEILING_DIRECTORIES": str(tree.parent.parent)}


def git(folder: Path, *words: str) -> str:
    me = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    return told(["git", *me, *words], folder)


def test_names_the_commit_and_whether_code_differs_from_it(tree: Path) -> None:
    git(tree, "init", "-q")
    git(tree, "add", ".")
    git(tree, "commit", "-qm", "one")
    head = git(tree, "rev-parse", "--short", "HEAD")
    assert re.fullmatch("[0-9a-f]{7,}", head) and asked(tree) == head
    (tree / "study.py").write_text("SEED = 1\n")
    assert asked(tree) == head and asked(tree, "study.py") == f"{head}+changes"
    (tree / "molehunt" / "report").mkdir()
    (tree / "molehunt" / "report" / "measured.json").write_text("{}")
    assert asked(tree) == head, "a table that a study writes there is no code"
    (tree / "molehunt" / "new.py").touch()
    assert asked(tree) == f"{head}+changes"


def test_knows_none_where_it_was_installed(tree: Path) -> None:
    assert asked(tree) == "unknown"
    git(tree.parent, "init", "-q")  # somebody's project, and this lies in its environment
    git(tree.parent, "add", ".")
    git(tree.parent, "commit", "-qm", "theirs")
    assert asked(tree) == "unknown"
