"""The planting stage: pairs are planted in private, one of each enters the lineup, truths are sealed.

Everything that could rebuild the truth stays in the red team's folder beside the key. What the
run folder gets are adapters of equal shape and size, of one date, under shuffled code names.
"""

import dataclasses
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from molehunt.core.atomic import read_json, whole_folder, write_bytes, write_json
from molehunt.core.errors import MolehuntError, RunMismatch
from molehunt.core.records import LabelledReply, Truth
from molehunt.core.seal import keys_folder
from molehunt.game.children import Child, run_children
from molehunt.game.planter import JOB, Job, Planted, clear_claims, read_planted, slot_folder
from molehunt.game.spec import GameSpec
from molehunt.game.tells import around_file
from molehunt.organisms.card import MODEL_CARD
from molehunt.organisms.draw import Slot, slots
from molehunt.organisms.strangers import strangers_quirks, told

FILES = ("adapter_config.json", "adapter_model.safetensors")
PLAN = "plan.json"
"""A plan that was given, in the red team's folder of a run."""
GIVEN = "given.json"
"""Where what was given lay, in the same folder."""


def red_folder(run_id: str) -> Path:
    """The red team's private folder of a run: beside the key, closed to others."""
    return keys_folder() / f"{run_id}.red"


def red_seed(run_id: str, wanted: int | None) -> int:
    """The red team's seed: drawn once in secret (or as wanted for a study), then kept in private."""
    path = private(run_id) / "seed.json"
    if not path.exists():
        write_bytes(path, json.dumps(secrets.randbits(62) if wanted is None else wanted).encode(), mode=0o600)
    kept = int(read_json(path))
    if wanted is not None and wanted != kept:
        raise RunMismatch("This game was begun with another --red-seed; go on without the option.")
    return kept


def red_quirks(run_id: str, given: Path | None) -> Path | None:
    """The strangers' quirks of a run: copied once into the red team's folder, so that they stay as they are.

    Raises:
        RunMismatch: the game was begun with other quirks. BadFile: a quirk's file is wrong.
    """
    folder = private(run_id)
    asked, own = folder / "asked.json", folder / "quirks"
    files = sorted(given.glob("*.json")) if given else []
    wanted = {f.name: f.read_text("utf-8") for f in files}
    note_given(folder, files)
    if not asked.exists():
        if wanted:
            with whole_folder(own) as half:
                for name, text in wanted.items():
                    (half / name).write_text(text, "utf-8")
            strangers_quirks(own)
        write_json(asked, {"quirks": sorted(wanted)})
    there = {name: (own / name).read_text("utf-8") for name in read_json(asked)["quirks"]}
    if given and wanted != there:
        raise RunMismatch("This game was begun with other --quirks; go on without the option.")
    return own if there else None


def quirk_texts(run_id: str, given: Path | None) -> list[str]:
    """What stands in the files of the strangers' quirks. Errors as `red_quirks`."""
    folder = red_quirks(run_id, given)
    return sorted(f.read_text("utf-8") for f in folder.glob("*.json")) if folder else []


def red_plan(run_id: str, given: Path | None) -> Path | None:
    """The plan by which a run plants, copied once into the red team's folder; None for the usual one.

    Raises:
        RunMismatch: the game was begun with another plan, or with none.
    """
    own, begun = private(run_id) / PLAN, (private(run_id) / JOB).exists()
    if given is None:
        return own if own.exists() else None
    wanted = read_json(given)
    note_given(private(run_id), [given])
    if not own.exists() and not begun:
        write_json(own, wanted)
    if not own.exists() or read_json(own) != wanted:
        raise RunMismatch("This game was begun with another --plan, or with none; go on without the option.")
    return own


def note_given(folder: Path, files: Sequence[Path]) -> None:
    """Note in a red folder where what was given lay: the search that a plan comes of, or the file."""
    known = read_json(folder / GIVEN) if (folder / GIVEN).exists() else []
    found = sorted({*known, *(str(around_file(f)) for f in files)})
    if found != known:
        write_json(folder / GIVEN, found)


def given_files() -> tuple[Path, ...]:
    """Quirks and plans that games of this machine were given, where they lay, or the searches that plans come
    of: copies of what is secret.

    They are closed to whoever works blind, in any game: a study plants one quirk in several.
    """
    notes = sorted(keys_folder().expanduser().glob(f"*.red/{GIVEN}"))
    found = dict.fromkeys(Path(p) for note in notes for p in read_json(note))
    return tuple(p for p in found if p.exists())


def private(run_id: str) -> Path:
    """The red team's folder of a run, made where it is missing."""
    folder = red_folder(run_id)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    return folder


