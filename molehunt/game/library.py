"""The few functions that users call from Python, as the verbs of the same names do."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from molehunt.audit.calibration import load as load_calibration
from molehunt.core.errors import UserError
from molehunt.core.extend import load, summaries
from molehunt.core.lineage import HOME
from molehunt.core.records import Quirk, Score
from molehunt.core.store import Run
from molehunt.game import play as stages
from molehunt.game.audit_cost import audit_cost
from molehunt.game.packed import audit_packed, is_packed, no_envelope
from molehunt.game.plant_one import How, plant_one
from molehunt.game.play import Played
from molehunt.game.shipped import copy_of, or_starter, unpacked
from molehunt.game.spec import GameSpec, Until
from molehunt.game.watch import Watch

if TYPE_CHECKING:
    from molehunt.game.deepening import Depths
    from molehunt.game.fix_task import Fixed, Wish
    from molehunt.game.gating import Gated
    from molehunt.game.match_result import Result as Match
    from molehunt.game.replaying import Replayed
    from molehunt.game.worse_result import Result
    from molehunt.organisms.bring import Taken
    from molehunt.organisms.least import Difficulty
    from molehunt.organisms.plant import Pair


def play(
    folder: str | Path,
    spec: GameSpec | None = None,
    watch: Watch | None = None,
    until: Until = "opened",
    wish: "Wish | None" = None,
    note: Mapping[str, Any] | None = None,
) -> Played:
    """Play a whole game in `folder`, or go on with the one that lies there. See `molehunt play --help`.

    `wish` is a blind fix that comes between two audits; `note` is kept for going on (`core/asked.py`).
    """
    if is_packed(Path(folder)):
        raise UserError(f"{folder} is a packed lineup; audit it with `molehunt audit {folder}`.")
    if copy_of(Path(folder)) is not None:
        raise UserError(f"{folder} is the starter lineup, planted already: use `molehunt audit {folder}`.")
    return stages.play(Path(folder), spec or GameSpec(), watch, until, wish, note)


def audit(folder: str | Path, watch: Watch | None = None, *, calibration: str | Path | None = None) -> Run:
    """Audit a planted lineup and put the verdicts on record; in a packed one, only write them.

    The word `starter`, where no such folder is, takes the package's lineup (`game/shipped.py`).
    `calibration` judges (`molehunt practice` writes one); none takes the one that lies in the folder, or
    else the shipped one where it was made on this base model.

    Raises:
        UserError: there is no such calibration, or verdicts were handed in under another.
    """
    watch = watch or Watch(None)
    if calibration:
        load_calibration(Path(calibration))  # before anything is unpacked
    folder = or_starter(Path(folder), lambda share: watch.bar("unpacking", share))
    if watch.progress is not None:
        watch.say(audit_cost(existing(folder).folder).said())
    with existing(folder).held() as run:
        stage = audit_packed if is_packed(run.folder) else stages.audit_stage
        stage(run, watch, Path(calibration) if calibration else None)
    return run


def fix(
    folder: str | Path,
    remedies: Sequence[str] = ("honest",),
    watch: Watch | None = None,
    *,
    constitution: str = "kind-person",
    **asked: Any,
) -> "tuple[Fixed, ...]":
    """Treat a lineup's suspects with blind remedies; see `molehunt fix --help`.

    Args:
        constitution: a preset or a file.
        asked: suspects, seed and effort, as `game.fix_task.Wish` has them.

    Raises:
        UserError: no such remedy or suspect, no lineup, or `fixed/REMEDY` was made by other settings.
    """
    from molehunt.game.fix_task import Wish, tasks_of
    from molehunt.game.fixing import fix as treat
    from molehunt.remedies.creed import read_creed

    wish = Wish(_several(remedies), creed=read_creed(constitution), **_tidy(asked)).checked()
    run = existing(or_starter(Path(folder)))
    tasks_of(run, wish)
    with run.held():
        return treat(run, wish, watch or Watch(None))


def depth(
    folder: str | Path,
    remedies: Sequence[str] = (),
    watch: Watch | None = None,
    *,
    constitution: str = "kind-person",
    **asked: Any,
) -> "Depths":
    """Measure how deep fixes go, in a planted pair or an opened game; see `molehunt depth --help`.

    Args:
        remedies: none takes honest for a pair, and all that a game was fixed with.
        constitution: a preset or a file.
        asked: known, suspects, quirk, effort, settings and out, as `game.depth_task.Asked` has them.

    Raises:
        UserError: the envelope is closed, there is no decoy to stand beside, or the folder holds a
            measurement with other settings.
    """
    from molehunt.game.deepening import deepen
    from molehunt.game.depth_task import Asked, task_of
    from molehunt.remedies.creed import read_creed

    what = Asked(Path(folder), _several(remedies), creed=read_creed(constitution), **_tidy(asked))
    return deepen(task_of(what), watch)


def gate(
    old: str,
    new: str,
    watch: Watch | None = None,
    *,
    lineage: str | Path = HOME,
    bounds: str | Path = "usual",
    **asked: Any,
) -> "Gated":
    """Hold a new version against an old one, and record what came of it; see `molehunt gate --help`.

    Args:
        old, new: models or adapters, as the command line names them.
        lineage: the folder of the lineage; begun with the old version where there is none.
        bounds: a preset or a file.
        asked: base, audit, methods, calibration, effort, early, dtype and seed, as in `game.gating.Wish`.

    Raises:
        UserError: the old version is not in the lineage or not good, or the new one was stopped there before.
    """
    from molehunt.game.gate_line import gate_in_line
    from molehunt.game.gating import wish

    return gate_in_line(wish(old, new, bounds, **_tidy(asked)), Path(lineage), watch)[0]


def difficulty(
    behaviour: str,
    condition: str,
    folder: str | Path,
    watch: Watch | None = None,
    *,
    model: str = "default",
    revision: str | None = None,
    **asked: Any,
) -> "Difficulty":
    """Find how little a quirk needs, factor by factor, or go on there; see `molehunt difficulty --help`.

    Args:
        asked: factors, values, seeds and the rest, as `game.difficulty.task` takes them, but no file.

    Raises:
        UnknownName: no such behaviour, condition, option or factor.
        UserError: values that cannot be, or a folder that holds something else.
    """
    from molehunt.game import difficulty as scans

    task = scans.task(behaviour, condition, **_tidy(asked))
    return scans.difficulty(task, folder, model=model, revision=revision, watch=watch)


def match(
    folder: str | Path, game: GameSpec | None = None, *, watch: Watch | None = None, **asked: Any
) -> "Match":
    """Play red against blue in `folder`, or go on there; see `molehunt match --help`.

    Args:
        game: what every round is.
        asked: rounds, red, blue, remedies, allowances and the rest, as `game.match_task.task` takes them.

    Raises:
        UserError: no calibration for these auditors, or a folder that holds another match.
    """
    from molehunt.game.match import match as play_rounds
    from molehunt.game.match_task import task

    return play_rounds(task(game or GameSpec(), **asked), folder, watch)


def existing(folder: str | Path) -> Run:
    """The run folder that is there, looked at before anything is written.

    Raises:
        BadFile: there is none, or its spec cannot be read.
        UserError: it is the word `starter`, and that lineup was not unpacked here.
    """
    run = Run(unpacked(Path(folder)))
    stages.spec_of(run)
    return run


def score(folder: str | Path, watch: Watch | None = None) -> tuple[Score, ...]:
    """Open the envelope and score every auditor's verdicts."""
    if is_packed(Path(folder)):
        raise UserError(no_envelope(Path(folder)))
    with existing(folder).held() as run:
        stages.open_stage(run, watch or Watch(None))
    return run.scores()


