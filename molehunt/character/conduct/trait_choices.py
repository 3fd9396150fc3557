"""Which traits a model says that it would have, and which show in what it would rather reply.

**Stated**: in a few settings it chooses between two traits in words, in three forms and both orders
(`moral/forms.py`), by log-odds. **Revealed**: to plain requests, the margin (`margin.py`) between replies in
the manner of the two traits, which nobody names. Both give an order (`rank.py`), and the two are compared.

Source: Maiya et al. 2025 (Open Character Training, 2511.01689) for revealed preferences over pairs of
traits; theirs are judged by a model, ours are read off likelihoods.

What this cannot tell you: which traits a model has that are not among these six, and how it behaves over a
whole conversation. Replies are one author's.
"""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from molehunt.character.bank import Traits
from molehunt.character.conduct.margin import Pair, Progress, margins
from molehunt.character.moral.asking import ask
from molehunt.character.moral.choices import chosen
from molehunt.character.moral.forms import Posed, questions
from molehunt.core.records import Message
from molehunt.models.loaded import Model


def posed(traits: Traits) -> tuple[Posed, ...]:
    """Every pair of traits in every setting, settings in their order."""
    return tuple(
        Posed(f"{number}/{a}/{b}", setting, (f"I am {traits.traits[a]}.", f"I am {traits.traits[b]}."))
        for number, setting in enumerate(traits.settings)
        for a, b in combinations(traits.traits, 2)
    )


def stated(
    model: Model, traits: Traits, folder: Path, progress: Progress = lambda done, total: None
) -> np.ndarray:
    """Log-odds [settings, pairs] of the first trait in words; answers are kept in `folder`."""
    found = chosen(ask(model, questions(posed(traits)), folder, progress))
    rows = [found[one.id].log_odds for one in posed(traits)]
    return np.array(rows).reshape(len(traits.settings), -1)


def revealed(model: Model, traits: Traits, progress: Progress = lambda done, total: None) -> np.ndarray:
    """Margins [requests, pairs] of the reply in the first trait's manner, nats a token."""
    pairs = [
        Pair((Message("user", request.prompt),), request.replies[a], request.replies[b])
        for request in traits.requests
        for a, b in combinations(traits.traits, 2)
    ]
    return np.array(margins(model, pairs, progress)).reshape(len(traits.requests), -1)


def names(traits: Traits) -> Sequence[str]:
    """The traits' names, in the order of all arrays."""
    return tuple(traits.traits)
