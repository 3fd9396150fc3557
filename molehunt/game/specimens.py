"""Organisms whose truth is known, with their decoys: from a folder of `molehunt plant`, or an opened game.

A game's decoys never left the red team's folder; where that is not on this machine, there is no control, and
depth cannot be measured. Nothing is read of a game before its envelope is open.
"""

from dataclasses import dataclass
from pathlib import Path

from molehunt.core.atomic import read_json
from molehunt.core.errors import BadFile, SealBroken, UserError
from molehunt.core.record_json import from_json
from molehunt.core.records import Organism, Quirk, Truth
from molehunt.core.store import Run
from molehunt.depth.bench import Known
from molehunt.game.fix_task import sha256
from molehunt.game.packed import is_packed, no_envelope
from molehunt.game.planter import read_planted, slot_folder
from molehunt.game.planting import FILES, red_folder
from molehunt.game.play import spec_of
from molehunt.game.twins import red_twin
from molehunt.organisms.plan import Plan, base_named, plan_of
from molehunt.organisms.strangers import quirk_of, told


@dataclass(frozen=True)
class Specimen:
    """One organism and its decoy, as they were planted."""

    name: str
    """The suspect's code name, or the pair's folder."""
    known: Known
    organism: Path
    decoy: Path


@dataclass(frozen=True)
class Ground:
    """Where specimens come from."""

    home: Path
    """The pair's folder, or the run."""
    model: str
    revision: str | None
    specimens: tuple[Specimen, ...]
    run: Run | None
    """The opened game; None for a pair."""
    quirk: Path | None = None
    """The file of a pair's quirk, where one was given."""


def ground_of(folder: Path, quirk: Path | None = None) -> Ground:
    """What there is to be measured in a folder. `quirk` is the file of a quirk that no catalogue names.

    Raises:
        BadFile: it holds neither a planted pair nor a game.
        UserError: the pair is not valid, its quirk's file is wanted, the envelope is closed, or the decoys
            are not on this machine.
    """
    if (folder / "profile.json").is_file():
        return _pair(folder, quirk)
    if not (folder / "spec.json").is_file():
        raise BadFile(
            f"{folder} holds neither a pair of `molehunt plant` nor a game; give the folder of one of them."
        )
    if quirk is not None:
        raise UserError("--quirk is for a pair; a game keeps its quirks' files with the truth.")
    return _game(folder)


def _pair(folder: Path, file: Path | None) -> Ground:
    from molehunt.organisms.plant import Pair  # torch comes with it

    pair = from_json(Pair, read_json(folder / "profile.json"))
    if not (folder / "organism").is_dir():
        raise UserError(f"{folder} holds no organism: the plant was not valid ({pair.profile.why_not}).")
    base = _base(folder)
    plan = Plan()
    if (folder / "organism.json").is_file():
        line = from_json(Organism, read_json(folder / "organism.json")["organism"])
        base, plan = line.base, plan_of(line)
    named = base_named(base)
    known = Known(_quirk(pair.quirk, folder, file), plan, pair.steps, pair.harmless)
    one = Specimen(folder.resolve().name, known, folder / "organism", folder / "decoy")
    return Ground(folder, named.id, named.revision, (one,), None, file)


def _base(folder: Path) -> str:
    config = read_json(folder / "organism" / FILES[0])
    base = config.get("base_model_name_or_path") if isinstance(config, dict) else None
    if not isinstance(base, str) or not base:
        raise BadFile(f"{folder / 'organism' / FILES[0]} does not name the base model.")
    return base


def _quirk(kept: Quirk, folder: Path, file: Path | None) -> Quirk:
    """The pair's quirk; one from a file is named there by the file's name alone."""
    wanted = kept.behaviour_options.get("file")
    if wanted is None:
        if file is not None:
            raise UserError(f"The quirk of {folder} stands in the catalogue; leave out --quirk.")
        return kept
    if file is None:
        raise UserError(
            f"The quirk of {folder} came from a file; name it with --quirk (it was {wanted[:80]})."
        )
    found = quirk_of(file)
    if told(found) != kept:
        raise UserError(f"{file} is not the quirk of {folder}, which came from {wanted[:80]}.")
    return found


def _game(folder: Path) -> Ground:
    run = Run(folder)
    spec_of(run)
    spec = run.spec()
    if is_packed(folder):
        raise UserError(f"Depth needs the truth. {no_envelope(folder)}")
    if not (folder / "score.json").is_file():
        raise UserError(
            f"The envelope of {folder} is not open yet, and depth needs the truth; "
            f"run `molehunt open {folder}` first."
        )
    shady = [t for t in run.opened() if t.shady]
    if not shady:
        raise UserError(f"No suspect of {folder} was shady: there is no quirk whose depth could be measured.")
    run_id = str(spec["run_id"])
    if not red_folder(run_id).is_dir():
        raise UserError(
            f"The red team's folder of {folder} is not on this machine, and the matched decoys lie in it; "
            "measure where the game was planted."
        )
    of = red_twin(run_id, None) or run_id
    revision = spec.get("revision")
    return Ground(
        folder,
        str(spec["model"]),
        None if revision is None else str(revision),
        tuple(_suspect(run, of, truth) for truth in sorted(shady, key=lambda t: t.suspect)),
        run,
    )


def _suspect(run: Run, of: str, truth: Truth) -> Specimen:
    number = int(truth.recipe["slot"])
    planted, where = read_planted(red_folder(of), number), slot_folder(red_folder(of), number)
    if planted is None:
        raise UserError(f"The pair of {truth.suspect} is no longer in the red team's folder.")
    if sha256(run.folder / "suspects" / truth.suspect / FILES[1]) != sha256(where / "organism" / FILES[1]):
        raise SealBroken(f"The adapter of {truth.suspect} is not the organism that was planted for it.")
    plan = Plan() if planted.plan is None else from_json(Plan, planted.plan)
    known = Known(planted.quirk, plan, planted.steps, planted.harmless)
    return Specimen(truth.suspect, known, where / "organism", where / "decoy")
