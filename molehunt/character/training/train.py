"""A training toward a character, from its plan to an adapter: `train(...)` is the library's function.

The folder holds `plan.json`, the stages (`writing.py`, `lessons.jsonl`), `live.jsonl` (`signs.py`),
`adapter/` with its card, and `result.json`. The same call goes on where it was stopped; another plan or
model is refused there. Toward an uncertainty `moral.json` holds what dilemmas say before and after, on
those that were taught and on those that were not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from molehunt.character import bank
from molehunt.character.allowed import allowed, good, lineage_of
from molehunt.character.constitution import Constitution
from molehunt.character.constitution_check import load_sound
from molehunt.character.training import lines, uncertain, writing
from molehunt.character.training.plan import AUTO, CORPUS, SELF, Plan
from molehunt.character.training.result import Result, standing
from molehunt.core import asked
from molehunt.core.atomic import canonical, read_json, write_json
from molehunt.core.errors import RunMismatch, UserError
from molehunt.core.record_json import from_json
from molehunt.core.store import stage_key
from molehunt.models.readers import LOCAL, open_local, open_reader

if TYPE_CHECKING:
    from molehunt.models.loaded import Model, ModelSpec

PLAN, RESULT = "plan.json", "result.json"
Progress = Callable[[str, float], None]


def train(
    model: "str | ModelSpec",
    folder: str | Path,
    plan: Plan | None = None,
    *,
    cases: str | Path | None = None,
    parallel: int = 16,
    lineage: str | Path | None = None,
    ungated: bool = False,
    progress: Progress = lambda name, share: None,
    opener: "Callable[[ModelSpec], Model] | None" = None,
    note: Mapping[str, Any] | None = None,
) -> Result:
    """Write what is taught, teach it, and keep the adapter.

    Args:
        cases: a file of your own cases, beside the written ones.
        lineage: folder of the lineage of which the model and whoever teaches or prefers have to be good
            versions, if they are of this machine; the default one where it exists if None.
        ungated: ask none.
        opener: opens the model; `open_model` where None.
        note: what the command was asked, kept for going on (`core/asked.py`).

    Raises:
        UserError: a teacher that refuses or may not teach, or a training that collapsed: the last good
            adapter is kept.
        BadFile: a constitution or file that cannot be used; names the line.
        RunMismatch: the folder was begun with another plan or model.
    """
    from molehunt.character.training.toward import toward_constitution, toward_uncertainty
    from molehunt.models.load import open_model
    from molehunt.models.loaded import ModelSpec

    plan, folder = (plan or Plan()).checked(), Path(folder)
    creed = load_sound(plan.constitution)
    own = bank.read_cases(Path(cases)) if cases is not None else ()
    spec = ModelSpec(model) if isinstance(model, str) else model
    home = lineage_of(lineage, ungated)
    _room(folder)
    _readers(plan)
    opened = (opener or open_model)(spec)
    if not (folder / RESULT).is_file():  # what stands may be shown, whatever a gate said since
        _allowed(plan, opened, home)
    begin(folder, opened, plan, creed, own)
    asked.keep(folder, note, done=(folder / RESULT).is_file())
    if (folder / RESULT).is_file():
        return standing(from_json(Result, read_json(folder / RESULT)), folder)
    if plan.toward == "constitution":
        result = toward_constitution(opened, creed, own, plan, folder, parallel, progress)
    else:
        result = toward_uncertainty(opened, plan, folder, progress)
    write_json(folder / RESULT, result)
    asked.keep(folder, note, done=True)
    return standing(result, folder)


def reckoned(plan: Plan, cases: str | Path | None = None) -> dict[str, Any]:
    """What a training would cost, without opening any model: prompts, questions, tokens at most."""
    plan = plan.checked()
    _readers(plan, opened=False)
    if plan.toward != "constitution":
        some = uncertain.choices(plan)
        return {
            "dilemmas": len(uncertain.targets(plan)),
            "questions_taught": len(some),
            "steps": plan.steps,
            "sampled_tokens_most": 0,
        }
    creed = load_sound(plan.constitution)
    own = bank.read_cases(Path(cases)) if cases is not None else ()
    count = len(writing.taught_cases(creed, own, plan))
    tried = min(plan.try_out, count)
    asks = plan.teacher not in (AUTO, CORPUS)
    own_replies = 2 * (count if plan.teacher != CORPUS else tried)
    own_replies += min(lines.VOICE, plan.steps * plan.batch // 4)
    overseen = count if asks or plan.teacher == AUTO else tried
    reflections = len(creed.principles) if plan.teacher != CORPUS else 0
    questions = 2 * overseen + reflections
    judged = 2 * (count if plan.teacher != CORPUS else 0) + 8 * tried
    return {
        "prompts": count,
        "own_replies_most": own_replies,
        "teacher_questions_most": questions,
        "judge_questions_most": judged,
        "sampled_tokens_most": plan.max_tokens * (own_replies + questions) + 4 * judged,
        "steps": plan.steps + plan.prefer_steps,
    }


def _readers(plan: Plan, opened: bool = True) -> None:
    """Refuse a teacher or judge that cannot be, or cannot be opened, before anything is written."""
    for name in {plan.teacher, plan.judge} - {AUTO, CORPUS, SELF}:
        if "/" not in name and not name.startswith(LOCAL):
            who, known = ("judge", (SELF,)) if name == plan.judge else ("teacher", (AUTO, CORPUS, SELF))
            raise UserError(
                f"There is no {who} {name[:80]!r}; give {', '.join(known)}, {LOCAL}NAME, or PROVIDER/MODEL "
                "as Inspect writes it."
            )
        if opened and not name.startswith(LOCAL):
            open_reader(name)


def _allowed(plan: Plan, model: "Model", lineage: Path | None) -> None:
    """Refuse models of this machine that shape the next one without being a good version of the lineage."""
    good(model, lineage)
    if lineage is None or plan.toward != "constitution" or plan.teacher == CORPUS:
        return
    for name in sorted({SELF if plan.teacher == AUTO else plan.teacher, plan.judge}):
        if name == SELF or name.startswith(LOCAL):
            allowed(model if name == SELF else open_local(name), lineage)


def _room(folder: Path) -> None:
    if folder.exists() and not (folder / PLAN).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is not empty and holds no training toward a character; give a new folder.")


def made_from(plan: Plan, creed: Constitution, own: Sequence[bank.Case] = ()) -> dict[str, Any]:
    """All that decides what comes out beside the model, words as hashes.

    What is taught and watched is divided by hash, so a case more may move others from one part to another:
    the hash is of the cases (or dilemmas, both halves) that this training takes, in their order.
    """
    if plan.toward == "constitution":
        names = [p.id for p in creed.principles]
        written: Any = [writing.taught_cases(creed, own, plan), bank.beside(own, names, "watch")]
    else:
        written = [uncertain.choices(plan), uncertain.halves()]
    return {
        "plan": asdict(plan),
        "constitution": {"name": creed.name, "version": creed.version, "sha256": stage_key(creed)},
        "cases": {"own": len(own), "sha256": stage_key(own)},
        "written": {"sha256": stage_key(written)},
    }


def begin(folder: Path, model: "Model", plan: Plan, creed: Constitution, own: Sequence[bank.Case]) -> None:
    """Note what is trained.

    Raises:
        RunMismatch: the folder was begun with another plan or model, or any word of the constitution, of
            one's own cases or of what was written for the project and is taught here is another.
    """
    said = {
        "model": {"id": model.spec.id, "fingerprint": model.fingerprint, "dtype": str(model.dtype)},
        **made_from(plan, creed, own),
    }
    path = folder / PLAN
    if path.is_file():
        if canonical(read_json(path)) != canonical(said):
            raise RunMismatch(
                f"{folder} was begun with another plan, model, constitution or cases; choose another folder, "
                "or give the same command."
            )
        return
    write_json(path, said)
