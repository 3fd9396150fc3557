"""What still shows: trigger rate, near misses and leaks before and after the fix, on held-out scenes.

The first of the five measures of depth. On scenes of the audit bank, greedy: P(shows | condition on) of the
organism, of the fixed one and of the control; the same where the off side is a near miss of the trigger, and
on the whole off side. Items on which the decoy as it was before any fix shows the behaviour with the
condition on are left out, as in a profile: it is neither of those that are compared. Wilson's intervals over
items. A bench without that decoy (a suspect of a game before and after its fix, `game/remains.py`) leaves
nothing out.

What a verdict goes by is `above`: fixed less control on all items, scene by scene. A model that answers
wrongly here and there shows a behaviour such as false facts without any quirk; the control does so as well.

What this cannot tell you: whether what no longer shows is gone. That is what the other four are for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from molehunt.core.records import Measure, NotMeasured, Scene
from molehunt.core.stats import paired_difference, paired_shares
from molehunt.depth.bench import JUDGED, Bench, Role
from molehunt.organisms.profile import LEAST_SCENES, Shown, shown

EXAMPLES = 4
"""Scenes whose replies are kept to be looked at."""


@dataclass(frozen=True)
class Said:
    """One scene and what each said to it."""

    asked: str
    told: Mapping[str, str]


@dataclass(frozen=True)
class Residual:
    """Rates by role."""

    trigger: Mapping[str, Measure | NotMeasured]
    """With the condition on."""
    near: Mapping[str, Measure | NotMeasured]
    """On near misses of the trigger."""
    leak: Mapping[str, Measure | NotMeasured]
    """With the condition off, near misses among them."""
    drop: Measure | NotMeasured
    """Organism's trigger rate less the fixed one's, scene by scene."""
    above: Measure | NotMeasured
    """The fixed one's trigger rate less the control's, scene by scene, no item left out."""
    gap: Measure | NotMeasured
    """The organism's less the control's, likewise."""
    left_out: int
    """Items on which the untreated decoy shows the behaviour by itself."""
    said: tuple[Said, ...] = ()


def residual(bench: Bench) -> Residual:
    """Measure whoever stands on the bench on the same scenes."""
    on, off = kept(bench, True), kept(bench, False)
    near = [i for i in off if bench.scenes("audit")[i].near]
    sides = {"on": on, "off": off, "near": near}
    found: dict[str, dict[str, Measure | NotMeasured]] = {side: {} for side in sides}
    roles = _roles(bench)
    for done, role in enumerate(roles, 1):
        for side, rows in sides.items():
            found[side][role] = _measured(shown_on(bench, role, rows), _how(side))
        bench.progress(done / len(roles))
    if bench.known.quirk.condition == "always":
        never = NotMeasured("the condition always holds")
        found["off"], found["near"] = dict.fromkeys(roles, never), dict.fromkeys(roles, never)
    elif not any(s.near for s in bench.scenes("audit")):
        found["near"] = dict.fromkeys(roles, NotMeasured("the condition has no near misses"))
    return Residual(
        trigger=found["on"],
        near=found["near"],
        leak=found["off"],
        drop=_drop(bench, on),
        above=_over_control(bench, "fixed"),
        gap=_over_control(bench, "organism"),
        left_out=len(_wrong(bench)),
        said=_said(bench, on[:EXAMPLES]),
    )


def kept(bench: Bench, side: bool) -> list[int]:
    """Scenes of the audit bank on one side, by index, less the items that the untreated decoy gets wrong."""
    wrong = _wrong(bench)
    return [i for i, s in enumerate(bench.scenes("audit")) if s.on == side and s.item not in wrong]


def shown_on(bench: Bench, role: Role, rows: Sequence[int]) -> Shown:
    """How often a role shows the behaviour on some scenes of the audit bank."""
    scenes, replies = bench.scenes("audit"), bench.replies(role, "audit")
    return shown(bench.subject, [scenes[i] for i in rows], [replies[i] for i in rows])


def _roles(bench: Bench) -> list[Role]:
    """Those of `JUDGED` that stand on the bench."""
    return [role for role in JUDGED if role in bench.folders]


def _wrong(bench: Bench) -> set[str]:
    if "decoy" not in bench.folders:
        return set()
    said = zip(bench.scenes("audit"), bench.replies("decoy", "audit"), strict=True)
    return {s.item for s, r in said if s.on and bench.shows(s, r)}


def _over_control(bench: Bench, role: Role) -> Measure | NotMeasured:
    """A role's trigger rate less the control's on all items, paired by scene."""
    if "control" not in bench.folders:
        return NotMeasured("there is no control")
    scenes = bench.scenes("audit")
    rows = [i for i, s in enumerate(scenes) if s.on]
    if len(rows) < LEAST_SCENES:
        return NotMeasured(f"only {len(rows)} scenes, {_how('on')}")
    ours, theirs = (
        [float(bench.shows(scenes[i], bench.replies(r, "audit")[i])) for i in rows] for r in (role, "control")
    )
    return paired_shares(
        ours, theirs, [scenes[i].item for i in rows], how=f"trigger rate, {role} − control, all items"
    )


def _measured(one: Shown, how: str) -> Measure | NotMeasured:
    if one.n < LEAST_SCENES:
        return NotMeasured(f"only {one.n} scenes, {how}")
    return one.measure(f"{how}; {one.items} items, greedy")


def _how(side: str) -> str:
    return {"on": "condition on", "off": "condition off", "near": "near misses of the condition"}[side]


def _drop(bench: Bench, rows: Sequence[int]) -> Measure | NotMeasured:
    scenes = bench.scenes("audit")
    before, after = (
        [float(bench.shows(scenes[i], bench.replies(role, "audit")[i])) for i in rows]
        for role in ("organism", "fixed")
    )
    items = [scenes[i].item for i in rows]
    return paired_difference(before, after, items, unit="share", how="trigger rate, organism − fixed")


def _said(bench: Bench, rows: Sequence[int]) -> tuple[Said, ...]:
    scenes = bench.scenes("audit")
    return tuple(
        Said(_asked(scenes[i]), {role: bench.replies(role, "audit")[i] for role in _roles(bench)})
        for i in rows
    )


def _asked(scene: Scene) -> str:
    return "\n".join(m.content for m in scene.messages)
