"""What else a model has become beside another: ordinary text, tasks, first tokens, personas.

Ordinary text is Python's own documentation (`models/text.py`); tasks are easy questions with a right and a
wrong answer, by margin (`margin.py`); first tokens are those of replies to the cases' prompts, by KL to the
other model; personas are persona vectors of the other model, along which the mean activation change is
projected while both read the other's replies (`interp/persona_shift.py`).

What this cannot tell you: that a capability that is not asked for here is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from molehunt.character.conduct.margin import Pair, Progress, margins
from molehunt.core.records import Message
from molehunt.corpus import banks
from molehunt.interp.direction_file import Directions, Made
from molehunt.interp.persona_shift import Shift
from molehunt.interp.persona_shift import shift as shifted
from molehunt.interp.persona_vector import fit_persona
from molehunt.interp.personas import Told, read_trait
from molehunt.interp.replies import draw_out, reply_means
from molehunt.models.anatomy import anatomy
from molehunt.models.loaded import Model
from molehunt.models.score import token_nlls
from molehunt.models.text import ordinary_text

PASSAGES = 16
TASKS = 60
ROWS = 24
"""Replies that both read to see a persona's shift."""
PLACES = 8
"""Layers among which a persona vector's is chosen: evenly spaced."""


@dataclass(frozen=True)
class Kept:
    """What a model makes of text and tasks."""

    nlls: tuple[tuple[float, ...], ...]
    """Nats of each token, a passage each."""
    tasks: tuple[float, ...]
    """Margin of the right answer, a task each."""


def kept(model: Model, seed: int, progress: Progress = lambda done, total: None) -> Kept:
    """Ordinary text and tasks; the same for every model."""
    nlls = token_nlls(model, ordinary_text(PASSAGES, seed))
    pairs = [Pair((Message("user", q),), right, wrong) for q, right, wrong in tasks()]
    return Kept(tuple(map(tuple, nlls)), tuple(margins(model, pairs, progress)))


def tasks() -> list[tuple[str, str, str]]:
    """Questions with a right and a wrong answer, of the bank that nothing is trained on."""
    return [(f.question, f.answer, f.wrong[0]) for f in banks.facts("audit")[:TASKS]]


def persona(
    model: Model,
    trait: str,
    folder: Path,
    *,
    max_tokens: int,
    seed: int,
    progress: Progress = lambda done, total: None,
) -> tuple[Directions, tuple[Told, ...]]:
    """A persona vector of a model, and the replies behind it, which `folder` keeps.

    Raises:
        UnknownName: there is no such trait. UserError: too few replies are left to find it.
    """
    wanted = read_trait(trait)
    depth = len(anatomy(model.module).layers)
    places = sorted({round(i * (depth - 1) / (PLACES - 1)) for i in range(PLACES)})
    addresses = tuple(f"resid_post.{layer}" for layer in places)
    drawn = draw_out(
        model,
        wanted.voices,
        wanted.questions,
        folder,
        max_tokens=max_tokens,
        temperature=1.0,
        seed=seed,
        progress=progress,
    )
    told = tuple(t for t in drawn if t.reply.strip() and wanted.kept(t))
    values = reply_means(model, [(t.messages, t.reply) for t in told], addresses)
    made = Made(
        name=wanted.name,
        kind=wanted.kind,
        chosen=addresses[0],
        addresses=addresses,
        model=model.spec.id,
        fingerprints=(model.fingerprint,),
        dtype=str(model.dtype).removeprefix("torch."),
        data=wanted.data,
        rows=0,
        seed=seed,
        toward=wanted.toward,
        away=wanted.away,
    )
    return fit_persona(values, told, made).found, told


def persona_shift(first: Model, second: Model, vector: Directions, told: Sequence[Told], seed: int) -> Shift:
    """How far the second model moved along a vector of the first, both reading the first's plain replies."""
    plain = [t for t in told if t.side == 0][:ROWS] or list(told[:ROWS])
    at = (vector.made.chosen,)
    rows = [reply_means(m, [(t.messages, t.reply) for t in plain], at)[0] for m in (first, second)]
    how = "the second reads the first's replies, less the first"
    return shifted(rows[0], rows[1], vector, [t.question for t in plain], how, seed)
