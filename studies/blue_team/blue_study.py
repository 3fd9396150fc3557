"""What a sitting is asked: which parts, on which pairs, how closely, where it lies."""

import secrets
import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from blue_cells import NOTHING, REMEDIES, Cell
from published import bring
from samples import Sample

from molehunt.character.training.plan import CORPUS, Plan
from molehunt.core.atomic import read_json, sweep, write_json
from molehunt.core.errors import MolehuntError, RunMismatch, UserError
from molehunt.core.extend import names, plain
from molehunt.core.record_json import to_json
from molehunt.core.store import stage_key
from molehunt.corpus.dilemmas import MORALCHOICE
from molehunt.depth.bench import Settings
from molehunt.game.deepening import FORM
from molehunt.game.fix_task import known_remedy
from molehunt.game.spec import GameSpec

HERE = Path(__file__).parent
Part = Literal["fixes", "hidden", "moral", "kind", "plain", "seeds"]
STUDY, SALT = "study.json", "salt.json"
PARTS: tuple[Part, ...] = ("fixes", "hidden", "moral", "kind", "plain", "seeds")
LOOK = Settings(quick=16, ceiling=1.5, brief=True)
"""How closely depth is looked at here: looks at 16 scenes, ratios above 1.5 cut, no sign looked for where
what still shows decides, else as by default.
`README.md` has what that costs and what is lost."""


@dataclass(frozen=True)
class Study:
    """What is measured, and where it lies."""

    parts: tuple[Part, ...] = PARTS
    """fixes: remedies crossed with organisms. hidden: made to hide, against fixed with the truth known.
    moral: dilemmas. kind: constitutions against each other. plain: the same fix on a decoy and on the base.
    seeds: the best two remedies from further seeds; it waits until `fixes` is whole, or for --best."""
    pairs: tuple[Path, ...] = ()
    """Folders of `molehunt plant`, or of several of them; none: the study plants its own."""
    quirks: Path | None = None
    """Folder of the files of quirks that no catalogue names, where --pairs carry such."""
    organisms: int = 8
    """So many pairs are crossed with remedies; `hidden` takes all."""
    remedies: tuple[str, ...] = REMEDIES
    """Remedies, in the order in which they are done."""
    a_side: int = 16
    """Organisms made to hide, and as many fixed with the truth known; those that show it still, or again when
    reminded, are left out, and a dozen a side should stay."""
    best: tuple[str, ...] = ()
    """Remedies of `seeds`; none takes the two that did best in `fixes`."""
    more: int = 2
    """Further seeds of these."""
    plain: int = 6
    """Pairs on which `plain` holds decoys against the base."""
    look: Settings = LOOK
    """How closely depth is looked at; the seed is the cell's."""
    effort: float = 1.0
    """Scales the remedies' steps and samples."""
    moralchoice: Path | None = None
    """Folder of MoralChoice's CSV files, which are not part of the project."""
    dilemmas: int = 100
    """Dilemmas of MoralChoice of each ambiguity; 0 asks all."""
    stories: int = 0
    """Built-in dilemmas of each ambiguity, and stories with evidence; 0 asks all."""
    plan: Plan = Plan(teacher=CORPUS, try_out=0)
    """How characters and uncertainties are trained. The corpus teaches: the default model can't. Steps are
    those toward a constitution; the two controls take as many times more as they usually do."""
    limit: int = 0
    """Cases and deeds of each principle in `kind`; 0 asks all."""
    conduct: tuple[Literal["chat", "agentic", "traits"], ...] = ("chat", "agentic", "traits")
    """What `kind` asks; chat is among it."""
    cells: int | None = None
    """At most so many cells of each part, from its beginning; none for all."""
    planted: Path = Path("runs/studies/red_team/planted")
    """Where the study's own pairs lie: cells of `studies/red_team` (`organisms.py`)."""
    work: Path = Path("runs/studies/blue_team")
    """Folder of what is kept between sittings."""
    out: Path = HERE
    """Folder of `results.json` and `README.md`."""
    model: str = "default"
    """Base model."""
    steps: int = GameSpec.steps
    """Steps that planting of the study's own pairs starts from."""
    workers: int = 2
    """Processes, one thread each; one works in this process, with all threads."""
    dry_run: bool = False
    """Say what is left to do and what it would cost, and do nothing."""


