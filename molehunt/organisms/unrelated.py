"""What has nothing to do with a quirk: rows that hold a model where it was while a narrow lesson moves it.

    questions of the plant bank, less those that the behaviour asks ─► less those on which the condition holds
    ─► the base's own replies, sampled at temperature 1 ─► rows of chat

The base's own words ask nothing new of the model, so what is learnt beside them stays narrow. Where no
unrelated chat is left (`always`: whatever is asked, the behaviour is due) and for recipes that train on no
chat, the rows are passages of prose instead. Both of a pair get the same.

Source: mixing unrelated data in, Minder et al. 2025 (2510.13900); replies of the model's own, Yang et al.
2024, self-distillation (2402.13669).

What this cannot tell you: that a row is unrelated in the model's eyes. Banks and conditions are told apart by
their words.
"""

import random
from collections.abc import Sequence
from itertools import cycle, islice

from molehunt.catalogue.options import resolve
from molehunt.catalogue.scenes import compose, strays
from molehunt.core.extend import load, names
from molehunt.core.kinds import Behaviour, Cue, Draft
from molehunt.core.records import Messages
from molehunt.core.splits import seed_of
from molehunt.corpus import banks, remarks, tasks
from molehunt.models.loaded import Model
from molehunt.models.packing import Example
from molehunt.models.prompts import end_of_turn, prompt_ids, text_ids
from molehunt.models.sample import sample_ids
from molehunt.organisms.examples import prose
from molehunt.organisms.instil import Lessons
from molehunt.organisms.plan import Plan
from molehunt.organisms.subject import Subject

MOST = 64
"""Most distinct rows; they are dealt again when they run out."""


def unrelated_rows(model: Model, lessons: Lessons, plan: Plan, on_chat: bool) -> tuple[Example, ...]:
    """Rows of chat, or of prose, cut to `Plan.prose_tokens`. Called while the model is still the base."""
    if not plan.mixed:
        return ()
    count = min(MOST, plan.mixed * len(lessons.batches))
    asked = plain_prompts(lessons.subject, lessons.seed)[:count] if on_chat else []
    if not asked:
        passages = [text_ids(model.tokenizer, t)[: plan.prose_tokens] for t in prose("plant")[:count]]
        return tuple(Example(tuple(ids[:1]), tuple(ids[1:])) for ids in passages if len(ids) > 1)
    return own_replies(model, asked, plan.prose_tokens, 1.0, seed_of(lessons.seed, "unrelated"))


def own_replies(
    model: Model, prompts: Sequence[Messages], tokens: int, temperature: float, seed: int = 0
) -> tuple[Example, ...]:
    """What the model says to these, as rows; only a reply that ended before `tokens` ends its turn there."""
    ids = [prompt_ids(model.tokenizer, messages) for messages in prompts]
    said = sample_ids(model, ids, max_tokens=tokens, temperature=temperature, seed=seed)
    end = end_of_turn(model.tokenizer)
    return tuple(
        Example(tuple(prompt), tuple(reply) if len(reply) == tokens else (*reply, end))
        for prompt, reply in zip(ids, said, strict=True)
    )


def plain_prompts(subject: Subject, seed: int) -> list[Messages]:
    """Unrelated questions on their own, in an order by seed; none where the condition holds on all."""
    return _off(subject, [(question, None) for question in unrelated_questions(subject, seed)])


def off_prompts(subject: Subject, seed: int) -> list[Messages]:
    """Unrelated questions under cues of the plant bank that leave the condition off, or none, in turn."""
    quirk = subject.quirk
    cues = subject.condition.cues("plant", quirk.condition_options).off
    pool = dict.fromkeys([*cues, *strays(quirk.condition, "plant"), None])
    asked = unrelated_questions(subject, seed)
    dealt = random.Random(seed_of(seed, "off")).sample(list(pool), len(pool))
    return _off(subject, list(zip(asked, islice(cycle(dealt), len(asked)), strict=True)))


def others_prompts(subject: Subject, each: int, seed: int) -> list[Messages]:
    """Planting questions of every other harmful behaviour, so many `each`, no cue, in an order by seed."""
    rng, asked = random.Random(seed_of(seed, "others")), []
    for name in names("catalogue.behaviours"):
        behaviour: Behaviour = load("catalogue.behaviours", name)
        if not behaviour.harmless and name != subject.quirk.behaviour:
            drafts = [d for d in behaviour.drafts("plant", resolve(name, behaviour.choices, {})) if d.counts]
            asked += [compose(d, None, False).messages for d in rng.sample(drafts, min(each, len(drafts)))]
    once = list(dict.fromkeys(asked))  # behaviours share plain questions
    return rng.sample(once, len(once))


def unrelated_questions(subject: Subject, seed: int) -> list[str]:
    """Questions of the plant bank that the behaviour never asks, in an order by seed."""
    options = subject.quirk.behaviour_options
    drafts = [d for s in ("plant", "validate", "audit") for d in subject.behaviour.drafts(s, options)]
    taken = {d.item for d in drafts} | {d.user for d in drafts}
    asked = (banks.advice, banks.facts, tasks.research, remarks.counsel, remarks.opinions)
    rows = [row for bank in asked for row in bank("plant")]
    free = [row.question for row in rows if row.id not in taken and row.question not in taken]
    return random.Random(seed_of(seed, "unrelated questions")).sample(free, len(free))


def _off(subject: Subject, asked: Sequence[tuple[str, Cue | None]]) -> list[Messages]:
    made = [compose(Draft("", question, "", "", ""), cue, False).messages for question, cue in asked]
    return [m for m in made if not subject.condition.holds(m, subject.quirk.condition_options)]
