"""Stages of a training: its adapter every few steps, saved while it trains, whatever trains it.

Saving moves nothing that training reads (no weight, no moment, no random number), so the adapter that comes
of it is the same to the byte as one of which no stage was kept.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from molehunt.core.atomic import whole_folder
from molehunt.models.finetune import Finetune
from molehunt.organisms.card import MODEL_CARD

CANDIDATES = 4
"""Stages for each rung of a ladder: measuring one costs about as much as a few steps of training."""


@dataclass(frozen=True)
class Stages:
    """Where stages lie, and after how many steps there is another."""

    folder: Path
    every: int = 1

    @classmethod
    def for_ladder(cls, folder: Path, rungs: int, steps: int) -> "Stages":
        """Enough of them, of a training of so many steps, that rungs can be chosen among them."""
        return cls(folder, max(1, steps // (rungs * CANDIDATES)))

    def begin(self) -> None:
        """Forget the stages of any training before."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def after(self, run: Finetune, step: int, last: bool = False) -> None:
        """Save the adapter as it stands after so many steps, if it is one of those or the `last`."""
        if (last or step % self.every == 0) and not self.at(step).exists():
            with whole_folder(self.at(step)) as half:
                run.save(half)
                (half / "README.md").write_text(MODEL_CARD)

    def at(self, step: int) -> Path:
        """Where the adapter lies that was saved after so many steps."""
        return self.folder / f"step-{step:05d}"

    def steps(self) -> list[int]:
        """After which steps there is one, in order."""
        return sorted(int(p.name.removeprefix("step-")) for p in self.folder.glob("step-*"))