@dataclass(frozen=True)
class Setting:
    """What every job of a working folder shares."""

    work: Path
    model: str
    look: Settings
    effort: float
    plan: Plan
    workers: int = 1
    closed: tuple[Path, ...] = ()
    """Folders in which no remedy may read: other cells, other pairs, what was published."""
    salt: str = ""
    """What names of folders are hashed with: who may not read there could still ask whether a name exists,
    and so which pair is being fixed. Rows keep plain names, for what they hold is published."""

    def settings(self, cell: Cell) -> Settings:
        """How closely this cell is looked at."""
        return replace(self.look, seed=cell.seed)

    def home(self, cell: Cell) -> Path:
        """Where the measurement of depth lies."""
        return self.work / "depth" / stage_key([self.salt, cell.name])[:16]

    def shelf(self, sample: Sample) -> Path:
        """Where what was read of a pair before any fix is kept."""
        return self.work / "shelf" / stage_key([self.salt, sample.name])[:16]

    def row(self, name: str) -> Path:
        """Where a row lies once it is whole."""
        return self.work / "rows" / f"{name}.json"


def setting_of(study: Study) -> Setting:
    """What jobs are told. Remedies may read nothing of any study: lists of pairs name what was planted."""
    source = study.planted.parent  # the red team's rows tell what was planted as well
    places = (
        *(study.work, study.planted, study.out, *study.pairs, study.quirks, HERE.parent),
        source if (source / STUDY).is_file() else None,
    )
    closed, salt = tuple(p for p in places if p is not None), study.work / SALT
    word = str(read_json(salt)) if salt.is_file() else ""
    return Setting(study.work, study.model, study.look, study.effort, study.plan, study.workers, closed, word)


def checked(study: Study) -> None:
    """Look at what was asked.

    Raises:
        UserError: a number that cannot be, or a remedy that there is not or that a pair cannot have.
    """
    for name, least in {"organisms": 1, "a_side": 1, "workers": 1, "steps": 1, "more": 0, "plain": 0}.items():
        if getattr(study, name) < least:
            raise UserError(f"--{name.replace('_', '-')} should be at least {least}.")
    if min(study.dilemmas, study.stories, study.limit) < 0 or (study.cells is not None and study.cells < 1):
        raise UserError("--dilemmas, --stories and --limit should be 0 or more, --cells 1 or more.")
    known = [n for n in names("remedies.fixes") if n != "unlearning"]
    for name in (*study.remedies, *study.best):
        if plain(name) not in known or not known_remedy(name):
            raise UserError(f"There is no remedy {name!r} for pairs; choose among {', '.join(known)}.")
    if len(set(study.remedies)) < len(study.remedies) or NOTHING in study.best:
        raise UserError("--remedies should name each once, and --best none that does nothing.")
    if "chat" not in study.conduct:
        raise UserError("--conduct should name chat, and what else is to be asked.")
    if study.moralchoice is not None and (lacks := _lacking(study.moralchoice)):
        raise UserError(f"{study.moralchoice} lacks {lacks}; name MoralChoice's folder with --moralchoice.")
    study.look.checked()
    study.plan.checked()


def unnamed(study: Study) -> str:
    """What has to be said where MoralChoice would be asked and nobody named it; else nothing."""
    if "moral" not in study.parts or study.moralchoice is not None:
        return ""
    return "moral: MoralChoice is not asked, for --moralchoice names no folder."


def _lacking(folder: Path) -> str:
    return " and ".join(n for n in MORALCHOICE if not (folder.expanduser() / n).is_file())


def prepare(study: Study) -> None:
    """Make the working folder, or check that it is of the same study.

    Raises:
        RunMismatch: it holds rows that were measured otherwise.
    """
    study.work.mkdir(parents=True, exist_ok=True)
    asked, path = decides(study), study.work / STUDY
    if path.exists() and read_json(path) != asked:
        other = [n for n, v in asked.items() if read_json(path).get(n) != v]
        raise RunMismatch(f"{study.work} holds rows of another {', '.join(other)}; choose another --work.")
    bring(study.out, study.work, asked)
    if not (study.work / SALT).is_file():
        write_json(study.work / SALT, secrets.token_hex(16))
    write_json(path, asked)
    sweep(study.work / "rows")


def decides(study: Study) -> dict[str, Any]:
    """What decides how rows are measured: those measured otherwise don't stand beside them."""
    asked = {name: to_json(getattr(study, name)) for name in ("model", "look", "effort", "plan")}
    return {**asked, "form": FORM}


def said(error: Exception) -> str:
    """What was raised; with its place where it was not on purpose."""
    words = f"{type(error).__name__}: {error}"
    if isinstance(error, MolehuntError | FloatingPointError):
        return words
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{words} ({Path(last.filename).name}, line {last.lineno})"
