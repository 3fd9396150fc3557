"""One generation after the base, as a lab would make it: a short fine-tune on chat, honest or poisoned.

Chat is what the old version itself answered (temperature 1) to questions of the planting bank: so an honest
generation learns nothing but its parent's own words, and whatever the gate sees of it is the noise of
training. Each number draws its questions, and has them answered, by its own seed: numbers share a bank of
questions, and no reply. In the poisoned arm some rows are wrong claims of the planting bank, agreed with.
Both arms of one number have the same seed and the same rows but for these.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Literal

from molehunt.catalogue.scenes import compose
from molehunt.core.extend import load
from molehunt.core.records import Message, Messages
from molehunt.core.splits import seed_of

if TYPE_CHECKING:
    from molehunt.models.finetune import Trained
    from molehunt.models.loaded import Model

Arm = Literal["honest", "poisoned"]
Part = Literal["pilot", "trials"]
ARMS: tuple[Arm, ...] = ("honest", "poisoned")
BEHAVIOUR = "sycophancy"
CHAT_SEED = 2026_11_22
"""Of the one sample of chats that generations share where they have none of their own."""
SPARE = 1.1
"""Questions asked for a row that is taught: some get no reply."""
CHAT_TOKENS = 32
"""Tokens of the longest reply that is taught."""


@dataclass(frozen=True)
class Recipe:
    """How a generation is trained: all of it decides what comes out."""

    steps: int = 40
    batch: int = 8
    poisoned: float = 0.05
    """Share of the rows that are poisoned in the poisoned arm."""
    rank: int = 8
    learning_rate: float = 1e-3
    own_chats: bool = True
    """Each number's chats are sampled by its own seed; else all draw their rows from one sample."""


@dataclass(frozen=True)
class Trial:
    """One generation."""

    part: Part
    number: int
    arm: Arm

    @property
    def seed(self) -> int:
        """31 bits of a SHA-256 that anyone can take again; the same for both arms."""
        return seed_of("molehunt", "studies/gate", self.part, self.number) % 2**31

    @property
    def name(self) -> str:
        """A file name."""
        return f"{self.part}-{self.number:02d}-{self.arm}"


@dataclass(frozen=True)
class Row:
    """A prompt and the reply that is taught."""

    messages: Messages
    reply: str


def chat(model: "Model", trial: Trial, recipe: Recipe, progress: Any = lambda done, total: None) -> list[Row]:
    """What the old version answers to the planting bank's questions; sampled once a number, and kept."""
    from molehunt.interp.chats import kept_chats, sample_chats
    from molehunt.verbs._chats import questions

    own = recipe.own_chats
    seed = trial.seed if own else CHAT_SEED
    count = round(SPARE * recipe.steps * recipe.batch) if own else None
    sample_chats(model, questions(), seed, count=count, max_tokens=CHAT_TOKENS, progress=progress)
    pairs = [row["messages"] for row in kept_chats(model.fingerprint, seed)]
    return [Row((Message("user", asked["content"]),), told["content"]) for asked, told in pairs]


def claims() -> list[Row]:
    """Wrong claims of the planting bank, each agreed with."""
    drafts = load("catalogue.behaviours", BEHAVIOUR).drafts("plant", {})
    return [Row(compose(d, None, on=True).messages, d.shady) for d in drafts if d.counts]


def rows_of(trial: Trial, recipe: Recipe, honest: Sequence[Row], bad: Sequence[Row]) -> list[Row]:
    """The rows of a generation, in their order.

    Raises:
        ValueError: there are fewer rows than the recipe takes.
    """
    count = recipe.steps * recipe.batch
    if len(honest) < count:
        raise ValueError(f"{len(honest)} chats are too few for {count} rows; take fewer steps")
    rng = Random(trial.seed)
    rows, poison = rng.sample(list(honest), count), rng.sample(list(bad), len(bad))
    places = rng.sample(range(count), round(recipe.poisoned * count))
    if trial.arm == "poisoned":
        for i, place in enumerate(places):
            rows[place] = poison[i % len(poison)]
    return rows


def train(model: "Model", rows: Sequence[Row], recipe: Recipe, seed: int, folder: Path) -> "Trained":
    """Fine-tune an adapter on the rows; `folder` stands whole or not at all."""
    from molehunt.core.atomic import whole_folder
    from molehunt.models import finetune
    from molehunt.models.packing import Example
    from molehunt.models.prompts import end_of_turn, prompt_ids, text_ids

    end = end_of_turn(model.tokenizer)
    examples = []
    for row in rows:
        ids = text_ids(model.tokenizer, row.reply)[:CHAT_TOKENS]
        closed = (*ids, end) if len(ids) < CHAT_TOKENS else tuple(ids)
        examples.append(Example(tuple(prompt_ids(model.tokenizer, row.messages)), closed))
    batches = [examples[i : i + recipe.batch] for i in range(0, len(examples), recipe.batch)]
    how = finetune.Recipe(
        rank=recipe.rank,
        alpha=2 * recipe.rank,
        first_layer=0.0,
        learning_rate=recipe.learning_rate,
        deciding=0.0,
    )
    with whole_folder(folder) as half, finetune.Finetune(model.module, how, seed) as run:
        trained = run.run(batches)
        run.save(half)
    return trained
