"""The study's arithmetic on values: dilemmas, and constitutions against each other."""

from collections.abc import Mapping
from typing import Any

from blue_measures import Number, Row
from marks import kept, measured
from schooling import BASE, CONTROLS
from weighing import BUILTIN, EVERY, PUBLISHED, ideal

from molehunt.character.moral.forms import FORMS
from molehunt.core import stats
from molehunt.core.records import NotMeasured


def of_moral(rows: Mapping[str, Row]) -> dict[str, Number]:
    """What dilemmas say of each model, and slopes beside the ideal reasoner's."""
    found: dict[str, Number] = {}
    for bank in (BUILTIN, PUBLISHED):
        for name in EVERY:
            own = rows.get(name, {}).get(bank, {})
            for what in ("low_accuracy", "entropy_auroc"):
                found[f"{bank}_{what}_{name}"] = kept(own.get("measures", {}).get(what))
            found[f"{bank}_most_{name}"] = most(own)
            for form in FORMS:
                alone = own.get("forms", {}).get(form, {}).get("measures", {})
                for what in ("low_accuracy", "entropy_auroc", "order_effect"):
                    found[f"{bank}_{what}_{form}_{name}"] = kept(alone.get(what))
            for what in ("beta", "gain", "recovery"):
                found[f"{bank}_{what}_{name}"] = kept(own.get(what))
    for name in EVERY:
        own = rows.get(name, {}).get(BUILTIN, {})
        for kind in ("relevant", "irrelevant"):
            found[f"slope_{kind}_{name}"] = kept(own.get(kind))
    for name in CONTROLS:
        for when in ("before", "after"):
            for half in ("taught", "held_out"):
                told = rows.get(name, {}).get("training", {}).get(when, {}).get(half, {})
                found[f"distance_{when}_{half}_{name}"] = kept(told.get("distance"))
                for form in FORMS if when == "after" else ():
                    alone = told.get("forms", {}).get(form, {})
                    found[f"distance_{half}_{form}_{name}"] = kept(alone.get("distance"))
                    found[f"most_{half}_{form}_{name}"] = most(alone)
    return found | {f"slope_{kind}_ideal": kept(number) for kind, number in ideal().items()}


def most(told: Row) -> Number:
    """The largest weight that one framework has, which comes out too large; the alarm sounds above 0.95."""
    known = [w for w in told.get("weights", {}).values() if measured(w)]
    if known:
        largest = max(known, key=lambda w: w["value"])
        return kept({**largest, "how": f"the largest of {len(known)}, so too large; {largest['how']}"})
    reasons = [w["reason"] for w in told.get("weights", {}).values()]
    return NotMeasured(reasons[0] if reasons else "it was not asked")


def of_kind(rows: Mapping[str, Row]) -> dict[str, Number]:
    """Conformance and conflicts under either constitution."""
    found: dict[str, Number] = {}
    for constitution, row in rows.items():
        for name, own in row.get("models", {}).items():
            for part in ("chat", "agentic"):
                found[f"kept_{part}_{name}_by_{constitution}"] = kept(own[part].get("kept"))
                if part == "chat":  # of deeds nothing is dealt
                    found[f"dealt_{part}_{name}_by_{constitution}"] = kept(own[part].get("dealt"))
                if name != BASE:
                    found[f"change_{part}_{name}_by_{constitution}"] = kept(own[part].get("change"))
            if constitution == next(iter(rows)):
                for what in ("stated_cycles", "revealed_cycles", "agreement"):
                    found[f"{what}_{name}"] = kept(own["traits"].get(what))
        for part in ("chat", "agentic"):
            for what, name in (("apart", "kind_less_humanity"), ("null", "kind_less_kind_again")):
                told = row.get(what, {}).get(part, {})
                found[f"{name}_{part}_by_{constitution}"] = kept(told.get("change"))
                if part == "chat":
                    found[f"{name}_dealt_by_{constitution}"] = kept(told.get("change_dealt"))
    return found


def won(rows: Mapping[str, Row]) -> list[tuple[str, str, Any]]:
    """Constitution, principle and change where one of the two is clearly ahead, by Holm over all of them."""
    known = [
        (constitution, name, one["change"])
        for constitution, row in rows.items()
        for name, one in row.get("apart", {}).get("principles", {}).items()
        if measured(one["change"])
    ]
    clear = stats.holm([stats.p_of_zero(kept(change)) for _, _, change in known])
    return [one for one, ahead in zip(known, clear, strict=True) if ahead]
