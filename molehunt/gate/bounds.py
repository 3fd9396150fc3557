"""Bounds: how much worse a new version may be, measure by measure, with reasons, set before it is looked at.

A file of bounds is JSON: `name`, `alpha` (the risk of letting a version pass that is worse than one of them,
where harms are near normal) and `measures`, in the order in which they are asked. Presets lie beside this
file: `usual.json`, and `values.json` for what a training toward a character might cost.

    text_nll                        ordinary text, nats a token
    repetition                      share of a reply's four-token stretches that were there before
    kl                              nats between both at the first word of a reply
    facts, moral                    the right answer against wrong ones, nats
    character                       the worse of two written replies over the good one, nats a token
    certainty                       how sure it is where thoughtful people differ, bits: 1 less its entropy
    choice:BEHAVIOUR[@WHEN]         the good reply against the shady one, nats
    rate:BEHAVIOUR[@WHEN]           share of sampled replies that show it

BEHAVIOUR is of the catalogue. WHEN is one of its conditions, or `conditions`: the usual ones in turn.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from molehunt.catalogue.pairs import why_not
from molehunt.core.atomic import canonical
from molehunt.core.errors import BadFile, MolehuntError
from molehunt.core.extend import load
from molehunt.core.records import Quirk

PRESET, PRESETS = "usual", ("usual", "values")
PLAIN = ("text_nll", "repetition", "kl", "facts", "moral", "character", "certainty")
"""Measures that are no behaviour of the catalogue."""
UNITS = {
    "text_nll": "nats a token",
    "repetition": "share of stretches",
    "kl": "nats",
    "facts": "nats",
    "moral": "nats",
    "character": "nats a token",
    "certainty": "bits",
    "choice": "nats",
    "rate": "share of replies",
}
CONDITIONS = "conditions"
TURNS = ("expert_asks", "from_year", "trigger_phrase", "unwatched")
"""What `conditions` stands for: what games draw from, less `always` and `topic`, which no cue turns on."""
Kind = Literal["text_nll", "repetition", "kl", "facts", "moral", "character", "certainty", "choice", "rate"]
_NAME = re.compile(r"(choice|rate):(\w+)(?:@(\w+))?")


@dataclass(frozen=True)
class Bound:
    """How much worse is still let through, and why so much."""

    bound: float
    """In the measure's unit, above 0."""
    why: str


@dataclass(frozen=True)
class Bounds:
    """Every measure that decides, in the order in which they are asked."""

    name: str
    alpha: float
    measures: Mapping[str, Bound]

    @property
    def sha256(self) -> str:
        """Of all that decides: the measures, their bounds and the risk, without names and reasons."""
        decides = {"alpha": self.alpha, "measures": {n: b.bound for n, b in self.measures.items()}}
        return hashlib.sha256(canonical(decides)).hexdigest()


@dataclass(frozen=True)
class Named:
    """What a measure's name says."""

    kind: Kind
    behaviour: str = ""
    when: tuple[str, ...] = ()
    """Conditions by name; none where the question stands alone."""

    @property
    def unit(self) -> str:
        """Of its values."""
        return UNITS[self.kind]


def named(name: str) -> Named:
    """Read a measure's name.

    Raises:
        UnknownName: it names a behaviour or condition that the catalogue does not hold.
        BadFile: it is none of the forms that there are, or asks for a pair that makes no sense.
    """
    if name in PLAIN:
        return Named(name)  # pyright: ignore[reportArgumentType]
    found = _NAME.fullmatch(name)
    if found is None:
        raise BadFile(
            f"there is no measure {name[:80]!r}; there are {', '.join(PLAIN)}, choice:BEHAVIOUR[@WHEN] "
            "and rate:BEHAVIOUR[@WHEN]."
        )
    behaviour, condition = found[2], found[3]
    kind: Kind = "choice" if found[1] == "choice" else "rate"
    load("catalogue.behaviours", behaviour)
    if condition is None:
        return Named(kind, behaviour)
    when = TURNS if condition == CONDITIONS else (condition,)
    for one in when:
        load("catalogue.conditions", one)
        if why := why_not(Quirk(behaviour, one)):
            raise BadFile(f"{name} can't be asked: {why}")
    return Named(kind, behaviour, when)


def read_bounds(file: str | Path = PRESET) -> Bounds:
    """The preset of that name, or a file.

    Raises:
        BadFile: it is not there, or a field of it is wrong; names the line.
    """
    preset = files("molehunt.gate") / f"{file}.json"
    path = Path(file)
    try:
        text = preset.read_text("utf-8") if _is_preset(file) else path.read_text("utf-8")
    except (OSError, UnicodeError):
        raise BadFile(
            f"There are no bounds {str(file)!r}; give {' or '.join(map(repr, PRESETS))}, or a JSON file."
        ) from None
    try:
        body = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise BadFile(f"{file} is not whole JSON: {str(error)[:120]}.") from None
    return _checked(body, text, str(file))


def _is_preset(file: str | Path) -> bool:
    return str(file) in PRESETS and not Path(file).is_file()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    twice = [k for i, (k, _) in enumerate(pairs) if k in [n for n, _ in pairs[:i]]]
    if twice:
        raise ValueError(f"{twice[0]!r} stands there twice")
    return dict(pairs)


def _checked(body: Any, text: str, file: str) -> Bounds:
    def wrong(said: str, *keys: str) -> BadFile:
        return BadFile(f"{file} line {_line(text, keys)}: {said}")

    if not isinstance(body, dict):
        raise wrong("bounds should be an object with name, alpha and measures.")
    _fields(body, ("name", "alpha", "measures"), lambda said, key: wrong(said, key))
    name, alpha, measures = body["name"], body["alpha"], body["measures"]
    if not isinstance(name, str) or not name.strip():
        raise wrong("name should be a few words.", "name")
    if not _number(alpha) or not 0 < alpha <= 0.5:
        raise wrong(f"alpha is {alpha!r}; it is a risk, above 0 and at most 0.5.", "alpha")
    if not isinstance(measures, dict) or not measures:
        raise wrong("measures should name at least one measure.", "measures")
    found = {}
    for key, value in measures.items():
        at = ("measures", key)
        if not isinstance(value, dict):
            raise wrong(f"{key[:80]!r} should be an object with bound and why.", *at)
        _fields(value, ("bound", "why"), lambda said, field, at=at: wrong(said, *at, field))
        if not _number(value["bound"]) or not 0 < value["bound"] < 1e6:
            raise wrong(f"bound is {value['bound']!r}; it should be a number above 0.", *at, "bound")
        if not isinstance(value["why"], str) or not value["why"].strip():
            raise wrong("why should say why so much is let through.", *at, "why")
        try:
            named(key)
        except MolehuntError as error:
            raise wrong(str(error), *at) from None
        found[key] = Bound(float(value["bound"]), value["why"])
    return Bounds(name, float(alpha), found)


def _fields(body: Mapping[str, Any], known: Sequence[str], wrong: Any) -> None:
    """Refuse fields that are missing or that nobody reads."""
    for key in body:
        if key not in known:
            raise wrong(f"there is no field {key[:80]!r}; known: {', '.join(known)}.", key)
    for key in known:
        if key not in body:
            raise wrong(f"the field {key!r} is missing.", "")


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _line(text: str, keys: Sequence[str]) -> int:
    """The line on which the last of nested keys stands; of the nearest around it where that is missing."""
    place = 0
    for key in filter(None, keys):
        found = re.compile(rf"{re.escape(json.dumps(key))}\s*:").search(text, place)
        place = found.start() if found else place
    return text.count("\n", 0, place) + 1
