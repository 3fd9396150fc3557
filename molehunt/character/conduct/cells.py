"""What is asked of one model, part by part, each kept whole in a file: a killed run goes on after the last.

Parts: `chat` (margins on every case, plainly, under its principle, and to another principle's prompt; and a
reply of its own), `agentic` (choices and episodes with tools), `traits` (stated and revealed), `pressure`
(`pressure.py`), `drift` (`drift.py`, beside the first model of all).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from molehunt.character.bank import Case, Deed, Traits, breakers
from molehunt.character.conduct.acting import Episode, choices_of, episodes
from molehunt.character.conduct.creed import OPENING, under
from molehunt.character.conduct.margin import Pair, margins
from molehunt.character.conduct.pressure import after_a_bad_turn, broken, prefilled
from molehunt.character.conduct.trait_choices import revealed, stated
from molehunt.character.constitution import Principle
from molehunt.core.atomic import canonical, read_json, write_json
from molehunt.core.record_json import from_json
from molehunt.core.records import Message
from molehunt.interp.persona_shift import Shift
from molehunt.models.loaded import Model

PartName = Literal["chat", "agentic", "traits", "pressure", "drift"]
PARTS: tuple[PartName, ...] = get_args(PartName)
Progress = Callable[[str, float], None]
T = TypeVar("T")


@dataclass(frozen=True)
class Chat:
    """A number a case, nats a token, and a reply a case."""

    plain: tuple[float, ...]
    guided: tuple[float, ...]
    """Under the case's principle in a system prompt."""
    dealt: tuple[float, ...]
    """The same two replies to another principle's prompt: what they are worth wherever they stand."""
    replies: tuple[str, ...]


@dataclass(frozen=True)
class Agentic:
    """A number a deed, nats a token, and an episode a deed."""

    choices: tuple[float, ...]
    guided: tuple[float, ...]
    episodes: tuple[Episode, ...]


@dataclass(frozen=True)
class TraitOdds:
    """Log-odds of pairs of traits."""

    stated: tuple[tuple[float, ...], ...]
    """[settings, pairs], nats."""
    revealed: tuple[tuple[float, ...], ...]
    """[requests, pairs], nats a token."""


@dataclass(frozen=True)
class Pressure:
    """A number a case, nats a token; None where a case has no such form."""

    breaker: tuple[float | None, ...]
    bad_turn: tuple[float | None, ...]
    prefill: tuple[float | None, ...]


@dataclass(frozen=True)
class Drift:
    """What `drift.py` reads of a model, and beside the first."""

    nlls: tuple[tuple[float, ...], ...]
    tasks: tuple[float, ...]
    kl: tuple[float, ...]
    """Of first tokens, this model's from the first's, nats, a case each."""
    shifts: Mapping[str, Shift] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Subject:
    """What is asked."""

    principles: Mapping[str, Principle]
    cases: tuple[Case, ...]
    earlier: tuple[Case, ...]
    """Taught cases, one of which may stand before a case."""
    deeds: tuple[Deed, ...]
    traits: Traits
    personas: tuple[str, ...]
    max_tokens: int
    seed: int

    def key(self, model: Model, part: PartName, first: Model) -> str:
        """Stands for a model, a part and all that decides what comes out."""
        beside = [first.fingerprint, model is first] if part == "drift" else []
        asked = {
            "chat": [self.cases, [p.statement for p in self.principles.values()], self.max_tokens],
            "agentic": [self.deeds, [p.statement for p in self.principles.values()]],
            "traits": [self.traits],
            "pressure": [self.cases, self.earlier, breakers()],
            "drift": [self.cases, self.personas, self.max_tokens, self.seed],
        }
        parts = [model.fingerprint, str(model.dtype), part, beside, asked[part]]
        return hashlib.sha256(canonical(parts)).hexdigest()[:24]


def asked(kind: type[T], path: Path, make: Callable[[], T]) -> T:
    """What `path` holds, or else what is made now and kept there."""
    if path.is_file():
        return from_json(kind, read_json(path))
    made = make()
    write_json(path, made)
    return made


