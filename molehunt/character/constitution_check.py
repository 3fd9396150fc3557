"""What is wrong with a constitution: gaps, contradictions, duplicates, each with its line.

Errors are what no reader could follow: two principles of one id, ids that don't exist, circles of yielding,
a good reply that is also the bad one, one reply that is good here and bad there to the same prompt, two
statements of the same words of which one says not to ("always tell", "never tell") while neither yields, and
two principles each of which calls good nearly what the other calls bad, of one prompt, while neither yields.
Warnings are gaps (no reason, no example, nothing tagged with one of `TAGS`), statements that nearly repeat
each other (cosine of TF-IDF over words and pairs of words at least `ALIKE`) or, but for a word that denies,
nearly oppose each other, and principles that may ask for opposite things of one prompt: each one's good
reply is nearer to the other's bad reply than to the other's good one, and neither yields to the other.

What this cannot tell you: whether principles agree. Words are counted: a contradiction in other words is not
seen. Whether they are good, no program tells.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Literal

from molehunt.character.constitution import Constitution, Example, Principle, load_constitution, presets
from molehunt.core.errors import BadFile

TAGS = ("honesty", "harm", "uncertainty", "correction")
"""What a constitution should say something about; a principle says by its tags that it does."""
ALIKE = 0.8
"""Cosine from which two statements count as near-identical."""
DENIES = frozenset(
    ("not", "never", "no", "nor", "neither", "cannot", "can't", "don't", "won't", "mustn't", "shouldn't")
)
STRESSES = frozenset(("always", "do", "ever", "must", "should", "will", "can", "at", "all"))
"""Words that a statement may gain or lose when it is turned round."""


@dataclass(frozen=True)
class Finding:
    """One thing to mend."""

    line: int
    level: Literal["error", "warning"]
    kind: Literal["gap", "contradiction", "duplicate", "reference"]
    text: str

    def said(self) -> str:
        """The finding on one line."""
        return f"line {self.line}: {self.level}: {self.text}"


def load_sound(name: str | Path) -> Constitution:
    """A preset by name, or else a file, if somebody could follow it.

    Raises:
        UnknownName: neither a preset nor a file. BadFile: the file does not have the form, or holds an error
            that `molehunt constitution check` names; the first, with its line.
    """
    one = load_constitution(name)
    if str(name) in presets():
        return one  # held to it by the package's own tests
    errors = [f for f in check(one) if f.level == "error"]
    if errors:
        raise BadFile(f"{name} line {errors[0].line}: {errors[0].text}; see `molehunt constitution check`.")
    return one


def check(constitution: Constitution) -> tuple[Finding, ...]:
    """Every finding, by line; none is as good as a program can say."""
    parts = (_gaps, _references, _circles, _replies, _opposites, _duplicates)
    found = [finding for part in parts for finding in part(constitution)]
    return tuple(sorted(found, key=lambda f: (f.line, f.level, f.text)))


def _gaps(constitution: Constitution) -> Iterable[Finding]:
    if not constitution.principles:
        yield Finding(1, "error", "gap", "there is no principle")
    for p in constitution.principles:
        if not p.reasons:
            yield Finding(p.line, "warning", "gap", f"{p.id} gives no reason")
        if not p.examples:
            yield Finding(p.line, "warning", "gap", f"{p.id} has no example")
    tags = {tag for p in constitution.principles for tag in p.tags}
    for tag in TAGS:
        if tag not in tags:
            yield Finding(1, "warning", "gap", f"no principle is tagged `{tag}`")


def _references(constitution: Constitution) -> Iterable[Finding]:
    ids: dict[str, int] = {}
    for p in constitution.principles:
        if p.id in ids:
            yield Finding(p.line, "error", "duplicate", f"{p.id} stands on line {ids[p.id]} already")
        ids.setdefault(p.id, p.line)
    for p in constitution.principles:
        for other in p.yields_to:
            if other not in ids:
                yield Finding(p.line, "error", "reference", f"{p.id} yields to {other}, which does not exist")


def _circles(constitution: Constitution) -> Iterable[Finding]:
    """Each circle once, at its first principle: of one (itself), of two, of more."""
    to = {p.id: p.yields_to for p in constitution.principles}
    lines = {p.id: p.line for p in constitution.principles}
    seen: set[frozenset[str]] = set()
    for start in to:
        circle = _way_back(to, start)
        if circle is not None and frozenset(circle) not in seen:
            seen.add(frozenset(circle))
            way = " yields to ".join([*circle, circle[0]])
            yield Finding(lines[start], "error", "contradiction", f"{way}: nobody can tell which wins")


def _way_back(to: dict[str, tuple[str, ...]], start: str) -> list[str] | None:
    """The shortest way along `to` from `start` to itself."""
    ways, reached = [[start]], {start}
    while ways:
        longer = []
        for way in ways:
            for other in to.get(way[-1], ()):
                if other == start:
                    return way
                if other not in reached:
                    reached.add(other)
                    longer.append([*way, other])
        ways = longer
    return None


def _replies(constitution: Constitution) -> Iterable[Finding]:
    good: dict[tuple[str, str], tuple[Principle, Example]] = {}
    every = _examples(constitution)
    for p, e in every:
        if _plain(e.good) == _plain(e.bad):
            yield Finding(e.line, "error", "contradiction", f"{p.id}: good and bad replies are the same")
        good.setdefault((_plain(e.prompt), _plain(e.good)), (p, e))
    for p, e in every:
        other, its = good.get((_plain(e.prompt), _plain(e.bad)), (None, None))
        if other is not None and its is not None and its is not e:
            text = (
                f"{p.id} calls a reply bad that {other.id} calls good on line {its.line}, to the same prompt"
            )
            yield Finding(e.line, "error", "contradiction", text)


def _opposites(constitution: Constitution) -> Iterable[Finding]:
    by_prompt: dict[str, list[tuple[Principle, Example]]] = defaultdict(list)
    for p, e in _examples(constitution):
        by_prompt[_plain(e.prompt)].append((p, e))
    for some in by_prompt.values():
        for (p, e), (q, f) in combinations(some, 2):
            settled = p.id == q.id or q.id in p.yields_to or p.id in q.yields_to
            if settled or _plain(e.good) == _plain(f.bad) or _plain(e.bad) == _plain(f.good):
                continue
            near = _likeness([e.good, f.good, e.bad, f.bad])
            if near[0][3] > near[0][1] and near[1][2] > near[0][1]:
                text = f"{q.id} wants the opposite of {p.id} (line {e.line}) of one prompt; say which yields"
                sure = min(near[0][3], near[1][2]) >= ALIKE  # each calls good nearly what the other calls bad
                yield Finding(f.line, "error" if sure else "warning", "contradiction", text)


def _duplicates(constitution: Constitution) -> Iterable[Finding]:
    some = constitution.principles
    if len(some) < 2:
        return
    near = _likeness([p.statement for p in some])
    turned = [_denial(p.statement) for p in some]
    bare = _likeness([" ".join(words) for _, words in turned])
    for (i, p), (j, q) in combinations(enumerate(some), 2):
        (denied, words), (other, others) = turned[i], turned[j]
        if denied != other and bare[i][j] >= ALIKE:
            settled = q.id in p.yields_to or p.id in q.yields_to
            level = "error" if words == others and not settled else "warning"
            much = "" if words == others else "nearly "
            end = "" if settled else "; say which yields, or drop one"
            text = f"{q.id} says {much}the opposite of {p.id} on line {p.line}{end}"
            yield Finding(q.line, level, "contradiction", text)
        elif near[i][j] >= ALIKE or (denied == other and words == others):
            how = f"likeness {near[i][j]:.2f}" if near[i][j] >= ALIKE else "but for words that stress or deny"
            text = f"{q.id} says nearly what {p.id} says on line {p.line} ({how})"
            yield Finding(q.line, "warning", "duplicate", text)


def _denial(statement: str) -> tuple[bool, list[str]]:
    """Whether a statement says not to, and its words but for those that turn it."""
    words = re.findall(r"[\w']+", statement.casefold().replace("’", "'"))
    denied = sum(w in DENIES for w in words) % 2 == 1
    return denied, [w for w in words if w not in DENIES and w not in STRESSES]


def _likeness(texts: Sequence[str]) -> list[list[float]]:
    """Cosine of TF-IDF over words and pairs of words; 0 where a text holds no word."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b")
    try:
        rows = words.fit_transform(texts)
    except ValueError:  # no text holds a word
        return [[0.0] * len(texts) for _ in texts]
    return (rows @ rows.T).toarray().tolist()  # type: ignore[union-attr]  # sparse


def _examples(constitution: Constitution) -> list[tuple[Principle, Example]]:
    return [(p, e) for p in constitution.principles for e in p.examples]


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
