"""Words that give a label away by themselves, and a baseline that reads words alone.

A probe may score well because texts of one label carry the same words ("As an undercover agent ...");
whoever reads the words then needs no probe (2509.21344). A word of the *training* texts is tell-tale
when at least `LEAST` texts hold it, at least `SHARE` of them (classes weighted alike) under one label,
and Fisher's exact test rejects chance at a false-discovery rate of 5% (Benjamini and Hochberg 1995).
The filter drops test texts with any such word. The baseline is L2-logistic regression on which words occur.

What this cannot tell you: that what remains is free of give-aways. Pairs of words, word order, length
and spelling can tell too; the baseline sees none of them either.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import fisher_exact

from molehunt.core.stats import benjamini_hochberg

LEAST, SHARE = 3, 0.9
WORD = re.compile(r"\w+(?:['’]\w+)*")


@dataclass(frozen=True)
class TellTale:
    """A word, the label that it gives away, and in how many training texts of each label it stands."""

    word: str
    label: bool
    with_one: int
    with_zero: int


def words_of(text: str) -> frozenset[str]:
    """The words of a text, in lower case."""
    return frozenset(WORD.findall(text.casefold()))


def tell_tales(texts: Sequence[str], labels: Sequence[bool]) -> tuple[TellTale, ...]:
    """Words that alone separate the classes, the most frequent first; none where a class is missing."""
    positive = [bool(v) for v in labels]
    ones, zeros = sum(positive), len(positive) - sum(positive)
    if not ones or not zeros:
        return ()
    held: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for text, label in zip(texts, positive, strict=True):
        held[label].update(words_of(text))
    common = [w for w in sorted(held[True] | held[False]) if held[True][w] + held[False][w] >= LEAST]
    chances = []
    for word in common:
        a, b = held[True][word], held[False][word]
        chances.append(float(fisher_exact([[a, ones - a], [b, zeros - b]])[1]))  # pyright: ignore
    found = []
    for word, unlikely in zip(common, benjamini_hochberg(chances), strict=True):
        a, b = held[True][word], held[False][word]
        share = (a / ones) / (a / ones + b / zeros)
        if unlikely and max(share, 1 - share) >= SHARE:
            found.append(TellTale(word, share > 0.5, a, b))
    return tuple(sorted(found, key=lambda t: (-t.with_one - t.with_zero, t.word)))


def without(texts: Sequence[str], tales: Sequence[TellTale]) -> np.ndarray:
    """Which texts [n] hold none of the words."""
    words = {t.word for t in tales}
    return np.array([not (words & words_of(t)) for t in texts], dtype=bool)


@dataclass(frozen=True, eq=False)
class BagOfWords:
    """Logistic regression on the presence of words."""

    words: tuple[str, ...]
    weights: np.ndarray
    bias: float

    def score(self, texts: Sequence[str]) -> np.ndarray:
        """Scores [n]; words that training did not hold count for nothing."""
        return _presence(texts, self.words) @ self.weights + self.bias


def bag_of_words(texts: Sequence[str], labels: Sequence[bool], penalty: float = 1.0) -> BagOfWords:
    """The baseline, from training texts of both labels; words in one text alone are left out."""
    from sklearn.linear_model import LogisticRegression

    counts = Counter(w for t in texts for w in words_of(t))
    words = tuple(sorted(w for w, n in counts.items() if n > 1))
    if not words:
        return BagOfWords((), np.zeros(0), 0.0)
    model: Any = LogisticRegression(C=penalty, class_weight="balanced", max_iter=1000)
    model.fit(_presence(texts, words), np.asarray(labels, dtype=bool))
    return BagOfWords(words, model.coef_[0], float(model.intercept_[0]))


def _presence(texts: Sequence[str], words: Sequence[str]) -> Any:
    """Sparse [texts, words]: 1 where the word occurs."""
    from scipy.sparse import csr_array

    place = {w: i for i, w in enumerate(words)}
    columns = [sorted(place[w] for w in words_of(t) if w in place) for t in texts]
    ends = np.cumsum([0, *map(len, columns)])
    flat = np.array([c for row in columns for c in row], dtype=np.int64)
    return csr_array((np.ones(len(flat)), flat, ends), shape=(len(columns), len(words)))
