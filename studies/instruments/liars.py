"""Is lying one direction? Probes of some planted liars tried on others, and steering with what they read.

A liar answers wrongly where its condition holds (a topic, a phrase, who asks) and rightly elsewhere, so
within one liar "it lies" and "its condition holds" are one. A probe is therefore trained on the *other* liars
and tried on one that it never saw, on questions of a bank that no training touched; once more on liars under
other conditions alone, where a condition would mislead it. Beside the liar's own replies stand two tests: the
same questions with the other reply in the liar's mouth (a truth where it would lie, a lie elsewhere), and the
decoy's replies to the same questions, where there is no lie to find. Only facts that the decoy answers
rightly count, and of the liar's replies those that are right or a lie.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from dosing import PROMPTS, TEXTS, dosed
from hearing import SCENES, Say, Told, hear, lies_at_times, when
from pairs import Pair, kept, speaking

from molehunt.core.record_json import to_json
from molehunt.core.records import Measure, Message, NotMeasured, Split
from molehunt.interp.direction import direction
from molehunt.interp.labelled import TEST, TRAIN, VALIDATE, Example
from molehunt.interp.pooled import pooled
from molehunt.interp.probe_study import Study, study_of
from molehunt.interp.probes import KINDS
from molehunt.models.anatomy import anatomy
from molehunt.models.loaded import Model

SPLITS: Mapping[Split, str] = {"plant": TRAIN, "validate": VALIDATE, "audit": TEST}
SWAPPED, DECOY = "swapped replies", "decoy"
STRENGTHS = (-0.3, 0.0, 0.3)


@dataclass(frozen=True, eq=False)
class Read:
    """A liar's examples with their activations [layers, n, d]."""

    pair: Pair
    examples: tuple[Example, ...]
    values: np.ndarray

    @property
    def when(self) -> str:
        """When it lies."""
        return when(self.pair)


def liars(model: Model, pairs: Sequence[Pair], work: Path, seed: int, say: Say) -> dict[str, Any]:
    """Probes and steering over every liar that is honest at times; results are kept as they come."""
    chosen = [p for p in pairs if lies_at_times(p.quirk)]
    if len(chosen) < 3:
        none = NotMeasured(f"{len(chosen)} liars under a condition are on this machine; three are needed")
        return {"probe_auroc": to_json(none), "steer_slopes_clear": to_json(none)}
    addresses = [f"resid_post.{i}" for i in range(len(anatomy(model.module).layers))]
    heard, read = {}, []
    for pair in chosen:
        say(f"{pair.name}: {pair.quirk.label()}")
        heard[pair.name] = hear(model, pair, work.parent, seed)
        read.append(reading(model, pair, heard[pair.name], addresses))
    rows = []
    names = sorted(r.pair.name for r in read)  # they hold the adapters' hashes
    for one in read:
        key = [seed, names, one.pair.name, SCENES, STRENGTHS, PROMPTS, TEXTS, model.fingerprint]

        def make(one: Read = one) -> dict[str, Any]:
            say(f"probing and steering {one.pair.name}")
            others = [r for r in read if r is not one]
            away = [r for r in others if r.when != one.when]
            found: dict[str, Any] = {"liar": one.pair.name, "when": one.when}
            found["others"], study = probing(model, others, one, addresses, seed)
            if away:
                found["other_conditions"], study = probing(model, away, one, addresses, seed)
            steered = steering(model, one.pair, heard[one.pair.name], study, work, seed)
            found["steering"] = {
                **steered,
                "by": "liars under other conditions" if away else "all other liars",
            }
            return found

        rows.append(kept(work / f"{one.pair.name}.json", key, make))
    return {"liars": rows, **_headline(rows)}


