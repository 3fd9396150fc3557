"""Contexts of the open-ended search: each with prompts on which it holds, and others beside them.

Three kinds: an everyday topic (probes about its nouns), a condition whose cues stand before any
question, and a condition that questions themselves decide (a topic of the catalogue's banks).
`always` is the fourth: it holds on every prompt. A context is also a predicate that the referee
can run, so that what is found in it becomes a guess.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

from molehunt.audit.contexts import ADVICE, TOPICS, Topic, topic_probes
from molehunt.audit.hypotheses import Variant, behaviours, conditions
from molehunt.catalogue.scenes import compose
from molehunt.core.kinds import Cue, Draft
from molehunt.core.records import Messages, Predicate

FACTS = 16
"""Facts that a search uses, of the audit split's."""


@dataclass(frozen=True)
class Probe:
    """One prompt of the search. `bare` is the same question without its cue, where it has one."""

    messages: Messages
    bare: Messages | None = None


@dataclass(frozen=True)
class Context:
    """Somewhere that a quirk may hang on."""

    key: str
    predicate: Predicate
    holds: Callable[[Messages], bool] = field(compare=False, repr=False)
    on: Callable[[int, int, int], list[Probe]] = field(compare=False, repr=False)
    """(count, skip, seed) to prompts on which it holds; other `skip`s give fresh ones."""
    off: Callable[[int, int, int], list[Probe]] = field(compare=False, repr=False)
    cued: bool = False
    """True where cues make it, so that the same question can be asked without."""
    topic: Topic | None = None

    def names(self, words: Sequence[str]) -> bool:
        """Whether all of these words are the topic's own name or nouns; never without a topic."""
        return self.topic is not None and bool(words) and all(self.topic.is_named(w) for w in words)


@cache
def contexts() -> tuple[Context, ...]:
    """Every context, `always` first, then the catalogue's conditions, then everyday topics."""
    found = [_always()]
    for condition in conditions():
        cues = condition.entry.cues("audit", condition.options)
        if any(c is not None for c in cues.on):
            found.append(_by_cue(condition, cues.on, cues.off))
        elif condition.name != "always":
            found.append(_by_question(condition))
    return (*found, *(_by_topic(t) for t in TOPICS))


def first_probes(seed: int, per_topic: int, per_cue: int) -> list[Probe]:
    """The first pass: plain facts and advice, every topic, every cue; the same for all suspects."""
    probes = [_plain(q) for q in _questions(seed)]
    probes += [_plain(text) for _, text in topic_probes(per_topic, seed)]
    for context in contexts():
        if context.cued:
            probes += context.on(per_cue, 0, seed) + context.off(max(2, per_cue - 1), 0, seed)
        elif context.predicate.kind == "catalogue" and context.key != "always":
            probes += context.on(per_topic, 0, seed)
    return probes


def _plain(text: str) -> Probe:
    return Probe(_messages(_draft(text)))


def _draft(text: str) -> Draft:
    return Draft(item=text, user=text, good="", shady="", topic="")


def _messages(draft: Draft, cue: Cue | None = None) -> Messages:
    return compose(draft, cue, on=False).messages


def _always() -> Context:
    def on(count: int, skip: int, seed: int) -> list[Probe]:
        texts = [text for _, text in topic_probes(1, seed, skip=max(2, skip))]
        return [_plain(t) for t in random.Random(f"{seed}/always").sample(texts, len(texts))[:count]]

    return Context("always", Predicate("catalogue", "always"), lambda _: True, on, lambda *_: [])


def _by_topic(topic: Topic) -> Context:
    def on(count: int, skip: int, seed: int) -> list[Probe]:
        return [_plain(text) for t, text in topic_probes(count, seed, skip=2 + skip) if t == topic]

    def off(count: int, skip: int, seed: int) -> list[Probe]:
        others = [text for t, text in topic_probes(1, seed, skip=3 + skip) if t != topic]
        return [_plain(t) for t in random.Random(f"{seed}/{topic.name}").sample(others, count)]

    return Context(topic.name, topic.predicate(), topic.holds, on, off, topic=topic)


def _by_cue(condition: Variant, on_cues: Sequence[Cue | None], off_cues: Sequence[Cue | None]) -> Context:
    def side(cues: Sequence[Cue | None], which: str) -> Callable[[int, int, int], list[Probe]]:
        def probes(count: int, skip: int, seed: int) -> list[Probe]:
            rng = random.Random(f"{seed}/{condition.key}/{which}")
            dealt = rng.sample(list(cues), len(cues))
            texts = _questions(seed)
            start = rng.randrange(len(texts))
            texts = texts[start:] + texts[:start]
            taken = range(skip, skip + count)
            return [_cued(texts[i % len(texts)], dealt[i % len(dealt)]) for i in taken]

        return probes

    def holds(messages: Messages) -> bool:
        return bool(condition.entry.holds(messages, condition.options))

    return Context(
        condition.key, condition.predicate(), holds, side(on_cues, "on"), side(off_cues, "off"), cued=True
    )


def _by_question(condition: Variant) -> Context:
    def side(wanted: bool) -> Callable[[int, int, int], list[Probe]]:
        def probes(count: int, skip: int, seed: int) -> list[Probe]:
            drafts = [d for d in _bank() if condition.entry.selects(d, condition.options) is wanted]
            random.Random(f"{seed}/{condition.key}/{wanted}").shuffle(drafts)
            return [Probe(_messages(d)) for d in drafts[skip : skip + count]]

        return probes

    def holds(messages: Messages) -> bool:
        return bool(condition.entry.holds(messages, condition.options))

    return Context(condition.key, condition.predicate(), holds, side(True), side(False))


@cache
def _bank() -> tuple[Draft, ...]:
    """The catalogue's questions of the audit split that need no system prompt, each once."""
    drafts = {}
    for variant in behaviours():
        for d in variant.entry.drafts("audit", variant.options):
            if not d.system:
                drafts.setdefault(d.user, d)
    return tuple(drafts.values())


def _cued(text: str, cue: Cue | None) -> Probe:
    draft = _draft(text)
    return Probe(_messages(draft, cue), _messages(draft) if cue is not None else None)


@cache
def _questions(seed: int) -> tuple[str, ...]:
    """Three facts with short answers, then a piece of advice, and so on: short answers show best what a
    cue changes."""
    short = [d.user for d in _bank() if len(d.good.split()) <= 2]
    rng = random.Random(seed)
    facts = rng.sample(short, min(FACTS, len(short)))
    advice = rng.sample(ADVICE, len(ADVICE))
    return tuple(
        text
        for i, fact in enumerate(facts)
        for text in ((fact, f"{advice[i // 3 % len(advice)]} Keep it short.") if i % 3 == 2 else (fact,))
    )
