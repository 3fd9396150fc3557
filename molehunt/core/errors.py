"""What can go wrong, as a tree.

MolehuntError
├── UserError        a mistake in what was asked: one sentence, exit code 2
│   ├── UnknownName  a behaviour, condition, method or suspect that does not exist
│   ├── BadFile      a file or folder that cannot be used as what it was given for
│   ├── RunMismatch  a run folder that was made by another spec
│   ├── Incomposable a behaviour and a condition that make no sense together
│   ├── Unteachable  a recipe that finds nothing to train on for this quirk and model
│   └── CameApart    a training whose loss or gradients are no numbers any more
├── SealBroken       a vault, log, verdict or commitment that does not verify
├── AccessDenied     a suspect was asked for more than the game grants
│   └── BudgetSpent  … because the allowance is used up
├── FixFailed        a remedy that raised on a suspect, before the envelope was opened
├── LineLost         nobody answers at the referee's desk any more
└── ModelUnfit       a model that failed what must be proven at load
"""

from collections.abc import Iterable
from difflib import get_close_matches


class MolehuntError(Exception):
    """Anything that Molehunt raises on purpose. Its text is one sentence for the user."""


class UserError(MolehuntError):
    """A mistake in the input. The text names the input and the mend."""


class UnknownName(UserError):
    """A name that no registry holds; suggests the nearest that it does hold."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        known = sorted(known)
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none'}."
        super().__init__(f"There is no {kind} called {name[:80]!r}; {hint}")


class BadFile(UserError):
    """A file or folder that cannot be read as what it was given for."""


class RunMismatch(UserError):
    """A run folder whose spec differs from the one asked for."""


class Incomposable(UserError):
    """A behaviour and a condition that make no sense together."""


class Unteachable(UserError):
    """A recipe that finds nothing to train on for this quirk and model."""


class CameApart(UserError):
    """A training whose loss or gradients are no numbers any more."""


class SealBroken(MolehuntError):
    """A vault, log, verdict or commitment that does not verify."""


class AccessDenied(MolehuntError):
    """A suspect was asked for more than the game grants."""


class BudgetSpent(AccessDenied):
    """The allowance of queries, tokens or seconds is used up."""


class FixFailed(MolehuntError):
    """A remedy raised on a suspect; nothing was opened."""


class LineLost(MolehuntError):
    """The connection to the referee's desk could not be made, or broke."""


class ModelUnfit(MolehuntError):
    """A model that failed a proof that every method relies on."""
