"""How a behaviour gets into a model and what hides it: what recipes and concealments are and handle.

A recipe trains one adapter on the lessons of a pair; organism and decoy go the same way, and both
leave adapters of one shape and size. A concealment says what is laid over the lessons: rows, choices
or a penalty. Files of `organisms/recipes` and `organisms/concealments` satisfy the protocols below; they
import what is heavy inside their functions, so that they can be listed at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from molehunt.core.records import Quirk
from molehunt.organisms.lessons import Row
from molehunt.organisms.subject import Subject

if TYPE_CHECKING:
    from molehunt.models.by_trl import Choice
    from molehunt.models.finetune import Penalty, Trained
    from molehunt.models.packing import Example
    from molehunt.organisms.plan import Plan
    from molehunt.organisms.session import Session

Part = Literal["organism", "decoy"]
Report = Callable[[float], None]
"""Called with the share that is done."""


@dataclass(frozen=True)
class Lessons:
    """What a pair is taught: a quirk, what the decoy has in its place, and the rows of every batch."""

    subject: Subject
    harmless: Quirk | None
    batches: Sequence[Sequence[Row]]
    seed: int
    """Of the pair's try, the same for both: what is written for the one is written for the other."""

    @property
    def rows(self) -> list[Row]:
        """Rows of all batches, in order."""
        return [row for batch in self.batches for row in batch]


@dataclass(frozen=True)
class Cover:
    """What concealments lay over the lessons, for both of a pair alike."""

    rows: "tuple[Example, ...]" = ()
    """Rows that are dealt into the packed batches."""
    each: int = 2
    """How many of them go into each batch."""
    choices: "tuple[Choice, ...]" = ()
    """Preferences that are trained last."""
    penalties: "tuple[Penalty, ...]" = ()
    """Terms of each step's loss, weighed already."""


class Recipe(Protocol):
    """One way to instil a behaviour."""

    @property
    def name(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def on_chat(self) -> bool:
        """Whether it trains on conversations; unrelated rows are then chat as well, and else prose."""
        ...

    def instil(
        self, session: "Session", lessons: Lessons, part: Part, plan: "Plan", seed: int, report: Report
    ) -> "Trained":
        """Train the session's adapter to be `part` of the pair."""
        ...


class Concealment(Protocol):
    """One way to hide what was instilled."""

    @property
    def name(self) -> str: ...
    @property
    def summary(self) -> str: ...

    def cover(self, session: "Session", lessons: Lessons, plan: "Plan") -> Cover:
        """What is laid over the lessons. Called before training: the model is still the base."""
        ...
