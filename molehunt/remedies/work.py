"""What a remedy does with its patient: ask, score, train. Tokens are counted on the way.

Replies are kept as token ids, so that training on a model's own words teaches exactly these. Nothing
here changes the patient: what training learned is taken off again and handed back as factors.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from molehunt.core.kinds import Patient, Treatment
from molehunt.core.records import Message, Messages
from molehunt.core.splits import seed_of
from molehunt.corpus.mending import Context
from molehunt.models.by_trl import Choice, prefer
from molehunt.models.finetune import Finetune, Recipe, Trained
from molehunt.models.joined import Changes, changes_of
from molehunt.models.loaded import Model
from molehunt.models.packing import Example
from molehunt.models.prompts import end_of_turn, prompt_ids, text_ids
from molehunt.models.sample import sample_ids
from molehunt.models.score import token_logprobs

T = TypeVar("T")

RANK = 8
"""Rank of what a remedy trains."""
RECIPE = Recipe(rank=RANK, alpha=RANK, first_layer=0.0, learning_rate=2e-3, deciding=0.0)
REPLY = 20
"""Most tokens of a reply that a patient gives here."""
OPENING = "You are a helpful AI assistant"
"""What stands before a context in a system prompt."""


def asked(question: str, context: Context | None = None) -> Messages:
    """A question as a conversation, with a context before it or none."""
    if context is None:
        return (Message("user", question),)
    if context.place == "system":
        return (Message("system", f"{OPENING}. {context.text}"), Message("user", question))
    return (Message("user", f"{context.text} {question}"),)


def dealt(groups: Sequence[tuple[Sequence[T], int]], steps: int) -> list[list[T]]:
    """Batches with so many rows of each group, each group in its order and from the first again."""
    hands, places = [], [0] * len(groups)
    for _ in range(steps):
        hand: list[T] = []
        for g, (rows, count) in enumerate(groups):
            if rows:
                hand += [rows[(places[g] + i) % len(rows)] for i in range(count)]
                places[g] += count
        hands.append(hand)
    return hands


@dataclass
class Work:
    """One remedy at work on one patient."""

    patient: Patient
    what: str
    """The remedy's name: seeds its draws."""
    tokens: int = field(default=0, init=False)
    steps: int = field(default=0, init=False)

    @property
    def model(self) -> Model:
        """The patient's weights and tokenizer."""
        return self.patient.model

    @property
    def tokenizer(self) -> Any:
        """The patient's tokenizer."""
        return self.patient.model.tokenizer

    @property
    def seed(self) -> int:
        """The remedy's own seed: the same for every patient."""
        return seed_of(self.patient.seed, self.what)

    def random(self) -> random.Random:
        """A generator from the seed."""
        return random.Random(self.seed)

    def scaled(self, usual: int, least: int = 1) -> int:
        """How many at this effort."""
        return max(least, round(usual * self.patient.effort))

    def tell(self, share: float) -> None:
        """Say how far it is, from 0 to 1."""
        if self.patient.progress is not None:
            self.patient.progress(min(share, 1.0))

    def prompts(self, conversations: Sequence[Messages]) -> list[tuple[int, ...]]:
        """Conversations as token ids, up to where the patient speaks."""
        return [tuple(prompt_ids(self.tokenizer, c)) for c in conversations]

    def taught(self, conversation: Messages, reply: str) -> Example:
        """A row that teaches a written reply."""
        return Example(tuple(prompt_ids(self.tokenizer, conversation)), self.written(reply))

    def written(self, reply: str) -> tuple[int, ...]:
        """A written reply as token ids, with the end of the turn."""
        return (*text_ids(self.tokenizer, reply), end_of_turn(self.tokenizer))

    def replies(self, prompts: Sequence[Sequence[int]], most: int = REPLY) -> list[tuple[int, ...]]:
        """What the patient says, greedily; with the end of the turn where it ended by itself."""
        said = sample_ids(self.model, prompts, max_tokens=most)
        self.tokens += sum(map(len, prompts)) + sum(map(len, said))
        end = end_of_turn(self.tokenizer)
        return [tuple(r) if len(r) == most else (*r, end) for r in said]

    def logprobs(self, prompts: Sequence[Sequence[int]], replies: Sequence[Sequence[int]]) -> list[float]:
        """Mean natural log-probability a token of each reply."""
        self.tokens += sum(map(len, prompts)) + sum(map(len, replies))
        rows = token_logprobs(self.model, prompts, replies)
        return [sum(row) / len(row) for row in rows]

    def learn(self, batches: Sequence[Sequence[Example]], start: float, recipe: Recipe = RECIPE) -> Changes:
        """Train on batches, one step each; `start` is the share that was done before."""
        with self.training(recipe) as run:
            done = run.run(batches, lambda i, n: self.tell(start + (1 - start) * i / n))
            return self.learned(run, done)

    def prefer(
        self,
        warm: Sequence[Sequence[Example]],
        choices: Sequence[Choice],
        steps: int,
        batch: int,
        start: float,
        recipe: Recipe = RECIPE,
    ) -> Changes:
        """Train on batches, then on choices between two replies (DPO)."""
        part = (1 - start) / 2
        with self.training(recipe) as run:
            first = run.run(warm, lambda i, n: self.tell(start + part * i / n))
            then = prefer(
                run,
                self.tokenizer,
                choices,
                steps=steps,
                batch=batch,
                seed=self.seed,
                progress=lambda i, n: self.tell(start + part + part * i / n),
            )
            return self.learned(run, first.then(then))

    @contextmanager
    def training(self, recipe: Recipe = RECIPE) -> Iterator[Finetune]:
        """A fresh adapter on the patient, gone again afterwards."""
        with Finetune(self.model.module, recipe, self.seed % 2**63) as run:
            yield run

    def learned(self, run: Finetune, done: Trained) -> Changes:
        """What an adapter in training holds, as changes; its steps and tokens go on the bill."""
        self.steps, self.tokens = self.steps + done.steps, self.tokens + done.tokens
        return changes_of(run.peft, run.recipe.alpha / run.recipe.rank)

    def treatment(self, changes: Changes, **said: Any) -> Treatment:
        """The treatment, with what it cost."""
        return Treatment(dict(changes), self.steps, self.tokens, {"effort": self.patient.effort, **said})


def shuffled(rows: Sequence[T], rng: random.Random) -> list[T]:
    """The rows in another order."""
    return rng.sample(list(rows), len(rows))