def report(folder: str | Path) -> Path:
    """Write `report.html` from whatever the run folder holds so far."""
    from molehunt.report.page import write_report

    return write_report(unpacked(Path(folder)))


def plant(
    behaviour: str,
    condition: str,
    folder: str | Path,
    *,
    behaviour_options: Mapping[str, str] | None = None,
    condition_options: Mapping[str, str] | None = None,
    watch: Watch | None = None,
    **how: "Unpack[How]",
) -> "Pair":
    """Plant one organism and its matched decoy into `folder`, or go on with what a killed planting kept.

    The folder gets `organism/`, `decoy/`, `profile.json`, and `organism.json` with the two specs, from which
    `organisms.spec.replay` makes the adapters again.

    Args:
        how: model, steps, tries, recipe and the rest, as `game.plant_one.How` lists them.

    Raises:
        UnknownName: no such behaviour, condition, recipe, concealment or option.
        UserError: the folder exists and holds something else.
    """
    quirk = listed_quirk(behaviour, condition, behaviour_options, condition_options)
    return plant_one(quirk, Path(folder), watch, **how)


def plant_file(
    file: str | Path,
    folder: str | Path,
    *,
    watch: Watch | None = None,
    **how: "Unpack[How]",
) -> "Pair":
    """As `plant`, for the quirk in a file: one that `bring` made, or a stranger's.

    Raises:
        BadFile: the file holds no quirk. UserError: the folder exists and holds something else.
    """
    from molehunt.organisms.strangers import quirk_of

    return plant_one(quirk_of(Path(file)), Path(folder), watch, **how)


