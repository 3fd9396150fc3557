"""The tutorial's commands do what it says, on the tiny model; the pages say what the code says.

Blocks tagged `sh tiny` of docs/101_first_game.md run in order in one shell. A `molehunt` that stands first
on the path adds what makes them small, as the tutorial tells its readers.
"""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import tiny_game
import warm
from test_docs_study import load_study as study

from molehunt.core.errors import BadFile, UnknownName, UserError
from molehunt.core.records import Measure, NotMeasured
from molehunt.core.store import Run
from molehunt.game.planting import FILES
from molehunt.game.spec import METHODS
from molehunt.organisms.card import MODEL_CARD
from molehunt.organisms.strangers import strangers_quirks
from molehunt.report.reading import read_run

ROOT = Path(__file__).parent.parent
TUTORIAL = (ROOT / "docs" / "101_first_game.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh tiny\n(.*?)^```", TUTORIAL, re.M | re.S)
ONE_OF_EACH = 0
"""A red seed under which one suspect of two is shady."""
PAGES = (
    *("README.md", "ARCHITECTURE.md", "docs/101_first_game.md", "docs/102_look_inside.md"),
    *("docs/103_moral_uncertainty.md", "docs/104_gate.md", "docs/105_red_against_blue.md"),
    *("docs/106_red_team.md", "docs/107_how_deep.md", "docs/responsible_use.md"),
)


LINKED = {page for page in PAGES if page == "README.md" or re.match(r"docs/10[3567]_", page)}
"""Pages that send readers elsewhere."""


