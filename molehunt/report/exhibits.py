"""Each guess with what it rests on: claims, their nulls, and the transcripts, on beside off."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from molehunt.core.records import Citation, Evidence, Guess, NotMeasured, Transcript
from molehunt.report import words
from molehunt.report.lineup import headline_auditor, hits, ranked_guesses, verdict_of
from molehunt.report.passage import Passage, passage
from molehunt.report.reading import Run

PAIRS = 4
"""Transcripts shown a side under one claim; the rest are counted."""
CLAIMS = 4
"""Claims shown under one guess."""


@dataclass(frozen=True)
class Turn:
    """One message of a shown conversation."""

    role: str
    text: Passage


@dataclass(frozen=True)
class Speech:
    """A transcript as shown."""

    id: str
    speaker: str
    turns: tuple[Turn, ...]
    reply: Passage
    tags: tuple[tuple[str, str], ...]
    sampling: str


@dataclass(frozen=True)
class Claim:
    """One piece of evidence, with its transcripts in pairs (on, off) or in a row."""

    method: str
    text: str
    statistic: str
    unit: str
    null: str
    pairs: tuple[tuple[Speech | None, Speech | None], ...]
    row: tuple[Speech, ...]
    unshown: int
    lost: tuple[str, ...]
    """Citations that lead to no transcript: layers, or ids that are not in the folder."""


@dataclass(frozen=True)
class Mark:
    """Whether a guess predicted the sealed replies, in one respect."""

    respect: str
    right: bool | None
    detail: str


@dataclass(frozen=True)
class Exhibit:
    """One ranked guess."""

    rank: int
    words: str
    what: str
    when: str
    weight: str
    marks: tuple[Mark, ...]
    claims: tuple[Claim, ...]
    unshown: int


@dataclass(frozen=True)
class Dossier:
    """Everything on one suspect by the headline auditor."""

    index: int
    name: str
    exhibits: tuple[Exhibit, ...]
    loose: tuple[Claim, ...]
    """Evidence that speaks for none of the guesses."""
    unshown: int


def dossiers(run: Run) -> tuple[Dossier, ...]:
    """One dossier a suspect, in the order of the lineup."""
    lead = headline_auditor(run)
    return tuple(_dossier(run, i, name, lead) for i, name in enumerate(run.suspects, 1))


def _dossier(run: Run, index: int, name: str, lead: str) -> Dossier:
    verdict = verdict_of(run, name, lead)
    everything = () if isinstance(run.evidence, NotMeasured) else run.evidence
    rows = verdict.evidence if verdict else ()
    cited = [everything[i] for i in rows if 0 <= i < len(everything)] or everything
    evidence = [e for e in cited if e.suspect == name]
    guesses = ranked_guesses(verdict)
    found = hits(run, name, lead)
    order = {id(g): i for i, g in enumerate(verdict.guesses)} if verdict else {}
    exhibits = tuple(
        _exhibit(run, rank, guess, found[order[id(guess)]] if order[id(guess)] < len(found) else {}, evidence)
        for rank, guess in enumerate(guesses, 1)
    )
    loose = [e for e in evidence if not any(_speaks_for(e, g) for g in guesses)]
    shown = tuple(_claim(run, e) for e in loose[: 2 * CLAIMS])
    return Dossier(index, words.brief(name, 60), exhibits, shown, max(0, len(loose) - len(shown)))


def _speaks_for(evidence: Evidence, guess: Guess) -> bool:
    return evidence.guess is not None and (evidence.guess.what, evidence.guess.when) == (
        guess.what,
        guess.when,
    )


def _exhibit(
    run: Run, rank: int, guess: Guess, hit: Mapping[str, Any], evidence: Iterable[Evidence]
) -> Exhibit:
    mine = [e for e in evidence if _speaks_for(e, guess)]
    claims = tuple(_claim(run, e) for e in mine[:CLAIMS])
    return Exhibit(
        rank,
        words.guess(guess),
        words.predicate(guess.what),
        words.predicate(guess.when),
        words.number(guess.weight),
        _marks(hit),
        claims,
        len(mine) - len(claims),
    )


def _marks(hit: Mapping[str, Any]) -> tuple[Mark, ...]:
    """A hit may be a boolean, a balanced accuracy (a hit from 0.8 on), or a `NotMeasured`."""
    result: list[Mark] = []
    for respect, keys in (("what", ("what",)), ("when", ("when",)), ("both", ("both", "joint"))):
        value = next((hit[k] for k in keys if k in hit), None)
        if isinstance(value, bool):
            result.append(Mark(respect, value, ""))
        elif isinstance(value, (int, float)):
            result.append(Mark(respect, value >= 0.8, f"balanced accuracy {words.number(float(value))}"))
        elif isinstance(value, dict):
            result.append(Mark(respect, None, words.brief(str(value.get("reason", "not measured")))))
    return tuple(result)


def _claim(run: Run, evidence: Evidence) -> Claim:
    transcripts = {} if isinstance(run.transcripts, NotMeasured) else run.transcripts
    found = [(c, transcripts[c.source]) for c in evidence.citations if c.source in transcripts]
    sides: dict[str, list[tuple[Citation, Transcript]]] = {"on": [], "off": [], "": []}
    for citation, transcript in found:
        side = transcript.tags.get("side", "")
        sides[side if side in sides else ""].append((citation, transcript))
    if not (sides["on"] and sides["off"]):
        sides = {"on": [], "off": [], "": [pair for _, side in sides.items() for pair in side]}
    on, off = _aligned(sides["on"], sides["off"])
    pairs = tuple(zip_longest(_speeches(on[:PAIRS]), _speeches(off[:PAIRS])))
    row = _speeches(sides[""][: 2 * PAIRS])
    shown = min(len(on), PAIRS) + min(len(off), PAIRS) + len(row)
    statistic = evidence.statistic
    return Claim(
        evidence.method,
        words.brief(evidence.claim, 600),
        words.said(statistic),
        "" if isinstance(statistic, NotMeasured) else statistic.unit,
        words.said(evidence.null),
        pairs,
        row,
        len(found) - shown,
        tuple(words.brief(c.source, 80) for c in evidence.citations if c.source not in transcripts)[:12],
    )


Cited = list[tuple[Citation, Transcript]]


def _aligned(on: Cited, off: Cited) -> tuple[Cited, Cited]:
    """Both sides with the items that they share first and in the same order."""
    there = {t.tags.get("item", "") for _, t in off} - {""}
    here = [t.tags.get("item", "") for _, t in on]
    shared = {item: i for i, item in enumerate(dict.fromkeys(i for i in here if i in there))}

    def place(pair: tuple[Citation, Transcript]) -> int:
        return shared.get(pair[1].tags.get("item", ""), len(shared))

    return sorted(on, key=place), sorted(off, key=place)


def _speeches(cited: Sequence[tuple[Citation, Transcript]]) -> tuple[Speech, ...]:
    return tuple(_speech(citation, transcript) for citation, transcript in cited)


def _speech(citation: Citation, transcript: Transcript) -> Speech:
    return Speech(
        transcript.id,
        transcript.suspect,
        tuple(Turn(m.role, passage(m.content, citation.words)) for m in transcript.messages),
        passage(transcript.reply, citation.words),
        tuple(sorted((words.plain(k), words.brief(v, 80)) for k, v in transcript.tags.items())),
        f"temperature {words.number(transcript.temperature)}, seed {transcript.seed}, "
        f"at most {transcript.max_tokens} tokens",
    )