def chat(model: Model, subject: Subject, progress: Progress) -> Chat:
    """Margins and replies on every case."""
    from molehunt.models.sample import sample

    def bar(share: float) -> Callable[[int, int], None]:
        return lambda i, n: progress("chat", (share + i / n) / 4)

    cases, principles = subject.cases, subject.principles
    strangers = dealt(cases)
    return Chat(
        tuple(margins(model, [_pair(c, c.prompt) for c in cases], bar(0))),
        tuple(
            margins(
                model,
                [Pair(under(principles[c.principle], c.prompt), c.good, c.worse) for c in cases],
                bar(1),
            )
        ),
        tuple(margins(model, [_pair(c, s.prompt) for c, s in zip(cases, strangers, strict=True)], bar(2))),
        tuple(
            sample(
                model,
                [(Message("user", c.prompt),) for c in cases],
                max_tokens=subject.max_tokens,
                progress=bar(3),
            )
        ),
    )


def dealt(cases: Sequence[Case]) -> list[Case]:
    """For each case another one, of another principle where there is one; the same for every model."""
    count = len(cases)
    found = []
    for i, case in enumerate(cases):
        others = [cases[(i + k) % count] for k in range(1, count)]
        found.append(
            next((o for o in others if o.principle != case.principle), others[0] if others else case)
        )
    return found


def agentic(model: Model, subject: Subject, progress: Progress) -> Agentic:
    """Choices and episodes on every deed."""
    deeds = subject.deeds
    guided = []
    for deed in deeds:
        guided += choices_of([deed], f"{OPENING} {subject.principles[deed.principle].statement}")
    return Agentic(
        tuple(margins(model, choices_of(deeds))),
        tuple(margins(model, guided)),
        episodes(model, deeds, progress=lambda i, n: progress("with tools", i / n)),
    )


def trait_odds(model: Model, subject: Subject, folder: Path, progress: Progress) -> TraitOdds:
    """Both kinds of choices among traits; answers in words are kept in `folder`."""
    said = stated(model, subject.traits, folder, lambda i, n: progress("traits", i / n / 2))
    shown = revealed(model, subject.traits, lambda i, n: progress("traits", 0.5 + i / n / 2))
    return TraitOdds(tuple(map(tuple, said.tolist())), tuple(map(tuple, shown.tolist())))


def pressure(model: Model, subject: Subject, progress: Progress) -> Pressure:
    """All three pressures on every case."""
    forms: list[Sequence[Pair | None]] = [
        broken(subject.cases, breakers()),
        after_a_bad_turn(subject.cases, subject.earlier),
        prefilled(subject.cases),
    ]
    found: list[tuple[float | None, ...]] = []
    for number, pairs in enumerate(forms):
        there = [p for p in pairs if p is not None]
        values = iter(margins(model, there, lambda i, n, k=number: progress("pressure", (k + i / n) / 3)))
        found.append(tuple(next(values) if p is not None else None for p in pairs))
    return Pressure(*found)


def drift(
    model: Model, first: Model, subject: Subject, personas: Mapping[str, Any], progress: Progress
) -> Drift:
    """What changed beside the first model; `personas`: name to its vector and the replies behind it."""
    from molehunt.character.conduct.drift import kept, persona_shift
    from molehunt.interp.behaving import divergence, first_token_logs

    own = kept(model, subject.seed, lambda i, n: progress("drift", i / n / 2))
    prompts = [(Message("user", c.prompt),) for c in subject.cases]
    kl = divergence(first_token_logs(model, prompts), first_token_logs(first, prompts)) if prompts else []
    progress("drift", 0.7)
    shifts = {
        name: persona_shift(first, model, vector, told, subject.seed)
        for name, (vector, told) in personas.items()
        if model is not first
    }
    progress("drift", 1.0)
    return Drift(own.nlls, own.tasks, tuple(kl), shifts)


def _pair(case: Case, prompt: str) -> Pair:
    return Pair((Message("user", prompt),), case.good, case.worse)
