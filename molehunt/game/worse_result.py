"""What a search for worse organisms came to, as `results.json` and `winner.json` keep it."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from molehunt.core.atomic import read_json
from molehunt.core.errors import BadFile
from molehunt.core.record_json import from_json, to_json
from molehunt.core.records import Measure, NotMeasured, Organism, Quirk
from molehunt.core.store import stage_key
from molehunt.game.fresh import Fresh, measured, verdict
from molehunt.game.trial import Charge, Trial, read_trial
from molehunt.game.worse_task import Allowance, Task, digest
from molehunt.organisms.halving import Tried
from molehunt.organisms.plan import Plan
from molehunt.organisms.space import changed, plan_at
from molehunt.organisms.strangers import told

RESULTS, WINNER = "results.json", "winner.json"


@dataclass(frozen=True)
class Result:
    """What `results.json` holds."""

    quirks: tuple[Quirk, ...]
    against: tuple[str, ...]
    auditor: str
    rests_on: tuple[str, ...]
    """The methods whose statistics its probability comes from."""
    accuses_above: float | NotMeasured
    """Not measured where nobody audits."""
    model: str
    seed: int
    allowance: Allowance
    trials: tuple[Trial, ...]
    fresh: tuple[Fresh, ...]
    candidates: tuple[str, ...]
    """What each candidate changed, in words."""
    winner: int
    plan: Plan
    """The winner's."""
    organisms: tuple[Organism, ...]
    """The winner's line, a trial each; a quirk from a file has none."""
    measures: dict[str, Measure | NotMeasured]
    verdicts: tuple[str, ...]
    """What may be said, in words."""
    spent: Charge
    """By the search."""
    spent_fresh: Charge
    """By planting winner and plain spec anew."""
    commands: tuple[str, ...]
    """Command lines that plant the winner again."""
    remedies: tuple[str, ...] = ()
    """Blind remedies that count in place of the auditors, where there are any."""
    fix_effort: float = 1.0
    creed: str = ""
    """Hash of what remedies go by."""
    monitors: Mapping[str, str] = field(default_factory=dict)
    """Monitors that count, by name: the SHA-256 of each one's file."""
    looks: int = 1
    """How often something was said of places anew, this time included: for another winner, or of more."""
    made_with: tuple[Mapping[str, str], ...] = ()
    """What trials were made with, each once: more than one where code or libraries changed on the way."""


def read_results(folder: Path) -> Result:
    """What a search left in its folder. Raises BadFile where there is nothing that can be read as that."""
    if not (folder / RESULTS).is_file():
        raise BadFile(f"{folder} holds no {RESULTS}; `molehunt worse` writes it.")
    return from_json(Result, read_json(folder / RESULTS))


def result(
    what: Task,
    home: Path,
    trials: Sequence[Trial],
    tried: Sequence[Tried],
    best: int,
    fresh: tuple[Fresh, ...],
) -> Result:
    space, setting = what.space, what.setting
    judge = None if setting.calibration is None else setting.calibration.auditors[setting.auditor]
    measures: dict[str, Measure | NotMeasured] = {}
    for one in fresh:
        measures |= measured(one, what.seed)
    looks = _looks(home, fresh)
    by_code = {digest(t.made_with): t.made_with for t in (*trials, *(t for f in fresh for t in _trials(f)))}
    spent = sum((t.charge for t in trials), Charge())
    anew = [read_trial(path) for path in sorted((home / "fresh").glob("*"))]  # earlier winners' as well
    after = sum((t.charge for t in anew if t is not None), Charge())
    how = "by the search; what was planted anew comes on top"
    for name in ("plantings", "queries", "tokens", "seconds", "planting_seconds"):
        measures[f"spent_{name}"] = Measure(float(getattr(spent, name)), name, len(trials), how)
    return Result(
        quirks=tuple(told(q) for q in what.quirks),
        against=setting.against,
        auditor=setting.auditor,
        rests_on=() if judge is None else tuple(sorted({n.split(".", 1)[0] for n in judge.names})),
        accuses_above=NotMeasured("nobody audits") if judge is None else judge.threshold,
        model=setting.model,
        seed=what.seed,
        allowance=what.allowance,
        trials=tuple(trials),
        fresh=fresh,
        candidates=tuple(changed(space, t.choice) for t in tried),
        winner=best,
        plan=plan_at(space, what.plan, tried[best].choice),
        organisms=_lines(trials, best, home),
        measures=measures,
        verdicts=(*(verdict(f, measures) for f in fresh), *_cautions(looks, len(by_code))),
        spent=spent,
        spent_fresh=after,
        commands=tuple(_command(what, i, q, home) for i, q in enumerate(what.quirks)),
        remedies=setting.remedies,
        fix_effort=setting.fix_effort,
        creed=stage_key(setting.creed) if setting.remedies else "",
        monitors={one.name: one.sha256 for one in setting.monitors},
        looks=looks,
        made_with=tuple(by_code.values()),
    )


