"""A process that plants slots of a job: `python -m molehunt.game.planter JOB.json`.

Several work on one job side by side. Each claims the next slot that nobody has, those that take longest
first, so that none idles while another draws again and again. A planter works in the red team's private
folder, says how far it is in JSON lines, finishes each slot wholly or not at all, and ends when the
process that started it does.
"""

import json
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from molehunt.core.atomic import read_json, write_json
from molehunt.core.errors import MolehuntError, Unteachable, UserError
from molehunt.core.record_json import from_json, to_json
from molehunt.core.records import LabelledReply, Profile, Quirk
from molehunt.core.splits import seed_of

JOB = "job.json"
"""What planters are to do, in the red team's private folder of a run."""
DRAWS = 4
"""How many quirks a slot may draw, where planting keeps failing, before the game gives up."""


@dataclass(frozen=True)
class Job:
    """What is to be planted, by one planter or by several."""

    model: str
    revision: str | None
    folder: str
    """The red team's private folder."""
    red_seed: int
    count: int
    """Slots in the whole lineup."""
    numbers: tuple[int, ...]
    """Slots that are not whole yet."""
    steps: int
    tries: int
    unlisted: float
    quirks: str | None
    threads: int
    even: bool = False
    """Whether the slots go through the behaviours in turn (practice), instead of drawing them."""
    plan: str | None = None
    """File of a plan that is not the usual one; its steps hold, `steps` does not."""


@dataclass(frozen=True)
class Planted:
    """A slot's result as kept on disk, beside `organism/` and `decoy/`."""

    slot: int
    draw: int
    quirk: Quirk
    harmless: Quirk | None
    profile: Profile
    organism_replies: tuple[LabelledReply, ...]
    decoy_replies: tuple[LabelledReply, ...]
    steps: int
    tries: int
    tokens: int
    organism_seconds: float
    """Wall time on organisms until one was valid: failed tries and given-up draws included."""
    attempts: tuple[str, ...]
    failed: tuple[str, ...]
    """Earlier draws of this slot that could not be planted, and why."""
    decoy_profile: Profile | None = None
    """What the decoy's harmless quirk shows; None where it has none, or an older version planted it."""
    plan: Mapping[str, Any] | None = None
    """The plan, as JSON, where it was not the usual one."""


def slot_folder(folder: Path, number: int) -> Path:
    """Where a slot's pair lies."""
    return folder / f"slot-{number:02d}"


def read_planted(folder: Path, number: int) -> Planted | None:
    """A slot's result, or None while it is not whole."""
    path = slot_folder(folder, number) / "pair.json"
    return from_json(Planted, read_json(path)) if path.exists() else None


def plant_slots(job: Job) -> None:
    """Plant every slot of the job that is not whole yet and that no other planter has claimed.

    Raises:
        Unteachable: a slot could not be planted in `DRAWS` draws.
    """
    import torch

    from molehunt.models.check import fit_to_speak
    from molehunt.models.load import open_model
    from molehunt.models.loaded import ModelSpec
    from molehunt.organisms.draw import Slot, draw, slots
    from molehunt.organisms.learnable import steps_for
    from molehunt.organisms.plan import Plan, read_plan
    from molehunt.organisms.plant import plant_pair
    from molehunt.organisms.strangers import strangers_quirks, told

    torch.set_num_threads(job.threads)
    folder = Path(job.folder)
    model = fit_to_speak(open_model(ModelSpec(job.model, job.revision)))
    strangers = strangers_quirks(Path(job.quirks)) if job.quirks else ()
    refused: tuple[type[Exception], ...] = (Unteachable, FloatingPointError)
    plan = Plan(steps=job.steps, tries=job.tries)
    if job.plan is not None:
        plan = replace(read_plan(Path(job.plan)), tries=job.tries)
        refused = (UserError, FloatingPointError)

    def longest(slot: Slot) -> tuple[int, int]:
        quirk, _ = draw(slot, 0, job.unlisted, strangers, job.even, job.model)
        return -steps_for(quirk, plan.steps), slot.number

    for slot in sorted((s for s in slots(job.count, job.red_seed) if s.number in job.numbers), key=longest):
        if not _claim(folder, slot.number):
            continue
        if read_planted(folder, slot.number) is not None:
            _say(slot.number, "done", 1.0)
            continue
        given_up = slot_folder(folder, slot.number) / "given_up.json"
        failed, seconds = _read_given_up(given_up)
        for number in range(len(failed), DRAWS):
            quirk, harmless = draw(slot, number, job.unlisted, strangers, job.even, job.model)
            try:
                pair = plant_pair(
                    model,
                    quirk,
                    harmless,
                    slot_folder(folder, slot.number),
                    seed_of(slot.seed, number),
                    plan,
                    lambda what, share, at=slot.number: _say(at, what, share),
                )
            except refused as error:  # training came apart, or the plan teaches nothing of this quirk
                failed.append(f"{told(quirk).label()}: {error}")
                write_json(given_up, {"failed": failed, "seconds": seconds})
                continue
            seconds += pair.organism_seconds
            if pair.profile.valid:
                break
            failed.append(f"{told(quirk).label()}: {'; '.join(pair.attempts)}")
            write_json(given_up, {"failed": failed, "seconds": seconds})
        else:
            raise Unteachable(
                f"{DRAWS} quirks in a row could not be planted in {job.model}; allow more with --steps or "
                "--tries in a new folder, or take a larger base model."
            )
        planted = Planted(
            slot.number,
            number,
            pair.quirk,
            pair.harmless,
            pair.profile,
            pair.organism_replies,
            pair.decoy_replies,
            pair.steps,
            pair.tries,
            pair.tokens,
            seconds,
            pair.attempts,
            tuple(failed),
            pair.decoy_profile,
            {k: v for k, v in to_json(plan).items() if k != "is"} if job.plan else None,
        )
        write_json(slot_folder(folder, slot.number) / "pair.json", to_json(planted))
        _say(slot.number, "done", 1.0)


def clear_claims(folder: Path) -> None:
    """Forget who had which slot: to be called before planters are started, when none is at work."""
    for claim in folder.glob("slot-*.claimed"):
        claim.unlink()


def _claim(folder: Path, number: int) -> bool:
    """Whether the slot is this planter's now; it is one's who comes first."""
    try:
        os.close(os.open(folder / f"slot-{number:02d}.claimed", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return False
    return True


def _read_given_up(path: Path) -> tuple[list[str], float]:
    """Draws that a slot gave up before it was interrupted, and why; the seconds that they took."""
    if not path.exists():
        return [], 0.0
    kept = read_json(path)
    return [str(f) for f in kept["failed"]], float(kept["seconds"])


def _say(slot: int, what: str, share: float) -> None:
    print(json.dumps({"slot": slot, "what": what, "share": round(share, 3)}), flush=True)


def _end_with_parent() -> None:
    # Ends when the parent's end of the pipe closes, however it ended. Not through `sys.stdin`: its lock,
    # held by this thread, would make the interpreter's own shutdown fail.
    while os.read(0, 4096):
        pass
    os._exit(130)


def main() -> None:
    """Read the job, plant, say what went wrong in one line."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    job = from_json(Job, read_json(Path(sys.argv[1])))
    try:
        plant_slots(job)
    except MolehuntError as error:
        print(json.dumps({"error": str(error), "kind": type(error).__name__}), flush=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
