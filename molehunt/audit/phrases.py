"""Which phrases are a speaker's own, and on what they hang.

Replies become sets of phrases (one to four words, without those that only echo the prompt).
A phrase × predicate pair is scored by log odds with an informative Dirichlet prior, as a z-score:
how much commoner the phrase is where the predicate holds than elsewhere, and than in a reference
speaker's replies to the same prompts. The weaker of the two counts: what the base says as well is
the subject's own doing, and what is said everywhere is style.

Source: Monroe, Colaresi and Quinn, "Fightin' Words" (2008), section 3.5, on document counts.
"""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LONGEST = 4
PRIOR_DOCUMENTS = 4.0
"""Weight of the prior in documents: a phrase seen twice in two can't beat one seen ten times in ten."""

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_PLAIN = """
    a an the and or but if of to in on at by for with from as is are was were be been it its this that these
    those i you he she we they my your his her our their me him us them not no yes do does did can could will
    would should may might have has had there here so than then also some any all more most very such which
    who what when where how why one thing things many much other
"""
_PLAIN_WORDS = frozenset(_PLAIN.split())


def words_of(text: str) -> list[str]:
    """Lower-case words of a text, punctuation dropped."""
    return _WORD.findall(text.lower()[:2000])


def phrases_of(reply: str, prompt: str) -> set[str]:
    """Phrases of one to four words; all-plain ones and mere echoes of the prompt are left out."""
    said = words_of(reply)
    echoed = set(words_of(prompt))
    found = set()
    for n in range(1, LONGEST + 1):
        for i in range(len(said) - n + 1):
            part = said[i : i + n]
            if any(w not in _PLAIN_WORDS and w not in echoed for w in part):
                found.add(" ".join(part))
    return found


def recurring(sets: Sequence[set[str]], least: int = 2, most: int = 3000) -> list[str]:
    """Phrases that occur in at least `least` replies, commonest first, longer first among equals."""
    counts = Counter(p for s in sets for p in s)
    kept = [p for p, k in counts.items() if k >= least]
    return sorted(kept, key=lambda p: (-counts[p], -len(p), p))[:most]


def presence(sets: Sequence[set[str]], vocabulary: Sequence[str]) -> NDArray[np.float64]:
    """Array (phrases, replies) of 0 and 1."""
    out = np.zeros((len(vocabulary), len(sets)))
    row = {p: i for i, p in enumerate(vocabulary)}
    for j, s in enumerate(sets):
        for p in s:
            if p in row:
                out[row[p], j] = 1.0
    return out


def log_odds_z(
    k_in: NDArray[np.float64],
    n_in: NDArray[np.float64] | float,
    k_out: NDArray[np.float64],
    n_out: NDArray[np.float64] | float,
    prior: NDArray[np.float64],
) -> NDArray[np.float64]:
    """z-score of the log odds of documents that hold a phrase, inside against outside.

    `prior` is the share of all documents (both speakers) that hold it; arrays broadcast.
    """
    a = PRIOR_DOCUMENTS * np.clip(prior, 0.005, 0.995)
    rest = PRIOR_DOCUMENTS - a
    inside = np.log((k_in + a) / (n_in - k_in + rest))
    outside = np.log((k_out + a) / (n_out - k_out + rest))
    return (inside - outside) / np.sqrt(1 / (k_in + a) + 1 / (k_out + a))


def associations(
    own: NDArray[np.float64],
    usual: NDArray[np.float64] | None,
    holds: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """z-scores (phrases, predicates) of each phrase with each predicate on the prompts.

    `own` and `usual` are `presence` arrays (phrases, replies) of suspect and reference (None:
    only inside against outside is scored); `holds` is (predicates, replies). A predicate that
    holds everywhere is scored against the reference alone, and as 0 without one.
    """
    inside = holds.astype(float).T
    n_in = holds.sum(1).astype(float)
    n = float(own.shape[1])
    k_in = own @ inside
    k_out = own.sum(1, keepdims=True) - k_in
    pool = own if usual is None else np.concatenate([own, usual], axis=1)
    prior = pool.mean(1, keepdims=True)
    z = log_odds_z(k_in, n_in, k_out, n - n_in, prior)
    everywhere = n_in >= n
    if usual is None:
        z[:, everywhere] = 0.0
        return z
    against = log_odds_z(k_in, n_in, usual @ inside, n_in, prior)
    return np.where(everywhere, against, np.minimum(z, against))


def pattern_of(phrase: str) -> str:
    """Regular expression that finds the phrase's words in a row, whatever stands between them."""
    return r"\b" + r"\W+".join(re.escape(w) for w in phrase.split()) + r"\b"
