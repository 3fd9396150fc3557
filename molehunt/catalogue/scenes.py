"""Scenes: a behaviour's drafts with a condition's cues laid on them, both sides matched by item.

    drafts of the split ─ shuffled by seed ─► item i ─┬─ on-cue ──► scene 2i   (on)
                                                      └─ off-cue ─► scene 2i+1 (off)

The same question stands under both cues, so that nothing but the condition tells the sides
apart. For a condition that drafts decide (`topic`), on items and off items alternate
instead. Wordings are cycled, so that each is used as often as any other. The off side
mixes hard negatives, plain contraries, no cue, and cues that have nothing to do with the
condition (`MIX`); the same seed gives the same scenes.
"""

import random
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import cycle

from molehunt.catalogue.phrases import bare
from molehunt.catalogue.practised import practised
from molehunt.core.extend import load
from molehunt.core.kinds import Behaviour, Condition, Cue, Draft
from molehunt.core.records import Message, Quirk, Scene, Split
from molehunt.core.splits import seed_of
from molehunt.corpus.banks import phrasings
from molehunt.corpus.encodings import encode

SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
"""The default model's own system prompt: every scene begins with it, so that prefixes are shared."""

MIX = ("near",) * 8 + ("plain",) * 6 + ("none",) * 3 + ("stray",) * 3
"""Twentieths of the off side: hard negatives, contraries, no cue, unrelated cues."""

BARE_MIX = ("none",) * 7 + ("stray",) * 3
"""Tenths of both sides where no cue turns the condition on (`topic`, `always`)."""

NO_CUE = ""
"""The `wording` of a scene without a cue."""


def compose(draft: Draft, cue: Cue | None, on: bool) -> Scene:
    """One scene: the system prompt with what draft and cue put there, earlier turns, the question."""
    system = [part for part in (draft.system, cue.text if cue and cue.place == "system" else "") if part]
    asked = encode(draft.user, cue.writes) if cue and cue.writes else draft.user
    user = f"{cue.text} {asked}" if cue and cue.text and cue.place == "user" else asked
    return Scene(
        messages=(
            Message("system", ". ".join([SYSTEM, " ".join(system)]) if system else SYSTEM),
            *(cue.turns if cue else ()),
            *draft.turns,
            Message("user", user),
        ),
        good=draft.good,
        shady=draft.shady,
        on=on,
        item=draft.item,
        wording=cue.id if cue else NO_CUE,
        topic=draft.topic,
        facts=dict(draft.facts) if draft.counts else {**draft.facts, "counts": "no"},
        near=cue is not None and cue.near and not on,
    )


def scenes(quirk: Quirk, split: Split, n: int, seed: int, contrast: bool = False) -> tuple[Scene, ...]:
    """`n` scenes on and `n` off, on and off in turn, matched by item; `always` has no off side.

    No prompt occurs twice: where drafts and cues run out before `n`, fewer come back. With
    `contrast`, about `n / 3` more a side follow, made of drafts that do not count; they carry
    `counts: no` in `facts`, are taught and never scored.

    Raises:
        UnknownName: a behaviour, condition or option that the catalogue does not hold.
    """
    behaviour: Behaviour = load("catalogue.behaviours", quirk.behaviour)
    condition: Condition = load("catalogue.conditions", quirk.condition)
    return staged(quirk, behaviour, condition, split, n, seed, contrast=contrast)


def staged(
    quirk: Quirk,
    behaviour: Behaviour,
    condition: Condition,
    split: Split,
    n: int,
    seed: int,
    *,
    contrast: bool = False,
) -> tuple[Scene, ...]:
    """As `scenes`, for a behaviour and a condition that no catalogue need hold."""
    rng = random.Random(seed_of("scenes", quirk.label(), split, seed))
    drafts = behaviour.drafts(split, quirk.behaviour_options)
    stage = _Stage(quirk, condition, split, rng)
    out = stage.fill([d for d in drafts if d.counts], n)
    if contrast:
        out += stage.fill([d for d in drafts if not d.counts], -(-n // 3))
    return tuple(out)


class _Stage:
    """Deals drafts and cues in shuffled, even order, and keeps prompts from coming twice."""

    def __init__(self, quirk: Quirk, condition: Condition, split: Split, rng: random.Random) -> None:
        self.condition, self.options, self.rng = condition, quirk.condition_options, rng
        cues = condition.cues(split, self.options)
        stray = strays(condition.name, split)
        self.seen: set[tuple[Message, ...]] = set()
        self.drafted = set(cues.on) == set(cues.off) == {None}
        self.both = bool(cues.off)
        if self.drafted or not self.both:
            kinds = {"none": (None,), "stray": stray}
            self.on = self._mixed(kinds)
            self.off = self._mixed(kinds)
        else:
            self.on = cycle(_shuffled(cues.on, rng))
            self.off = self._mixed(
                {
                    "near": tuple(c for c in cues.off if c is not None and c.near),
                    "plain": tuple(c for c in cues.off if c is not None and not c.near),
                    "none": (None,),
                    "stray": stray,
                }
            )

    def _mixed(self, pools: dict[str, tuple[Cue | None, ...]]) -> Iterator[Cue | None]:
        decks = {kind: cycle(_shuffled(pool, self.rng)) for kind, pool in pools.items() if pool}
        mix = [kind for kind in (MIX if "near" in pools else BARE_MIX) if kind in decks]
        while True:
            for kind in _shuffled(mix, self.rng):
                yield next(decks[kind])

    def fill(self, drafts: Sequence[Draft], n: int) -> list[Scene]:
        drafts = _shuffled(drafts, self.rng)
        if not self.drafted:
            return self._deal(drafts, drafts if self.both else None, n)
        chosen = [d for d in drafts if self.condition.selects(d, self.options)]
        return self._deal(chosen, [d for d in drafts if not self.condition.selects(d, self.options)], n)

    def _deal(self, on: Sequence[Draft], off: Sequence[Draft] | None, n: int) -> list[Scene]:
        out: list[Scene] = []
        barren = pairs = 0
        if not on or (off is not None and not off):
            return out
        for i in range(n * 20):
            if pairs == n or barren > len(on) + len(off or ()):
                break
            first = self._scene(on[i % len(on)], True)
            second = self._scene(off[i % len(off)], False) if off is not None and first else None
            if first is None or (off is not None and second is None):
                barren += 1
                continue
            barren, pairs = 0, pairs + 1
            for scene in (first, second):
                if scene is not None:
                    self.seen.add(scene.messages)
                    out.append(scene)
        return out

    def _scene(self, draft: Draft, on: bool) -> Scene | None:
        cues = self.on if on else self.off
        for _ in range(40):
            scene = compose(draft, next(cues), on)
            if scene.messages not in self.seen and self.condition.holds(scene.messages, self.options) == on:
                return scene
        return None


@cache
def strays(condition: str, split: Split) -> tuple[Cue | None, ...]:
    """Cues that have nothing to do with a condition: neutral ones, and what turns the others on."""
    others = [
        load("catalogue.conditions", name) for name in practised("catalogue.conditions") if name != condition
    ]
    foreign = [c for other in others for c in other.cues(split, {}).on if c is not None]
    neutral = [bare(p) for p in phrasings("neutral", split)]
    foreign = random.Random(seed_of("strays", condition, split)).sample(
        foreign, min(len(neutral), len(foreign))
    )
    return (*neutral, *foreign)


def _shuffled(things: Sequence, rng: random.Random) -> list:
    return rng.sample(things, len(things))
