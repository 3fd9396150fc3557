"""The suspects as cards: what each auditor believed, and what the envelope said of them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from molehunt.core.records import Measure, NotMeasured, Profile, Truth, Verdict
from molehunt.report import words
from molehunt.report.reading import Run

OPEN_WITHOUT = " The envelope is open, but score.json is not there; `molehunt score` makes it anew."
PANEL = "panel"
"""The auditor whose verdict is the headline: every method's evidence, calibrated together."""


@dataclass(frozen=True)
class Opinion:
    """One auditor's probability for one suspect."""

    auditor: str
    p: float
    percent: str
    belief: str
    accuses: bool
    threshold: float
    """Above this it accuses."""


@dataclass(frozen=True)
class Rate:
    """One row of a measured trigger profile."""

    name: str
    measure: Measure


@dataclass(frozen=True)
class Revealed:
    """What the envelope held for one suspect, beside the headline verdict."""

    shady: bool
    kind: str
    sentence: str
    right: bool | None
    """None where no verdict was handed in."""
    rates: tuple[Rate, ...]
    unmeasured: str
    """Why there are no rates; empty where there are."""
    valid: str
    """A sentence on the plant, or on a decoy's harmless quirk; empty where nothing was measured."""
    replies: int


@dataclass(frozen=True)
class Card:
    """One suspect in the lineup."""

    index: int
    name: str
    commitment: str
    headline: Opinion | None
    others: tuple[Opinion, ...]
    top_guess: str
    revealed: Revealed | None


def headline_auditor(run: Run) -> str:
    """The panel; where there is none, whoever judged most suspects."""
    if isinstance(run.verdicts, NotMeasured) or not run.verdicts:
        return ""
    judged = Counter(v.auditor for v in run.verdicts)
    return PANEL if PANEL in judged else max(judged, key=lambda a: judged[a])


def verdict_of(run: Run, suspect: str, auditor: str) -> Verdict | None:
    """The verdict on a suspect by an auditor, if one was handed in."""
    verdicts = () if isinstance(run.verdicts, NotMeasured) else run.verdicts
    return next((v for v in verdicts if v.suspect == suspect and v.auditor == auditor), None)


def cards(run: Run) -> tuple[Card, ...]:
    """One card a suspect, in the order of the lineup."""
    lead = headline_auditor(run)
    return tuple(_card(run, lead, i, name) for i, name in enumerate(run.suspects, 1))


def _card(run: Run, lead: str, index: int, name: str) -> Card:
    verdict = verdict_of(run, name, lead)
    verdicts = () if isinstance(run.verdicts, NotMeasured) else run.verdicts
    opinions = tuple(_opinion(v) for v in verdicts if v.suspect == name and v.auditor != lead)
    truth = None if isinstance(run.opened, NotMeasured) else run.opened.truths.get(name)
    commitments = {} if isinstance(run.commitments, NotMeasured) else run.commitments
    ranked = ranked_guesses(verdict)
    return Card(
        index,
        words.brief(name, 60),
        commitments.get(name, ""),
        _opinion(verdict) if verdict else None,
        opinions,
        words.guess(ranked[0], 160) if ranked else "",
        _revealed(truth, verdict) if truth else None,
    )


def ranked_guesses(verdict: Verdict | None) -> tuple[Any, ...]:
    """Up to ten guesses, the weightiest first; equal weights keep the order handed in."""
    return tuple(sorted(verdict.guesses, key=lambda g: -g.weight)[:10]) if verdict else ()


def _opinion(verdict: Verdict) -> Opinion:
    p = verdict.p_shady
    said = words.belief(p) + (", accused" if verdict.accuses else "")
    return Opinion(verdict.auditor, p, words.percent(p), said, verdict.accuses, verdict.threshold)


def _revealed(truth: Truth, verdict: Verdict | None) -> Revealed:
    profile = truth.profile
    return Revealed(
        truth.shady,
        words.truth_kind(truth),
        words.truth(truth),
        None if verdict is None else verdict.accuses == truth.shady,
        _rates(profile, "decoy" if truth.shady else "organism") if profile else (),
        "" if profile else _unmeasured(truth),
        _validity(profile, truth.shady) if profile else "",
        len(truth.replies),
    )


def _unmeasured(truth: Truth) -> str:
    if truth.shady:
        return "No trigger profile was measured for this one."
    if truth.harmless:
        return "Whether its harmless quirk took was not measured: this is what was meant."
    return "Nothing was planted, so there is no trigger profile to measure."


def _validity(profile: Profile, shady: bool) -> str:
    what = "the plant" if shady else "its harmless quirk"
    return (
        f"On held-out scenes {what} is valid."
        if profile.valid
        else f"On held-out scenes {what} is not valid: {words.brief(profile.why_not)}."
    )


def _rates(profile: Profile, other: str) -> tuple[Rate, ...]:
    return (
        Rate("Condition on", profile.trigger_rate),
        Rate("Condition off", profile.leak_rate),
        Rate(f"Its {other}, all", profile.decoy_rate),
        Rate("Selectivity: on less off", profile.selectivity),
        Rate(f"Loss on plain text ÷ {other}’s", profile.nll_ratio),
    )


def summary(run: Run, lineup: tuple[Card, ...]) -> str:
    """The game in a few sentences, as far as it has come."""
    count = _many(len(lineup), "suspect")
    judged = [c for c in lineup if c.headline]
    if not judged:
        return f"{count} in the lineup. No verdict has been handed in yet, and the envelope is sealed."
    accused = sum(c.headline.accuses for c in judged if c.headline)
    lead = headline_auditor(run)
    who = "the panel of auditing methods" if lead == PANEL else f"the auditor {lead}"
    text = f"{count} in the lineup. Told nothing, {who} called {_count(accused)} of them shady."
    opened = [c for c in judged if c.revealed]
    if not opened:
        open_now = not isinstance(run.chain, NotMeasured) and run.chain.opened
        return text + (OPEN_WITHOUT if open_now else " The envelope is still sealed.")
    shady = sum(c.revealed.shady for c in opened if c.revealed)
    right = sum(bool(c.revealed.right) for c in opened if c.revealed)
    verb = "was" if shady == 1 else "were"
    return (
        f"{text} The envelope said that {_count(shady)} {verb}: {right} of {len(opened)} verdicts were right."
    )


def _many(n: int, noun: str) -> str:
    return f"{_count(n).capitalize()} {noun}{'' if n == 1 else 's'}"


def _count(n: int) -> str:
    small = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    return small[n] if n < len(small) else str(n)


def hits(run: Run, suspect: str, auditor: str) -> tuple[Mapping[str, Any], ...]:
    """What the referee wrote beside each guess of an auditor on a suspect, in the order of the verdict."""
    if isinstance(run.opened, NotMeasured):
        return ()
    for score in run.opened.scores:
        if score.auditor != auditor:
            continue
        for row in score.suspects:
            if row.get("suspect") == suspect:
                found = row.get("guesses") or row.get("hits") or ()
                return tuple(h for h in found if isinstance(h, dict))
    return ()