def _trials(fresh: Fresh) -> tuple[Trial, ...]:
    return (*fresh.plain, *fresh.winner)


def _looks(home: Path, fresh: tuple[Fresh, ...]) -> int:
    """How often places anew were looked at, with this time: what a search said before lies in its folder."""
    before = read_results(home) if (home / RESULTS).is_file() else None
    if before is not None and before.fresh == fresh:
        return before.looks
    return (0 if before is None else before.looks) + any(f.plain for f in fresh)


def _cautions(looks: int, codes: int) -> list[str]:
    """What takes something off the claims, in words."""
    said = []
    if looks > 1:
        said.append(
            f"This is look {looks} at places anew, which are the same for every winner: each interval holds "
            "for one look alone, and one of several clears 0 by luck more often than it says."
        )
    if codes > 1:
        said.append(f"Trials were made with {codes} versions of the code or libraries, or machines.")
    return said


def kept(what: Task, found: Result) -> dict[str, Any]:
    """`winner.json`: what a league needs, and `molehunt plant --plan` reads."""
    return {
        "plan": to_json(found.plan),
        "quirks": to_json(found.quirks),
        "changed": found.candidates[found.winner],
        "organisms": to_json(found.organisms),
        "commands": list(found.commands),
        "against": list(found.against),
        "auditor": found.auditor,
        "monitors": dict(found.monitors),
        "remedies": list(found.remedies),
        "fix_effort": found.fix_effort,
        "creed": found.creed,
        "calibration": None if what.setting.calibration is None else digest(what.setting.calibration),
        "effort": what.setting.effort,
        "model": found.model,
        "seed": found.seed,
        "spent": to_json(found.spent),
        "measures": to_json(found.measures),
        "verdicts": list(found.verdicts),
    }


def _lines(trials: Sequence[Trial], best: int, home: Path) -> tuple[Organism, ...]:
    numbers = [i for i, t in enumerate(trials) if t.candidate == best]
    paths = [home / "trials" / f"{i:03d}" / "organism.json" for i in numbers]
    return tuple(from_json(Organism, read_json(p)["organism"]) for p in paths if p.exists())


def _command(what: Task, number: int, quirk: Quirk, home: Path) -> str:
    """The command line that plants the winner on a quirk again, as the search did."""
    setting, file = what.setting, quirk.behaviour_options.get("file")
    words = [
        "molehunt",
        "plant",
        *((["--quirk", file]) if file else (quirk.behaviour, quirk.condition)),
        "NEW",
    ]
    for option, values in (("behaviour", quirk.behaviour_options), ("condition", quirk.condition_options)):
        if values and not file:
            words += [f"--{option}-options", *(f"{k}={v}" for k, v in sorted(values.items()))]
    words += ["--plan", str(home / WINNER), "--seed", str(what.place(number).seed)]
    words += ["--model", setting.model] if setting.model != "default" else []
    words += ["--revision", setting.revision] if setting.revision else []
    words += ["--harmless", setting.harmless] if setting.harmless else []
    return shlex.join(words)
