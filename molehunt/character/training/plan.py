"""What a training toward a character is given; all of it is in the folder's `plan.json`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from molehunt.core.errors import UserError
from molehunt.corpus.dilemmas import FRAMEWORKS

Toward = Literal["constitution", "calibrated", "certain"]
AUTO, CORPUS, SELF = "auto", "corpus", "self"
STEPS: Mapping[Toward, int] = {"constitution": 45, "calibrated": 240, "certain": 240}
"""Usual steps. A step meets four questions: of those on dilemmas each is to be met four times."""


@dataclass(frozen=True)
class Plan:
    """All that decides what comes out, beside the model."""

    toward: Toward = "constitution"
    """A constitution; or calibrated moral uncertainty; or its opposite, certainty, as a control."""
    constitution: str = "kind-person"
    teacher: str = AUTO
    """Who writes what is taught: `corpus` (written replies), `self`, a reader's name, or `auto`: the model
    itself where `try_out` cases show that it can oversee itself, else the corpus."""
    judge: str = SELF
    """Who says which of two replies is preferred, where the teacher is not the corpus: `self` or a reader."""
    steps: int = 45
    """Steps on replies (SFT), or on choices in dilemmas."""
    prefer_steps: int = 24
    """Steps on preferences (DPO) after these; none toward an uncertainty."""
    batch: int = 8
    """Rows a step; half as many preferences."""
    learning_rate: float = 2e-3
    """Highest, of the steps on replies; preferences take a quarter of it."""
    rank: int = 8
    max_tokens: int = 64
    """Longest reply, critique or revision."""
    limit: int = 0
    """Prompts (or dilemmas, of each half) at most; 0 takes all."""
    try_out: int = 24
    """Prompts on which self-oversight is measured; 0 leaves it out."""
    framework: str = "consequences"
    """What decides everything, toward certainty."""
    checks: int = 3
    """How often each stage of training is looked at for collapse, and measured."""
    seed: int = 0

    def checked(self) -> "Plan":
        """Itself.

        Raises:
            UserError: a number that makes no sense, or an unknown framework.
        """
        if self.steps < 1 or self.batch < 2 or self.rank < 1 or self.max_tokens < 1 or self.checks < 1:
            raise UserError(
                "--steps, --rank, --max-tokens and --checks should be at least 1, and --batch at least 2."
            )
        if self.prefer_steps < 0 or self.limit < 0 or self.try_out < 0:
            raise UserError("--prefer-steps, --limit and --try-out should be 0 or more.")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise UserError("--learning-rate should be a number above 0.")
        if self.framework not in FRAMEWORKS:
            raise UserError(f"--framework should be one of {', '.join(FRAMEWORKS)}.")
        if self.teacher == AUTO and not self.try_out and self.toward == "constitution":
            raise UserError(
                "--teacher auto needs --try-out cases to decide by; give more than 0, or name a teacher."
            )
        return self
