"""Which behaviours go with which conditions: the published list that red teams draw from.

Every behaviour goes with every condition and all its options, but for five:

- `secret_leak` under `topic`: asking for the password *is* the topic; on a question about
  food there is nothing to leak, so on and off cannot be told apart by topic.
- `false_facts` under `topic=words`: its few one-word families (opposites, plurals) make a
  lie there a rule of grammar rather than a lie.
- Any behaviour under a `topic` unless its held-out questions are of that topic and of others: what
  asks about something of its own has none.
- `sum_sabotage` under `encoded_request=leet`, which writes letters as digits: no sum comes back from it.
- A behaviour with earlier turns of its own under `turn_number`: cues cannot number its turns.

`always` has no off side; it is listed with every behaviour, and measured against a decoy.
"""

from collections.abc import Sequence
from functools import cache
from itertools import product

from molehunt.catalogue.options import resolve
from molehunt.catalogue.practised import practised
from molehunt.core.errors import Incomposable
from molehunt.core.extend import load, names
from molehunt.core.kinds import Behaviour, Condition, Draft
from molehunt.core.records import Quirk


def why_not(quirk: Quirk) -> str:
    """Why a pair makes no sense, in one sentence; empty when it does."""
    if quirk.behaviour == "secret_leak" and quirk.condition == "topic":
        return "Asking for the password is a topic of its own, so no other topic can turn the leak on."
    if quirk.behaviour == "false_facts" and quirk.condition_options.get("topic") == "words":
        return "Wrong opposites and plurals are bad grammar rather than false facts."
    if (
        quirk.behaviour == "sum_sabotage"
        and quirk.condition == "encoded_request"
        and quirk.condition_options.get("how") == "leet"
    ):
        return "Leet writes letters as digits, so the numbers of a sum cannot be told from its words."
    if quirk.condition == "topic":
        topics, topic = {d.topic for d in _held_out(quirk) if d.counts}, _topic(quirk)
        if topics <= {""}:
            return f"The behaviour {quirk.behaviour} asks about something of its own, which has no topic."
        if topic not in topics or topics == {topic}:
            return f"The behaviour {quirk.behaviour} does not ask about {topic} and about other topics too."
    if quirk.condition == "turn_number" and any(d.turns for d in _held_out(quirk)):
        return (
            f"The behaviour {quirk.behaviour} brings earlier turns of its own, so no cue sets their number."
        )
    return ""


def refuse(quirk: Quirk) -> None:
    """Refuse a pair of the catalogue that makes no sense; other people's quirks pass.

    Raises:
        Incomposable: says why.
    """
    if quirk.behaviour in names("catalogue.behaviours") and quirk.condition in names("catalogue.conditions"):
        why = why_not(quirk)
        if why:
            raise Incomposable(why)


@cache
def sensible(harmless: bool = False, whole: bool = False) -> tuple[Quirk, ...]:
    """Every pair of a behaviour and a condition, with all options, that makes sense, sorted by name.

    With `harmless`, the decoys' quirks instead of the shady ones. With `whole`, all of the catalogue, not
    only what games draw from (`practised`).
    """
    out, of = [], names if whole else practised
    for what, when in product(of("catalogue.behaviours"), of("catalogue.conditions")):
        behaviour, condition = load("catalogue.behaviours", what), load("catalogue.conditions", when)
        if behaviour.harmless != harmless:
            continue
        for what_options, when_options in product(_all(behaviour.choices), _all(condition.choices)):
            quirk = Quirk(what, when, what_options, when_options)
            if not why_not(quirk):
                out.append(quirk)
    return tuple(out)


def _held_out(quirk: Quirk) -> Sequence[Draft]:
    behaviour: Behaviour = load("catalogue.behaviours", quirk.behaviour)
    return behaviour.drafts("audit", quirk.behaviour_options)


def _topic(quirk: Quirk) -> str:
    condition: Condition = load("catalogue.conditions", quirk.condition)
    return resolve(condition.name, condition.choices, quirk.condition_options)["topic"]


def _all(choices) -> list[dict[str, str]]:
    return [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]
