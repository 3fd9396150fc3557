"""The two ways of training: toward a constitution, and toward an uncertainty."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from molehunt.character import bank
from molehunt.character.constitution import Constitution
from molehunt.character.moral.asking import ask
from molehunt.character.moral.choices import Choice as Answer
from molehunt.character.moral.choices import chosen
from molehunt.character.moral.forms import Posed, questions
from molehunt.character.moral.judging import Judged, judged_by_form
from molehunt.character.training import uncertain, writing
from molehunt.character.training.card import card
from molehunt.character.training.lessons import dealt, teach
from molehunt.character.training.plan import CORPUS, SELF, Plan
from molehunt.character.training.result import ADAPTER, Moral, Result, result_of
from molehunt.core import stats
from molehunt.core.atomic import write_json, write_jsonl
from molehunt.core.errors import Unteachable
from molehunt.core.records import Message
from molehunt.models.adapters import attach, detach, using
from molehunt.models.by_trl import Choice
from molehunt.models.loaded import Model
from molehunt.models.packing import Example
from molehunt.models.prompts import end_of_turn, prompt_ids, text_ids

LESSONS, MORAL = "lessons.jsonl", "moral.json"
Progress = Callable[[str, float], None]


def toward_constitution(
    model: Model,
    creed: Constitution,
    own: Sequence[bank.Case],
    plan: Plan,
    folder: Path,
    parallel: int,
    progress: Progress,
) -> Result:
    """Write the lessons, stage by stage, and teach them.

    Errors as `writing.write`.
    """
    cases = writing.taught_cases(creed, own, plan)
    written = writing.write(model, creed, cases, plan, folder, parallel, progress)
    write_jsonl(folder / LESSONS, writing.rows_of(written))
    end = end_of_turn(model.tokenizer)

    def prompt(text: str) -> tuple[int, ...]:
        return tuple(prompt_ids(model.tokenizer, (Message("user", text),)))

    def reply(text: str) -> tuple[int, ...]:
        return (*text_ids(model.tokenizer, text.strip()), end)

    rows = [Example(prompt(one.prompt), reply(one.reply)) for one in written.lessons if one.reply.strip()]
    choices = [Choice(prompt(p.prompt), reply(p.chosen), reply(p.rejected)) for p in written.preferences]
    watched = bank.beside(own, [p.id for p in creed.principles], "watch")
    reached, preferred = (
        min(n, m)
        for n, m in (
            (len(rows), plan.steps * plan.batch),
            (len(choices), plan.prefer_steps * (plan.batch // 2)),
        )
    )
    facts = {
        "constitution": f"{creed.name}, version {creed.version}",
        "written by": {CORPUS: "people", SELF: "the model itself"}.get(written.teacher, written.teacher),
        "replies taught": str(reached),
        "preferences": str(preferred),
    }
    batches = dealt(rows, plan.steps, plan.batch, plan.seed)
    taught = teach(
        model,
        batches,
        choices,
        watched,
        plan,
        folder,
        card(model.spec.id, "toward a constitution", facts),
        progress,
    )
    return result_of(taught, written.teacher, written.oversight, reached, preferred, written.refused, {})


def toward_uncertainty(model: Model, plan: Plan, folder: Path, progress: Progress) -> Result:
    """Ask dilemmas, teach soft choices in half of them, and ask again.

    Raises:
        Unteachable: the framework recommends nothing in any of them.
    """
    some = uncertain.choices(plan)
    if not some:
        raise Unteachable(f"No dilemma says what {plan.framework} recommends.")
    write_jsonl(folder / LESSONS, [vars(one) for one in some])
    before = _moral(model, plan, folder, lambda s: progress("dilemmas, before", s))
    rows = uncertain.rows(model, some)
    each = max(1, plan.batch // 2)
    batches = [[row for pair in batch for row in pair] for batch in dealt(rows, plan.steps, each, plan.seed)]
    reached = min(len(some), plan.steps * each)
    facts = {
        "toward": f"certainty: {plan.framework} decides"
        if plan.toward == "certain"
        else "calibrated uncertainty",
        "dilemmas taught": str(len(uncertain.targets(plan))),
        "questions taught": str(reached),
    }
    warnings = (
        ["a control: it was taught to be certain where nobody should be"] if plan.toward == "certain" else []
    )
    text = card(model.spec.id, "on soft targets over choices in dilemmas", facts, warnings)
    taught = teach(model, batches, [], [], plan, folder, text, progress)
    moral = {"before": before}
    if taught.after is not None:
        name = attach(model, folder / ADAPTER)
        with using(model, name):
            moral["after"] = _moral(model, plan, folder, lambda s: progress("dilemmas, after", s), name)
        detach(model, name)
    write_json(folder / MORAL, moral)
    return result_of(taught, CORPUS, None, reached, 0, 0, moral)


def _moral(
    model: Model, plan: Plan, folder: Path, progress: Callable[[float], None], adapter: str = ""
) -> dict[str, Moral]:
    """What dilemmas say of the model as it is, on those that are taught and on those that are not."""
    asked = replace(model, fingerprint=f"{model.fingerprint} {adapter}") if adapter else model
    found = {}
    taught, held_out = uncertain.halves()
    parts = {"taught": taught[: plan.limit or None], "held_out": held_out[: plan.limit or None]}
    for number, (part, some) in enumerate(parts.items()):
        put = questions([Posed(d.id, d.context, d.actions) for d in some])
        said = ask(asked, put, folder, lambda i, n, k=number: progress((k + i / n) / 2))
        one = judged_by_form(some, said, seed=plan.seed)
        wanted = {d.id: t for d in some if (t := uncertain.target(d, plan)) is not None}
        forms = {f: _told(j, [c for c in said if c.form == f], wanted, plan) for f, j in one.forms.items()}
        found[part] = replace(_told(one, said, wanted, plan), forms=forms)
    progress(1.0)
    return found


def _told(one: Judged, said: Sequence[Answer], wanted: Mapping[str, float], plan: Plan) -> Moral:
    """What dilemmas came to, and how far choices are from their targets."""
    p = {i: c.p for i, c in chosen(said).items()}
    ids = [i for i in wanted if i in p]
    gaps = [abs(p[i] - wanted[i]) for i in ids]
    how = "distance of choice probability from target"
    distance = stats.mean(gaps, ids, unit="share", how=how, seed=plan.seed, within=(0, 1))
    c = one.credence
    return Moral(one.measures, c.weights, c.certainty, c.alarm, distance)