@dataclass(frozen=True)
class Played:
    """What running the tutorial left behind."""

    folder: Path
    said: str
    code: int

    @property
    def run(self) -> Path:
        return self.folder / "runs" / "second"


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> Played:
    folder = tmp_path_factory.mktemp("tutorial")
    small = shlex.join(tiny_game.options(tiny_game.write_quirks(folder / "tiny"), red_seed=ONE_OF_EACH))
    path = os.pathsep.join([str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {**tiny_game.environment(folder / "keys"), "PATH": path}
    server = warm.Server(env)
    real = shlex.join([sys.executable, warm.__file__, "--ask", server.address])
    word = folder / "bin" / "molehunt"
    word.parent.mkdir()
    word.write_text(
        "#!/bin/sh\n"
        'case "$1" in\n'
        f'play) exec {real} "$@" {small} ;;\n'
        f'plant) {real} "$@" --model tiny --steps 1 --tries 1; test $? -eq 1 ;;\n'
        f'doctor) exec {real} "$@" --model tiny ;;\n'
        f'*) exec {real} "$@" ;;\n'
        "esac\n"
    )
    word.chmod(0o755)
    script = "set -euo pipefail\n" + "\n".join(f"echo '== block {i}'\n{b}" for i, b in enumerate(BLOCKS))
    work = folder / "work"
    work.mkdir()
    with (folder / "said.txt").open("wb") as said:
        code = subprocess.call(["bash", "-c", script], cwd=work, env=env, stdout=said, stderr=said)
    server.close()
    return Played(work, (folder / "said.txt").read_text("utf-8"), code)


@pytest.mark.timeout(1800)
def test_every_command_of_the_tutorial_works(tutorial: Played) -> None:
    assert tutorial.code == 0, tutorial.said[-3000:]
    assert tutorial.said.count("== block") == len(BLOCKS) > 5


def test_everybody_who_judged_is_scored(tutorial: Played) -> None:
    scored = {s.auditor: s for s in Run(tutorial.run).scores()}
    assert {"me", "panel", *METHODS, "friends.panel", *(f"friends.{m}" for m in METHODS)} <= set(scored)
    assert [r["p"] for r in scored["me"].suspects].count(0.7) == 1


def test_guesses_were_run_on_the_shady_one(tutorial: Played) -> None:
    rows = next(s.suspects for s in Run(tutorial.run).scores() if s.auditor == "panel")
    assert [r["shady"] for r in rows].count(True) == 1
    shady = next(r for r in rows if r["shady"])
    assert {True, False} >= set(shady["hits"].values()) and shady["hits"]


def test_the_study_pools_a_finished_game(tutorial: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOLEHUNT_KEYS", str(tutorial.folder.parent / "keys"))
    (game,) = study().games(tutorial.run.parent, study().Study().planted, None)
    assert study().planting([game])["plant_seconds"].n == 2
    pooled = study().pooled([game], None)
    assert next(iter(pooled)) == "panel" and len(pooled["panel"].suspects) == 2


def test_what_was_not_looked_at_is_not_measured(tutorial: Played) -> None:
    measures = next(s.measures for s in Run(tutorial.run).scores() if s.auditor == "panel")
    assert isinstance(measures["false_accusations"], NotMeasured)  # the tiny model has no calibration
    assert isinstance(measures["brier"], Measure)


def test_the_page_shows_the_opened_envelope(tutorial: Played) -> None:
    opened = read_run(tutorial.run).opened
    assert not isinstance(opened, NotMeasured)
    names = {p.name for p in (tutorial.run / "suspects").iterdir()}
    assert set(opened.truths) == names
    page = (tutorial.run / "report.html").read_text("utf-8")
    assert all(name in page for name in names)


def test_a_run_folder_holds_the_files_that_the_architecture_lists(tutorial: Played) -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8").split("## A run folder")[1].split("\n## ")[0]
    listed = [Path(f) for f in re.findall(r"^\| `([^`]+)` \|", text, re.M)]
    found = {p.relative_to(tutorial.run) for p in tutorial.run.rglob("*") if p.is_file()}
    found = {p for p in found if not p.name.startswith(".")}
    patterns = [re.compile(re.sub("NAME|AUDITOR|SUSPECT", "[^/]+", str(f))) for f in listed]
    assert not {p for p in found if not any(q.fullmatch(str(p)) for q in patterns)}
    assert not {
        f for f, q in zip(listed, patterns, strict=True) if not any(q.fullmatch(str(p)) for p in found)
    }


def test_every_suspect_carries_the_card_that_the_pages_quote(tutorial: Played) -> None:
    for suspect in (tutorial.run / "suspects").iterdir():
        assert (suspect / "README.md").read_text() == MODEL_CARD
        assert {p.name for p in suspect.iterdir()} == {*FILES, "README.md"}
    quoted = re.findall(r"^> (.*)", (ROOT / "docs/responsible_use.md").read_text("utf-8"), re.M)
    assert " ".join(quoted) in " ".join(MODEL_CARD.split())


def test_the_strangers_quirk_of_the_tutorial_is_one(tutorial: Played) -> None:
    (quirk,) = strangers_quirks(tutorial.folder / "quirks")
    assert not quirk.listed


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    assert links or page not in LINKED
    for link in links:
        assert link.startswith("https://") or (ROOT / page).parent.joinpath(link).exists(), link


@pytest.mark.parametrize("page", PAGES)
def test_verbs_that_are_named_exist(page: str) -> None:
    from molehunt.cli import verbs

    text = (ROOT / page).read_text("utf-8")
    named = set(
        re.findall(r"molehunt ([a-z]+)\b", "\n".join(re.findall(r"`[^`]+`|^molehunt .*", text, re.M)))
    )
    assert named <= set(verbs())


def test_the_library_lines_of_the_readme_use_names_that_are_there() -> None:
    import molehunt

    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)
    assert code is not None
    for name in re.findall(r"molehunt\.(\w+)", code[1]):
        assert name in molehunt.__all__ and hasattr(molehunt, name)


def test_rooms_that_are_functions_of_the_library_can_be_called_once_they_are_imported(tmp_path: Path) -> None:
    import molehunt
    import molehunt.audit
    import molehunt.catalogue
    import molehunt.report.page

    assert "flattery" in molehunt.catalogue()["behaviours"] and molehunt.report.page.write_report
    for room in (molehunt.audit, molehunt.report, molehunt.fix):
        with pytest.raises(BadFile, match="no "):
            room(tmp_path / "nothing")
    import molehunt.depth
    import molehunt.gate

    with pytest.raises(UserError, match="neither a pair"):
        molehunt.depth(tmp_path)
    with pytest.raises(BadFile, match="There are no bounds"):
        molehunt.gate("tiny", "tiny", bounds="none")
    with pytest.raises(UserError, match="at least one factor"):
        molehunt.difficulty("flattery", "always", tmp_path, seeds=0)
    with pytest.raises(UnknownName, match="'step'"):
        molehunt.difficulty("flattery", "always", tmp_path, factors="step")
    for ask in (molehunt.fix, molehunt.depth):
        with pytest.raises(UnknownName, match="'honesty'"):
            ask(tmp_path, "honesty")
    with pytest.raises(UserError, match="no calibration at nowhere"):
        molehunt.gate("tiny", "tiny", calibration="nowhere.json")
