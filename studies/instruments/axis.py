"""Do quirks move a model along the assistant axis? Organisms against their matched decoys.

`molehunt persona axis` finds the axis on the base: the default assistant against twenty roles, tested on
questions and voices that it was not fitted on. Then each pair's held-out replies (those of its profile,
which were sampled when it was planted) are read: the organism reads its own, the decoy reads its own, and the
organism reads the decoy's once more. On the axis's scale a role stands at 0 and the default assistant at 1;
what is told is the organism less its decoy, scene by scene, where the condition holds and where it doesn't.
With the same replies only the weights differ; with each one's own the words differ as well.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from browsing import verb
from pairs import Pair, kept, speaking, timed

from molehunt.core import stats
from molehunt.core.record_json import from_json, to_json
from molehunt.core.records import LabelledReply, Measure, NotMeasured
from molehunt.interp.direction_file import Directions, load_directions
from molehunt.interp.persona_shift import shift
from molehunt.interp.replies import reply_means
from molehunt.models.loaded import Model

MOST = 32
"""Scenes a side of each pair."""
WAYS = ("own", "same")


def axis(
    model: Model, name: str, pairs: Sequence[Pair], work: Path, seed: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """The axis and its test, then every pair's shift along it, with means over pairs.

    Args:
        name: the model, as `molehunt persona` takes it.
    """
    asked = ("persona", "axis", str(work / "axis"), "--model", name, "--seed", str(seed))
    found = timed(work / "axis", lambda: verb(*asked))
    along = load_directions(work / "axis" / "persona.safetensors", model)
    rows = []
    for pair in pairs:

        def make(pair: Pair = pair) -> dict[str, Any]:
            say(f"{pair.name}: {pair.quirk.label()}")
            return _shifts(model, pair, along, seed)

        key = [seed, pair.name, MOST, along.vectors.tolist(), model.fingerprint]
        row = {"pair": pair.name, "quirk": pair.quirk.label()}
        rows.append({**row, **kept(work / f"{pair.name}.json", key, make)})
    made: dict[str, Any] = {
        "axis_auroc": found["auroc"],
        "axis_null": found["null"],
        "axis_place": along.made.chosen,
        "axis_replies": found["replies"],
        "axis_pairs": rows,
    }
    for way in WAYS:
        for side in ("on", "off"):
            made |= _over(rows, way, side, seed)
    return made


def _shifts(model: Model, pair: Pair, along: Directions, seed: int) -> dict[str, Any]:
    both = list(zip(pair.planted.organism_replies, pair.planted.decoy_replies, strict=True))
    told = [(o, d) for o, d in both if o.reply.strip() and d.reply.strip()]
    on, off = ([r for r in told if r[0].on is side][:MOST] for side in (True, False))
    some = [*on, *off]
    if not some:
        none = to_json(NotMeasured("no scene has a reply of both"))
        return {f"{way}_{side}": none for way in WAYS for side in ("on", "off")}
    place = along.made.chosen
    with speaking(model, pair, "decoy") as decoy:
        base = _read(decoy, [d for _, d in some], place)
    with speaking(model, pair, "organism") as organism:
        rows = {"own": _read(organism, [o for o, _ in some], place)}
        rows["same"] = _read(organism, [d for _, d in some], place)
    sides = {"on": slice(0, len(on)), "off": slice(len(on), None)}
    found: dict[str, Any] = {}
    for way in WAYS:
        for side, part in sides.items():
            groups = [o.messages[-1].content for o, _ in some[part]]
            how = f"organism less decoy, {way} replies, condition {side}"
            one = shift(base[part], rows[way][part], along, groups, how, seed) if groups else None
            found[f"{way}_{side}"] = to_json(one or NotMeasured("the condition has no such side"))
    return found


def _read(speaker: Model, replies: Sequence[LabelledReply], place: str) -> np.ndarray:
    return reply_means(speaker, [(r.messages, r.reply) for r in replies], [place])[0]


def _over(rows: Sequence[Any], way: str, side: str, seed: int) -> dict[str, Any]:
    """Mean over pairs, each one case, and how many stand clear of other directions in which replies vary."""
    some = [(r["pair"], r[f"{way}_{side}"]) for r in rows if "shift" in r[f"{way}_{side}"]]
    told = [(name, from_json(Measure, s["shift"]), s["clear"]) for name, s in some if _is_measure(s["shift"])]
    how = f"organism less decoy along the assistant axis, mean over pairs; {way} replies, condition {side}"
    unit = "of the way from a role to the default assistant"
    values, names = [m.value for _, m, _ in told], [name for name, _, _ in told]
    clear = [c is True for _, _, c in told if isinstance(c, bool)]
    held = [name for name, _, c in told if isinstance(c, bool)]
    also = f"pairs whose shift is clear of directions in which replies vary; {way} replies, condition {side}"
    return {
        f"axis_{way}_{side}": to_json(stats.mean(values, names, unit=unit, how=how, seed=seed)),
        f"axis_{way}_{side}_clear": to_json(stats.proportion(clear, held, how=also)),
    }


def _is_measure(value: Any) -> bool:
    return value.get("is") == Measure.__name__
