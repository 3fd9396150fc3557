"""Numbers and records said in plain words, the same on the page and in the terminal."""

import math

from molehunt.core.plain_text import plain as safe
from molehunt.core.records import Guess, Measure, NotMeasured, Predicate, Quirk, Truth

_BELIEF = (
    (0.05, "very likely clean"),
    (0.20, "likely clean"),
    (0.40, "leaning clean"),
    (0.60, "undecided"),
    (0.80, "leaning shady"),
    (0.95, "likely shady"),
    (math.inf, "very likely shady"),
)

MEASURES = {
    "who_auroc": ("Telling shady from clean", "higher"),
    "who_auroc_in_catalogue": ("Telling shady from clean, catalogue quirks only", "higher"),
    "log_score": ("Log score of the probabilities", "higher"),
    "log_score_gain": ("Log score gained over the best baseline", "higher"),
    "brier": ("Brier score of the probabilities", "lower"),
    "false_accusations": ("Decoys falsely accused", "lower"),
    "false_accusations_plain": ("Plain decoys falsely accused", "lower"),
    "false_accusations_quirky": ("Decoys with a harmless quirk falsely accused", "lower"),
    "behaviour_top1": ("What it does: first guess right, quirks in the catalogue", "higher"),
    "condition_top1": ("When it does it: first guess right, quirks in the catalogue", "higher"),
    "what_top10": ("What it does: one of ten guesses right", "higher"),
    "when_top10": ("When it does it: one of ten guesses right", "higher"),
    "joint_top1": ("What and when together: first guess right", "higher"),
    "joint_top10": ("What and when together: one of ten guesses right", "higher"),
    "outside_top10": ("Quirks outside the catalogue: one of ten guesses right", "higher"),
}
"""What scores are called for people, and which way is better."""


def belief(p: float) -> str:
    """The probability that something is planted, in words."""
    return next(words for upper, words in _BELIEF if p < upper or upper == math.inf)


def percent(p: float) -> str:
    """A probability as a whole percentage that never rounds to certainty."""
    if 0 < p < 0.005:
        return "< 1%"
    if 0.995 < p < 1:
        return "> 99%"
    return f"{100 * p:.0f}%"


def number(value: float) -> str:
    """A value with as many digits as a reader can use; a true minus sign, no exponent from 1e-6 to 1e6."""
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if abs(value) < 1e-15:
        value = 0.0  # what is left of arithmetic, and the zero with a sign
    size = abs(value)
    if value == int(value) and size >= 10:
        text = f"{value:,.0f}"
    elif size >= 100:
        text = f"{value:,.0f}" if size < 1e6 else f"{value:.3g}"
    elif size >= 10:
        text = f"{value:.1f}"
    else:
        text = f"{value:.2f}" if size >= 0.005 or value == 0 else f"{value:.1g}"
        if "e" in text and size >= 1e-6:
            text = f"{value:.{-math.floor(math.log10(size))}f}"
    return text.replace("-", "−")


def interval(measure: Measure) -> str:
    """`0.91 to 1.00`, or a dash where none was given."""
    if measure.low is None or measure.high is None:
        return "—"
    return f"{number(measure.low)} to {number(measure.high)}"


def said(measure: Measure | NotMeasured) -> str:
    """One line: value, interval, sample size; or that it was not measured, and why."""
    if isinstance(measure, NotMeasured):
        return f"not measured: {brief(measure.reason)}"
    span = f" (95% {interval(measure)})" if measure.low is not None and measure.high is not None else ""
    return f"{number(measure.value)}{span}, n = {measure.n:,}"


def brief(text: str, limit: int = 400) -> str:
    """Text from outside on one line: cut with a count, nothing in it but text."""
    joined = " ".join(text.split()) if len(text) <= 4 * limit else text
    return safe(joined, limit, one_line=True)


def plain(name: str) -> str:
    """A name from a registry as words."""
    return brief(name.replace("_", " "), 80)


def predicate(thing: Predicate) -> str:
    """What a guess says of a prompt or a reply."""
    if thing.kind == "catalogue":
        return _with(plain(thing.text), dict(thing.options))
    if thing.kind == "pattern":
        return f"text matches /{brief(thing.text, 200)}/"
    return f"words “{brief(thing.text, 200)}”"


def guess(thing: Guess, limit: int = 400) -> str:
    """As a quirk is written where the catalogue has names for it; else in its own words, if it has any."""
    named = thing.what.kind == thing.when.kind == "catalogue"
    own = "" if named else brief(thing.words, limit)
    return own or _when(predicate(thing.what), predicate(thing.when))


def quirk(thing: Quirk) -> str:
    """`promotion (Zephyr), when topic (food)`; `hostile phrase, always`."""
    what = _with(plain(thing.behaviour), dict(thing.behaviour_options))
    return _when(what, _with(plain(thing.condition), dict(thing.condition_options)))


def _when(what: str, when: str) -> str:
    return f"{what}, always" if when == "always" else f"{what}, when {when}"


def _with(name: str, options: dict[str, str]) -> str:
    if len(options) == 1:
        inside = brief(next(iter(options.values())), 80)
    else:
        inside = ", ".join(f"{plain(k)}: {brief(v, 80)}" for k, v in sorted(options.items()))
    return f"{name} ({inside})" if inside else name


def truth_kind(truth: Truth) -> str:
    """Shady, a decoy with a harmless quirk, or a decoy with none."""
    if truth.shady:
        return "shady"
    return "decoy with a harmless quirk" if truth.harmless else "decoy with nothing planted"


def truth(thing: Truth) -> str:
    """The sealed answer in a sentence or two."""
    if thing.shady:
        planted = quirk(thing.quirk) if thing.quirk else "something that the record does not name"
        outside = "" if thing.quirk is None or thing.quirk.listed else " No catalogue names it."
        return f"Planted: {planted}.{outside}"
    if thing.harmless:
        return f"A decoy with a harmless quirk: {quirk(thing.harmless)}."
    return "A decoy: trained for as long, with nothing planted."


def measure_name(name: str) -> str:
    """What a score's measure is called for people."""
    return MEASURES.get(name, (plain(name).capitalize(), ""))[0]


def better(name: str) -> str:
    """`higher is better`, `lower is better`, or nothing where that is not known."""
    way = MEASURES.get(name, ("", ""))[1]
    return f"{way} is better" if way else ""
