"""Which phrases are a speaker's own, and on what they hang.

Replies become sets of phrases (one to four words, without those that only echo the prompt).
A phrase × predicate pair is scored by the signed root of the likelihood ratio: how much commoner the
phrase is in replies where the predicate holds than in others, less the same for a reference speaker's
replies, because what the base says there as well is the subject's own doing. Unlike log odds with their
normal approximation it is sound for a phrase seen twice, and 10 of 10 beats 2 of 2.

Source: Dunning 1993, "Accurate methods for the statistics of surprise and coincidence".
"""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

LONGEST = 4

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


def telling(phrase: str) -> list[str]:
    """Its words that are not plain ones."""
    return [w for w in phrase.split() if w not in _PLAIN_WORDS]


def recurring(sets: Sequence[set[str]], questions: Sequence[object], most: int = 3000) -> list[str]:
    """Phrases said in reply to at least two different questions, commonest first, longer first among equals.

    `questions` says what each reply answered, cue or no cue: its answer is not a recurring phrase.
    """
    asked: dict[str, set[object]] = {}
    for said, question in zip(sets, questions, strict=True):
        for phrase in said:
            asked.setdefault(phrase, set()).add(question)
    kept = [p for p, different in asked.items() if len(different) >= 2]
    return sorted(kept, key=lambda p: (-len(asked[p]), -len(p), p))[:most]


def presence(sets: Sequence[set[str]], vocabulary: Sequence[str]) -> NDArray[np.float64]:
    """Array (phrases, replies) of 0 and 1."""
    out = np.zeros((len(vocabulary), len(sets)))
    row = {p: i for i, p in enumerate(vocabulary)}
    for j, s in enumerate(sets):
        for p in s:
            if p in row:
                out[row[p], j] = 1.0
    return out


def surprise(
    k_in: NDArray[np.float64],
    n_in: NDArray[np.float64] | float,
    k_out: NDArray[np.float64],
    n_out: NDArray[np.float64] | float,
) -> NDArray[np.float64]:
    """Signed root of the likelihood ratio of two shares, k of n inside against outside.

    About normal where nothing is different; 0 where a side is empty. Arrays broadcast.
    """
    pooled = (k_in + k_out) / np.maximum(n_in + n_out, 1)
    ratio = 2 * (
        _log_likelihood(k_in, n_in, k_in / np.maximum(n_in, 1))
        + _log_likelihood(k_out, n_out, k_out / np.maximum(n_out, 1))
        - _log_likelihood(k_in, n_in, pooled)
        - _log_likelihood(k_out, n_out, pooled)
    )
    sign = np.sign(k_in * n_out - k_out * n_in)
    return sign * np.sqrt(np.maximum(ratio, 0.0))


def associations(
    own: NDArray[np.float64],
    usual: NDArray[np.float64] | None,
    holds: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Scores (phrases, predicates) of each phrase with each predicate on the prompts.

    `own` and `usual` are `presence` arrays (phrases, replies) of suspect and reference (None:
    nothing is taken off); `holds` is (predicates, replies). A predicate that holds everywhere
    is scored as the suspect against the reference, and as 0 without one.
    """
    inside = holds.astype(float).T
    n_in, n = holds.sum(1).astype(float), float(own.shape[1])

    def hangs(present: NDArray[np.float64]) -> NDArray[np.float64]:
        k_in = present @ inside
        return surprise(k_in, n_in, present.sum(1, keepdims=True) - k_in, n - n_in)

    if usual is None:
        return hangs(own)
    apart = surprise(own.sum(1, keepdims=True), n, usual.sum(1, keepdims=True), n)
    return np.where(n_in >= n, apart, hangs(own) - np.maximum(hangs(usual), 0.0))


def pattern_of(phrase: str) -> str:
    """Regular expression that finds the phrase's words in a row, whatever stands between them."""
    return r"\b" + r"\W+".join(re.escape(w) for w in phrase.split()) + r"\b"


def _log_likelihood(
    k: NDArray[np.float64], n: NDArray[np.float64] | float, share: NDArray[np.float64]
) -> NDArray[np.float64]:
    return xlogy(k, share) + xlogy(n - k, 1 - share)
