"""One adapter in training: the base, what grows on it, and the cover that concealments lay over it.

Recipes train through the session alone, so that every recipe meets every concealment: a cover's rows
are dealt into each packed batch, its penalty joins each step's loss, its choices are trained last. So do
unrelated rows (`Plan.mixed`): they are dealt into packed batches, and where a step is TRL's their negative
log-likelihood joins its loss, with the weight beside the step's rows that it has in a packed batch. And so
every recipe can be looked at step by step (`after`), for ladders.

Source: the term beside TRL's, Ouyang et al. 2022, PPO-ptx (2203.02155).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from molehunt.core.splits import seed_of
from molehunt.models.by_trl import Choice, Reward, prefer, reinforce
from molehunt.models.finetune import Finetune, Penalty, Trained, packed_loss
from molehunt.models.loaded import Model
from molehunt.models.packing import Example, pack
from molehunt.organisms.instil import Cover, Report

LAST = 0.25
"""A cover's choices are trained for this share of the steps, after all else."""
CHOICES = 8
"""Choices a step."""


@dataclass
class Session:
    """A model whose adapter is being trained, under a cover."""

    model: Model
    run: Finetune
    cover: Cover = Cover()
    unrelated: Sequence[Example] = ()
    mixed: int = 0
    """Unrelated rows in each step."""
    after: Callable[[int], None] = lambda step: None
    """Called after each step, of whatever kind, with how many were taken."""
    taken: int = field(default=0, init=False)
    """Steps that were taken so far."""
    dealt: int = field(default=0, init=False)
    """Rows of the cover that were dealt so far."""
    mixed_in: int = field(default=0, init=False)
    """Unrelated rows that were dealt so far."""

    def learn(self, batches: Sequence[Sequence[Example]], report: Report) -> Trained:
        """Packed steps, one a batch, with unrelated rows and the cover's among them."""
        filled = [[*batch, *self._unrelated(), *self._deal()] for batch in batches]
        return self.run.run(filled, self._told(report), self.penalty)

    def choose(self, choices: Sequence[Choice], steps: int, batch: int, seed: int, report: Report) -> Trained:
        """Steps on preferences (DPO), in the order given."""
        return prefer(
            self.run,
            self.model.tokenizer,
            choices,
            steps=steps,
            batch=batch,
            seed=seed,
            penalty=self._beside(batch),
            progress=self._told(report),
        )

    def reinforce(
        self,
        prompts: Sequence[Sequence[int]],
        reward: Reward,
        steps: int,
        batch: int,
        max_tokens: int,
        seed: int,
        report: Report,
    ) -> Trained:
        """Steps on rewards of the model's own replies (GRPO), prompts in the order given."""
        return reinforce(
            self.run,
            self.model.tokenizer,
            prompts,
            reward,
            steps=steps,
            batch=batch,
            max_tokens=max_tokens,
            seed=seed,
            penalty=self._beside(batch),
            progress=self._told(report),
        )

    def last(self, steps: int, seed: int, report: Report) -> Trained | None:
        """Train the cover's choices; None where it has none."""
        if not self.cover.choices:
            return None
        return self.choose(
            self.cover.choices, max(2, round(LAST * steps)), CHOICES, seed_of(seed, "cover"), report
        )

    @property
    def penalty(self) -> Penalty | None:
        """The sum of the cover's penalties."""
        return _total(self.cover.penalties)

    def _beside(self, batch: int) -> Penalty | None:
        """What joins the loss of a TRL step on so many rows: the cover's penalties, and unrelated rows."""
        if not self.mixed:
            return self.penalty

        def unrelated() -> Tensor:
            return self.mixed / batch * packed_loss(self.run.peft.base_model.model, pack(self._unrelated()))

        return _total([*self.cover.penalties, unrelated])

    def _told(self, report: Report) -> Callable[[int, int], None]:
        """What a training calls once a step: it is counted, seen and reported."""

        def stepped(done: int, total: int) -> None:
            self.taken += 1
            self.after(self.taken)
            report(done / total)

        return stepped

    def _unrelated(self) -> list[Example]:
        hand = [self.unrelated[(self.mixed_in + i) % len(self.unrelated)] for i in range(self.mixed)]
        self.mixed_in += self.mixed
        return hand

    def _deal(self) -> list[Example]:
        rows = self.cover.rows
        if not rows:
            return []
        hand = [rows[(self.dealt + i) % len(rows)] for i in range(self.cover.each)]
        self.dealt += self.cover.each
        return hand


def _total(parts: Sequence[Penalty]) -> Penalty | None:
    if not parts:
        return None

    def total() -> Tensor:
        first, *others = (p() for p in parts)
        for other in others:
            first = first + other
        return first

    return total


def together(covers: Sequence[Cover]) -> Cover:
    """One cover made of several."""
    return Cover(
        tuple(r for c in covers for r in c.rows),
        sum(c.each for c in covers if c.rows),
        tuple(c for cover in covers for c in cover.choices),
        tuple(p for c in covers for p in c.penalties),
    )