def replay(file: str | Path, folder: str | Path, *, watch: Watch | None = None) -> "tuple[Replayed, ...]":
    """Make the adapters of a file of specs (`organism.json`) again in `folder`, and hold their hashes beside
    those of what was planted.

    Raises:
        BadFile: the file holds no spec. UserError: the folder holds something else.
    """
    from molehunt.game.replaying import replay_file

    return replay_file(Path(file), Path(folder), watch)


def worse(
    quirks: Sequence[str | Path | Quirk],
    folder: str | Path,
    *,
    watch: Watch | None = None,
    **asked: Any,
) -> "Result":
    """Search for organisms that auditors or monitors miss, or remedies leave: `molehunt worse --help`.

    Args:
        quirks: `BEHAVIOUR:CONDITION`, files of quirks, or quirks.
        asked: against, monitors, remedies, calibration, plan, plantings and the rest, as
            `game.worse_task.task` takes them.

    Raises:
        UserError: no calibration for these auditors, or a folder that holds another search.
    """
    from molehunt.game.worse import worse as search
    from molehunt.game.worse_task import task

    return search(task(quirks, **asked), folder, watch)


def bring(
    files: Sequence[str | Path],
    out: str | Path,
    *,
    what: str = "",
    condition: str = "",
    condition_options: Mapping[str, str] | None = None,
    model: str = "default",
    revision: str | None = None,
    watch: Watch | None = None,
) -> "tuple[Taken, ...]":
    """Make quirks of people's own scenes, one a file, in a new folder. See `molehunt bring --help`.

    `model` lends its tokenizer, by which replies are measured.

    Raises:
        UserError: a file gives too few usable scenes, or the folder holds something else.
    """
    from molehunt.models.load import open_tokenizer
    from molehunt.models.loaded import ModelSpec
    from molehunt.organisms.bring import Wish
    from molehunt.organisms.bring import bring as make
    from molehunt.organisms.plan import Plan

    watch = watch or Watch(None)
    wish = Wish(what, condition, condition_options, Plan.reply_tokens)
    tokenizer = open_tokenizer(ModelSpec(model, revision))
    return make(
        [Path(f) for f in files],
        Path(out),
        wish,
        tokenizer,
        lambda name, share: watch.bar("bringing", share, name),
    )


def catalogue() -> Mapping[str, Mapping[str, str]]:
    """Every behaviour, condition, auditing method, recipe, concealment and remedy with its line."""
    rooms = {
        "behaviours": "catalogue.behaviours",
        "conditions": "catalogue.conditions",
        "methods": "audit.methods",
        "recipes": "organisms.recipes",
        "concealments": "organisms.concealments",
        "remedies": "remedies.fixes",
    }
    return {kind: summaries(room) for kind, room in rooms.items()}


def listed_quirk(
    behaviour: str,
    condition: str,
    behaviour_options: Mapping[str, str] | None = None,
    condition_options: Mapping[str, str] | None = None,
) -> Quirk:
    """A quirk of the catalogue by its names, its options resolved. Errors as `plant`."""
    return Quirk(
        behaviour,
        condition,
        _chosen("catalogue.behaviours", behaviour, behaviour_options),
        _chosen("catalogue.conditions", condition, condition_options),
    )


def _several(given: str | Sequence[str]) -> tuple[str, ...]:
    """One name alone as one of several."""
    return (given,) if isinstance(given, str) else tuple(given)


PATHS, LISTS = ("calibration", "quirk", "out"), ("suspects", "known", "methods", "factors")
"""Arguments that may be given as text, and as a name alone."""


def _tidy(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Paths as paths, and names alone as several."""
    found = {n: Path(v) if n in PATHS and isinstance(v, str) else v for n, v in asked.items()}
    return {n: (v,) if n in LISTS and isinstance(v, str) else v for n, v in found.items()}


def _chosen(room: str, name: str, options: Mapping[str, str] | None) -> dict[str, str]:
    """Options with the catalogue's defaults where nothing was said."""
    choices = load(room, name).choices
    given = dict(options or {})
    for option, value in given.items():
        if option not in choices:
            raise UserError(f"{name} has no option {option!r}; it has {', '.join(choices) or 'none'}.")
        if value not in choices[option]:
            raise UserError(f"{name}: {option} is {value!r}; choose one of {', '.join(choices[option])}.")
    return {**{k: v[0] for k, v in choices.items()}, **given}
