"""ARCHITECTURE.md and README.md against the code: rooms, imports, nouns, files."""

import dataclasses
import inspect
import re
import subprocess
from pathlib import Path

import pytest
from test_layers import MAY

from molehunt.core import access, kinds, records

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "molehunt"
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")


def section(title: str, text: str = ARCHITECTURE) -> str:
    """What stands under a heading of the second level."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert found, f"there is no section {title!r}"
    return found[1]


def rows(text: str) -> list[list[str]]:
    """The cells of every table row, without heads and rules."""
    lines = [line.strip("| \n").split("|") for line in text.splitlines() if line.startswith("|")]
    cells = [[c.strip() for c in line] for line in lines]
    rules = [i for i, line in enumerate(cells) if set("".join(line)) <= {"-"}]
    return [line for i, line in enumerate(cells) if i not in rules and i + 1 not in rules]


def named(cell: str) -> str:
    """The name in backticks that a cell begins with."""
    return re.match(r"`([^`]+)`", cell)[1]  # type: ignore[index]


TABLE = {
    named(r[0]): set(r[2].replace("—", "").split()) for r in rows(section("Rooms, and who may enter them"))
}
TREE = re.search(r"## What lies where\n+```\n(.*?)```", README, re.S)[1]  # type: ignore[index]


def tree() -> list[Path]:
    """Every file and folder of the README's tree, from the repository's root."""
    found: list[Path] = []
    above: list[str] = []
    for line in TREE.splitlines():
        name = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // 2
        above = [*above[:depth], name]
        found.append(ROOT / "".join(above))
    return found


def test_every_room_stands_in_the_table_and_every_line_is_a_room() -> None:
    rooms = {p.name for p in PACKAGE.iterdir() if p.is_dir() and any(p.rglob("*.py"))}
    assert set(TABLE) == rooms


def test_the_table_says_what_the_layers_test_enforces() -> None:
    assert TABLE == MAY


def test_every_noun_is_a_frozen_record() -> None:
    nouns = [named(r[0]) for r in rows(section("The nouns"))]
    for noun in nouns:
        kind = getattr(records, noun, None)
        assert dataclasses.is_dataclass(kind), f"{noun} is no record"
        assert kind.__dataclass_params__.frozen, f"{noun} can be changed"  # type: ignore[union-attr]


def test_no_record_is_left_out() -> None:
    ours = {n for n, v in vars(records).items() if inspect.isclass(v) and v.__module__ == records.__name__}
    assert ours == {named(r[0]) for r in rows(section("The nouns"))}


def test_what_extensions_handle_is_named_and_there() -> None:
    words = section("The nouns").split("`molehunt/core/kinds.py`")[1]
    said, levels = words.split("`core/access.py`")
    ours = {n for n, v in vars(kinds).items() if inspect.isclass(v) and v.__module__ == kinds.__name__}
    assert set(re.findall(r"`([A-Z]\w+)`", said)) == ours
    assert all(hasattr(access, level) for level in re.findall(r"`([A-Z]\w+)`", levels))


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:\w+/)+\w+\.\w+)`", ARCHITECTURE))))
def test_every_file_that_is_spoken_of_exists(path: str) -> None:
    made = {r[0].strip("`") for r in rows(section("A run folder"))} | {"training/NAME.parquet"}
    if path in made or "NAME" in path:
        return
    assert (PACKAGE / path).exists() or (ROOT / path).exists()


@pytest.mark.parametrize("path", tree(), ids=lambda p: str(p.relative_to(ROOT)))
def test_every_file_of_the_tree_exists(path: Path) -> None:
    assert path.exists()


def test_the_tree_leaves_nothing_out() -> None:
    listed = {str(p.relative_to(ROOT)) for p in tree()}
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT).stdout.split("\n")
    if not tracked[0]:
        pytest.skip("this is no git checkout")
    top = {t.split("/")[0] for t in tracked if t and (ROOT / t).exists()} - {".gitignore", ".ci", "README.md"}
    assert top <= listed | {p.split("/")[0] for p in listed}
    rooms = {f"molehunt/{p.name}" for p in PACKAGE.iterdir() if p.is_dir() and any(p.rglob("*.py"))}
    core = {f"molehunt/core/{p.name}" for p in (PACKAGE / "core").glob("*.py")} - {
        "molehunt/core/__init__.py"
    }
    own = {f"molehunt/{p.name}" for p in PACKAGE.glob("*.py")}
    assert rooms | core | own <= listed


def test_no_source_points_to_a_page_that_does_not_come_along() -> None:
    """The catalogue's page shows docstrings: a reader can only follow what lies in the repository."""
    pages = {p.name for p in ROOT.rglob("*.md") if ".venv" not in p.parts}
    named = {
        (path.relative_to(ROOT).as_posix(), page)
        for path in (ROOT / "molehunt").rglob("*.py")
        for page in re.findall(r"\b([A-Z]{4,}\.md)\b", path.read_text("utf-8"))
    }
    assert sorted(n for n in named if n[1] not in pages) == []
