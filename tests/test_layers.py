"""Who may import whom: DESIGN's rooms, read off the syntax trees, late imports included."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "molehunt"

MAY = {
    "core": set(),
    "corpus": {"core"},
    "catalogue": {"core", "corpus"},
    "models": {"core"},
    "interp": {"core", "models"},
    "character": {"core", "corpus", "models", "interp"},
    "gate": {"core", "corpus", "catalogue", "models", "interp", "character"},
    "organisms": {"core", "corpus", "catalogue", "models"},
    "depth": {"core", "corpus", "catalogue", "models", "interp", "character", "organisms"},
    "remedies": {"core", "corpus", "models", "character", "interp"},
    "audit": {"core", "corpus", "catalogue", "models"},
    "referee": {"core"},
    "report": {"core"},
    "game": {
        *("core", "corpus", "catalogue", "models", "interp", "organisms"),
        *("depth", "remedies", "audit", "referee", "report", "gate"),
    },
    "verbs": {
        *("core", "corpus", "catalogue", "models", "interp", "character", "gate"),
        *("organisms", "depth", "remedies", "audit", "referee", "report", "game"),
    },
}
CORE_MAY = {"numpy", "scipy", "sklearn", "pyarrow", "cryptography"}
HEAVY = {"torch", "transformers", "peft", "trl", "accelerate"}
FILES = sorted(p for p in ROOT.rglob("*.py") if p.parent != ROOT)


def imported(path: Path, root: Path = ROOT) -> set[str]:
    """Every module that a file of the package at `root` imports anywhere, relative imports resolved."""
    package = ["molehunt", *path.relative_to(root).parts[:-1]]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            found |= {stem} | {f"{stem}.{a.name}" for a in node.names}
    return found


def rooms_of(modules: set[str]) -> set[str]:
    """Rooms of this package among module names."""
    parts = [m.split(".") for m in modules if m.startswith("molehunt.")]
    return {p[1] for p in parts if (ROOT / p[1]).is_dir()}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_room_imports_only_what_it_may(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    assert room in MAY, f"{room} stands in no table; add it to ARCHITECTURE.md and here"
    strangers = rooms_of(imported(path)) - MAY[room] - {room}
    assert not strangers, f"{path} may not enter {sorted(strangers)}"


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.relative_to(ROOT).parts[0] == "core"], ids=lambda p: p.name
)
def test_core_needs_only_its_few_libraries(path: Path) -> None:
    import sys

    outside = {m.split(".")[0] for m in imported(path)} - set(sys.stdlib_module_names) - {"molehunt"}
    assert outside <= CORE_MAY, f"{path} imports {sorted(outside - CORE_MAY)}"


@pytest.mark.parametrize("room", ["corpus", "catalogue", "referee", "report"])
def test_light_rooms_never_import_torch(room: str) -> None:
    for path in (ROOT / room).rglob("*.py"):
        heavy = {m.split(".")[0] for m in imported(path)} & HEAVY
        assert not heavy, f"{path} imports {sorted(heavy)}"


def test_the_walk_sees_late_imports(tmp_path: Path) -> None:
    file = tmp_path / "audit" / "made_up.py"
    file.parent.mkdir()
    file.write_text("def f():\n    from molehunt.organisms import draw\n    from ..game import play\n")
    assert imported(file, tmp_path) >= {"molehunt.organisms.draw", "molehunt.game.play"}
    assert rooms_of(imported(file, tmp_path)) == {"organisms", "game"}