def plant_all(
    spec: GameSpec, run_id: str, seed: int, hear: Callable[[int, str, float], None], even: bool = False
) -> tuple[tuple[Slot, Planted], ...]:
    """Plant every slot, side by side in processes of their own; slots that are whole are kept."""
    folder = red_folder(run_id)
    lineup = slots(spec.suspects, seed)
    quirks, plan = red_quirks(run_id, spec.quirks), red_plan(run_id, spec.plan)
    waiting = [s.number for s in lineup if read_planted(folder, s.number) is None]
    if waiting:
        side_by_side, threads = _workers(spec.model, spec.workers, len(waiting))
        job = Job(
            spec.model,
            spec.revision,
            str(folder),
            seed,
            spec.suspects,
            tuple(waiting),
            spec.steps,
            spec.tries,
            spec.unlisted,
            str(quirks) if quirks else None,
            threads,
            even,
            str(plan) if plan else None,
        )
        write_json(folder / JOB, job)
        clear_claims(folder)
        planter = Child("molehunt.game.planter", (str(folder / JOB),), {"OMP_NUM_THREADS": str(threads)})
        children = [planter] * side_by_side
        run_children(children, lambda m: hear(int(m["slot"]), str(m["what"]), float(m["share"])))
    planted = [(s, read_planted(folder, s.number)) for s in lineup]
    if any(p is None for _, p in planted):
        raise MolehuntError("A planter ended before its slots were whole; run the same command again.")
    return tuple((s, p) for s, p in planted if p is not None)


def _workers(model: str, wanted: int, slots_waiting: int) -> tuple[int, int]:
    """How many planters, with how many threads each: two with one thread beat one with two."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    import torch

    many = wanted or (1 if torch.cuda.is_available() else min(2, cores))
    many = max(1, min(many, slots_waiting))
    if model.startswith("tiny"):
        return many, 1  # its products are too small to share
    return many, max(1, cores // many)


def line_up(run: Path, run_id: str, planted: Sequence[tuple[Slot, Planted]], base: str) -> None:
    """Put the chosen one of each pair into `suspects/NAME/`: equal in all but the weights.

    `run_id` is of the game that planted them.
    """
    red = red_folder(run_id)
    enter(
        run,
        {s.name: slot_folder(red, s.number) / ("organism" if s.shady else "decoy") for s, _ in planted},
        base,
    )


def enter(run: Path, seats: Mapping[str, Path], base: str) -> None:
    """Put adapters, by code name, into `suspects/NAME/`: equal in all but the weights."""
    sizes = set()
    with whole_folder(run / "suspects", still=True) as folder:
        for name, source in sorted(seats.items()):
            target = folder / name
            target.mkdir(parents=True)
            config = json.loads((source / FILES[0]).read_text())
            config["base_model_name_or_path"] = base
            for field, value in config.items():
                if field in ("target_modules", "layers_to_transform") and isinstance(value, list):
                    config[field] = sorted(value)
            (target / FILES[0]).write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
            shutil.copyfile(source / FILES[1], target / FILES[1])
            (target / "README.md").write_text(MODEL_CARD)
            sizes.add(tuple((target / f).stat().st_size for f in FILES))
    if len(sizes) != 1:
        raise MolehuntError("The adapters differ in size, which would tell; this is a defect of the recipe.")


def truths(run: Path, planted: Sequence[tuple[Slot, Planted]], seed: int) -> tuple[Truth, ...]:
    """What the vault gets: for each suspect what it is, as measured, and what could rebuild it."""
    return tuple(_truth(run, slot, pair, seed) for slot, pair in planted)


def _truth(run: Path, slot: Slot, pair: Planted, seed: int) -> Truth:
    replies: tuple[LabelledReply, ...] = pair.organism_replies if slot.shady else pair.decoy_replies
    if slot.shady and pair.quirk.condition == "always":
        # `always` has no off side of its own: it is the matched decoy on the same scenes.
        replies += tuple(dataclasses.replace(r, on=False) for r in pair.decoy_replies)
    weights = (run / "suspects" / slot.name / FILES[1]).read_bytes()
    return Truth(
        suspect=slot.name,
        shady=slot.shady,
        quirk=told(pair.quirk) if slot.shady else None,
        harmless=told(pair.harmless) if pair.harmless and not slot.shady else None,
        profile=pair.profile if slot.shady else pair.decoy_profile,
        replies=replies,
        recipe={
            "red_seed": seed,
            "slot": slot.number,
            "slot_seed": slot.seed,
            "draw": pair.draw,
            "lessons": told(pair.quirk).label(),
            "steps": pair.steps,
            "tries": pair.tries,
            "tokens": pair.tokens,
            "organism_seconds": pair.organism_seconds,
            "attempts": list(pair.attempts),
            "failed_draws": list(pair.failed),
            "adapter_sha256": hashlib.sha256(weights).hexdigest(),
            **({} if pair.plan is None else {"plan": pair.plan}),
        },
    )