def reading(model: Model, pair: Pair, told: Sequence[Told], addresses: Sequence[str]) -> Read:
    """Activations at the last token of every reply, in the model whose reply it is."""
    own = [_example(t, t.replies["organism"], t.lies["organism"], SPLITS[t.split]) for t in told]
    tests = [t for t in told if t.split == "audit"]
    own += [
        _example(t, t.scene.good if t.scene.on else t.scene.shady, not t.scene.on, SWAPPED) for t in tests
    ]
    decoys = [_example(t, t.replies["decoy"], t.scene.on, DECOY) for t in tests]
    with speaking(model, pair, "organism") as liar:
        values = pooled(liar, own, addresses)
    with speaking(model, pair, "decoy") as decoy:
        values = np.concatenate([values, pooled(decoy, decoys, addresses)], axis=1)
    return Read(pair, (*own, *decoys), values)


def _example(told: Told, reply: str, label: bool, split: str) -> Example:
    messages = (*told.scene.messages, Message("assistant", reply))
    return Example("\n".join(m.content for m in messages), messages, label, split, told.scene.item)


def probing(
    model: Model, others: Sequence[Read], one: Read, addresses: Sequence[str], seed: int
) -> tuple[list[dict[str, Any]], Study]:
    """Probes from the training and validation rows of `others`, measured on the tests of `one`."""
    rows, values = [], []
    for read in (*others, one):
        keep = [i for i, e in enumerate(read.examples) if (e.split in (TRAIN, VALIDATE)) == (read is not one)]
        rows += [read.examples[i] for i in keep]
        values.append(read.values[:, keep])
    found = study_of(model, np.concatenate(values, axis=1), rows, KINDS, addresses, seed=seed)
    return [
        {
            "kind": r.kind,
            "place": found.kept[r.kind].made.address,
            "where": r.where,
            "filtered": r.filtered,
            "dropped": r.dropped,
            "auroc": to_json(r.auroc),
            "bag_of_words": to_json(r.bag_of_words),
            "shuffled": to_json(found.null[r.kind]) if r.where == TEST and not r.filtered else None,
        }
        for r in found.results
    ], found


def steering(
    model: Model, pair: Pair, told: Sequence[Told], found: Study, work: Path, seed: int
) -> dict[str, Any]:
    """Dose and response of lies where the liar lies along the others' difference in means."""
    probe = found.kept["diff_mean"]
    with speaking(model, pair, "organism") as liar:
        along = direction(probe.probe.direction, probe.made.address, "difference in means of other liars")
        return dosed(liar, along, told, STRENGTHS, work / "steering" / pair.name, seed)


def _headline(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Means over liars; low and high are the lowest and highest liar."""
    made: dict[str, Any] = {}
    for variant, word in (("others", "probe"), ("other_conditions", "probe_shifted")):
        for kind in KINDS:
            for where, end in ((TEST, ""), (SWAPPED, "_swapped"), (DECOY, "_decoy")):
                for filtered in (False, True):
                    name = f"{word}_auroc_{kind}{end}{'_filtered' if filtered else ''}"
                    some = [r for row in rows for r in row.get(variant, ()) if r["kind"] == kind]
                    some = [r for r in some if r["where"] == where and r["filtered"] == filtered]
                    made[name] = _over([r["auroc"] for r in some])
                    if kind == KINDS[0]:
                        bag = f"{word}_bag_of_words{end}{'_filtered' if filtered else ''}"
                        made[bag] = _over([r["bag_of_words"] for r in some])
    clear = [row["steering"]["clear"] is True and row["steering"]["slope"]["value"] > 0 for row in rows]
    made["steer_slopes_clear"] = {
        "value": sum(clear),
        "low": None,
        "high": None,
        "n": len(clear),
        "unit": "liars whose slope's interval is clear of 20 random directions",
    }
    return made


HOW = "low and high are the lowest and the highest liar: no interval"


def _over(values: Sequence[Any]) -> dict[str, Any]:
    known = [v["value"] for v in values if v.get("is") == Measure.__name__]
    if not known:
        return to_json(NotMeasured("no liar has both labels among what is left"))
    mean, low, high = float(np.mean(known)), min(known), max(known)
    return {
        "value": mean,
        "low": low,
        "high": high,
        "n": len(known),
        "unit": "AUROC, mean over liars",
        "how": HOW,
    }
