"""What makes a liar lie, as a direction: does it push an honest model to lie about something else?

The direction by which a probe *reads* lies stands at a reply's end, where the lie is told already. This one
stands where the reply is decided, at the last token of the prompt: what training changed there, liar minus
its decoy, on questions where it lies less the same elsewhere; the mean over all other liars, each at length
one. It is added to the *decoy* of a liar that gave nothing to it: that decoy had the same questions,
and answers them rightly. The place was fixed in advance: the middle layer, where the autoencoder stands.
Two directions: of all other liars (some share the condition), and of liars under other conditions alone.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from dosing import PROMPTS, dosed
from hearing import Say, Told, hear, lies_at_times, when
from pairs import Pair, kept, speaking

from molehunt.core.record_json import to_json
from molehunt.core.records import NotMeasured
from molehunt.interp.direction import direction
from molehunt.interp.labelled import TRAIN, Example
from molehunt.interp.pooled import pooled
from molehunt.models.anatomy import anatomy
from molehunt.models.loaded import Model

STRENGTHS = (-0.5, -0.25, 0.0, 0.25, 0.5)


def pushing(model: Model, pairs: Sequence[Pair], work: Path, seed: int, say: Say) -> dict[str, Any]:
    """Dose and response of lies in every liar's decoy; each is kept as it comes."""
    chosen = [p for p in pairs if lies_at_times(p.quirk)]
    conditions = {when(p) for p in chosen}
    if len(chosen) < 3 or len(conditions) < 2:
        none = NotMeasured(
            f"{len(chosen)} liars under {len(conditions)} conditions are on this machine; "
            "3 under 2 are needed"
        )
        return {"push_slopes_clear": to_json(none), "push_slopes_clear_other_conditions": to_json(none)}
    address = f"resid_post.{max(0, len(anatomy(model.module).layers) // 2 - 1)}"
    heard, changed = {}, {}
    for pair in chosen:
        say(f"{pair.name}: {pair.quirk.label()}")
        heard[pair.name] = hear(model, pair, work.parent, seed)
        changed[pair.name] = decision(model, pair, heard[pair.name], address)
    rows = []
    for pair in chosen:
        others = {"others": [p for p in chosen if p is not pair]}
        others["other_conditions"] = [p for p in others["others"] if when(p) != when(pair)]
        for by, some in others.items():
            if not some:
                continue
            key = [seed, pair.name, [p.name for p in some], address, STRENGTHS, PROMPTS, model.fingerprint]
            where = work / by / pair.name

            def make(
                pair: Pair = pair, some: Sequence[Pair] = some, by: str = by, where: Path = where
            ) -> dict[str, Any]:
                say(f"pushing the decoy of {pair.name} by {by}")
                vector = np.mean([changed[p.name] for p in some], axis=0)
                along = direction(vector, address, "what training changed where other liars decide")
                with speaking(model, pair, "decoy") as honest:
                    made = dosed(honest, along, heard[pair.name], STRENGTHS, where, seed)
                return {"liar": pair.name, "when": when(pair), "by": by, "from": len(some), **made}

            rows.append(kept(work / f"{by}-{pair.name}.json", key, make))
    return {
        "pushes": rows,
        "push_slopes_clear": _clear([r for r in rows if r["by"] == "others"]),
        "push_slopes_clear_other_conditions": _clear([r for r in rows if r["by"] == "other_conditions"]),
    }


def decision(model: Model, pair: Pair, told: Sequence[Told], address: str) -> np.ndarray:
    """What training changed at the last prompt token, where it lies less elsewhere [d], at length one."""
    some = [t for t in told if t.split == "plant" and t.lies["organism"] == t.scene.on]
    examples = [Example("", t.scene.messages, t.scene.on, TRAIN, t.scene.item) for t in some]
    seen = {}
    for part in ("organism", "decoy"):
        with speaking(model, pair, part) as speaker:
            seen[part] = pooled(speaker, examples, [address])[0]
    moved, on = seen["organism"] - seen["decoy"], np.array([t.scene.on for t in some])
    apart = moved[on].mean(0) - moved[~on].mean(0)
    return apart / np.linalg.norm(apart)


def _clear(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "value": sum(r["clear"] is True and r["slope"]["value"] > 0 for r in rows),
        "low": None,
        "high": None,
        "n": len(rows),
        "unit": "decoys of liars whose slope's interval rises clear of 20 random directions",
    }
