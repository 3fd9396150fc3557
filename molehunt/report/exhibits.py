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

Cited = list[tuple[Citation, Transcript]]


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
    """One piece of evidence, with its transcripts in pairs (left, right) or in a row."""

    method: str
    text: str
    statistic: str
    unit: str
    null: str
    null_is: str
    """Unit of the null and how it was had; empty where there is none."""
    heads: tuple[str, str]
    """What the two sides of the pairs are."""
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
    spread_out: bool
    """Whether the first guess is shown open: on suspects that somebody called shady, or that are."""


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
    found = (*hits(run, name, lead), *({} for _ in guesses))
    exhibits = tuple(
        _exhibit(run, rank, guess, hit, evidence)
        for rank, (guess, hit) in enumerate(zip(guesses, found, strict=False), 1)
    )
    loose = [e for e in evidence if not any(_speaks_for(e, g) for g in guesses)]
    shown = tuple(_claim(run, e) for e in loose[: 2 * CLAIMS])
    suspected = verdict is not None and verdict.accuses
    truth = None if isinstance(run.opened, NotMeasured) else run.opened.truths.get(name)
    return Dossier(
        index,
        words.brief(name, 60),
        exhibits,
        shown,
        len(loose) - len(shown),
        suspected or (truth is not None and truth.shady),
    )


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
    """The referee's row for a guess: `what`, `when` and `joint` are true, false or not to be told."""
    result: list[Mark] = []
    for respect, key in (("what", "what"), ("when", "when"), ("together", "joint")):
        if key not in hit:
            continue
        right = hit[key] if isinstance(hit[key], bool) else None
        accuracy = hit.get(f"{key}_accuracy")
        detail = words.number(float(accuracy)) if isinstance(accuracy, (int, float)) else ""
        result.append(Mark(respect, right, detail))
    return tuple(result)


def _claim(run: Run, evidence: Evidence) -> Claim:
    transcripts = {} if isinstance(run.transcripts, NotMeasured) else run.transcripts
    found = [(c, transcripts[c.source]) for c in evidence.citations if c.source in transcripts]
    heads, left, right, rest = _sides(found, evidence.suspect)
    left, right = _aligned(left, right)
    pairs = tuple(zip_longest(_speeches(left[:PAIRS]), _speeches(right[:PAIRS])))
    row = _speeches(rest[: 2 * PAIRS])
    statistic = evidence.statistic
    return Claim(
        evidence.method,
        words.brief(evidence.claim, 600),
        words.said(statistic),
        "" if isinstance(statistic, NotMeasured) else statistic.unit,
        words.said(evidence.null),
        ""
        if isinstance(evidence.null, NotMeasured)
        else words.brief(f"{evidence.null.unit}: {evidence.null.how}", 200),
        heads,
        pairs,
        row,
        len(found) - min(len(left), PAIRS) - min(len(right), PAIRS) - len(row),
        tuple(words.brief(c.source, 80) for c in evidence.citations if c.source not in transcripts)[:12],
    )


def _sides(found: Cited, suspect: str) -> tuple[tuple[str, str], Cited, Cited, Cited]:
    """On beside off where the claim says so; else the suspect beside whoever else spoke; else in a row."""
    on = [pair for pair in found if pair[0].side == "on"]
    off = [pair for pair in found if pair[0].side == "off"]
    if on and off:
        rest = [pair for pair in found if pair[0].side not in ("on", "off")]
        return ("Condition on", "Condition off"), on, off, rest
    own = [pair for pair in found if pair[1].suspect == suspect]
    others = [pair for pair in found if pair[1].suspect != suspect]
    if own and others:
        return (words.brief(suspect, 60), words.brief(others[0][1].suspect, 60)), own, others, []
    return ("", ""), [], [], found


def _aligned(left: Cited, right: Cited) -> tuple[Cited, Cited]:
    """Both sides with the questions that they share first and in the same order."""
    there = {_question(t) for _, t in right}
    here = dict.fromkeys(_question(t) for _, t in left)
    shared = {question: i for i, question in enumerate(q for q in here if q in there)}

    def place(pair: tuple[Citation, Transcript]) -> int:
        return shared.get(_question(pair[1]), len(shared))

    return sorted(left, key=place), sorted(right, key=place)


def _question(transcript: Transcript) -> object:
    return transcript.tags.get("item") or transcript.messages


def _speeches(cited: Sequence[tuple[Citation, Transcript]]) -> tuple[Speech, ...]:
    return tuple(_speech(citation, transcript) for citation, transcript in cited)


def _speech(citation: Citation, transcript: Transcript) -> Speech:
    return Speech(
        transcript.id,
        transcript.suspect,
        tuple(Turn(m.role, passage(m.content, citation.words)) for m in transcript.messages),
        passage(transcript.reply, citation.words),
        tuple(sorted((words.plain(k), words.brief(v, 80)) for k, v in transcript.tags.items())),
        f"temperature {transcript.temperature:g}, seed {transcript.seed}, "
        f"at most {transcript.max_tokens} tokens",
    )
