"""What a method may spend on a suspect, charged before the work and settled after it.

The charge is the worst that can come (every reply as long as it may be), so a method can't
overdraw by one large request; what was not used is given back. Seconds can't be known
before: a method that has used its seconds up gets no further request.
"""

import threading
from dataclasses import dataclass, field

from molehunt.core.errors import BudgetSpent
from molehunt.core.records import Spent


@dataclass(frozen=True)
class Budget:
    """Allowance of one method on one suspect."""

    queries: int
    """Prompts answered or scored."""
    tokens: int
    """Tokens read and written."""
    seconds: float
    """Of the model's work."""


@dataclass
class Meter:
    """What one method has spent on one suspect; safe to use from several threads."""

    budget: Budget
    who: str
    """For messages: `suspect NAME, method NAME`."""
    spent: Spent = field(default_factory=Spent)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def charge(self, queries: int, tokens: int) -> None:
        """Take the worst case off the allowance.

        Raises:
            BudgetSpent: the allowance does not cover it; nothing is taken.
        """
        with self._lock:
            for name, asked in (("queries", queries), ("tokens", tokens), ("seconds", 0)):
                had, limit = getattr(self.spent, name), getattr(self.budget, name)
                if had + asked > limit or (name == "seconds" and had >= limit):
                    raise BudgetSpent(
                        f"The budget of {self.who} does not cover this: {had:g} of {limit:g} {name} are "
                        f"spent and the request may need {asked:g}."
                    )
            self.spent += Spent(queries, tokens)

    def settle(self, unused_queries: int, unused_tokens: int, seconds: float) -> None:
        """Give back what a charge took too much of, and note the seconds."""
        with self._lock:
            self.spent += Spent(-unused_queries, -unused_tokens, seconds)
