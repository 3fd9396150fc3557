"""What a match came to: every round, the measures over all of them with intervals, what each side spent."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from molehunt.core import stats
from molehunt.core.atomic import read_json
from molehunt.core.errors import BadFile
from molehunt.core.record_json import from_json
from molehunt.core.records import Measure, NotMeasured
from molehunt.game.match_task import Task, spent
from molehunt.game.round import Round
from molehunt.game.trial import Charge
from molehunt.game.worse_task import Allowance

RESULTS = "results.json"
Measures = dict[str, Measure | NotMeasured]


@dataclass(frozen=True)
class Result:
    """What `results.json` holds."""

    model: str
    red: str
    blue: str
    remedies: tuple[str, ...]
    methods: tuple[str, ...]
    seed: int
    rounds: tuple[Round, ...]
    ended: str
    """Why no further round was played."""
    measures: dict[str, Measure | NotMeasured]
    by_round: tuple[dict[str, Measure | NotMeasured], ...]
    by_remedy: dict[str, dict[str, Measure | NotMeasured]]
    spent_red: Charge
    spent_blue: Charge
    red_allowance: Allowance
    blue_allowance: Allowance


def read_result(folder: Path) -> Result:
    """What a match left in its folder. Raises BadFile where there is nothing that can be read as that."""
    if not (folder / RESULTS).is_file():
        raise BadFile(f"{folder} holds no {RESULTS}; `molehunt match` writes it.")
    return from_json(Result, read_json(folder / RESULTS))


def result(what: Task, rounds: Sequence[Round], ended: str) -> Result:
    """Put together; a pure function of the rounds."""
    red, blue = spent(rounds)
    seed = what.game.seed
    had = [n for n in what.remedies if any(r.remedy == n for r in rounds)]
    return Result(
        model=what.game.model,
        red=what.red,
        blue=what.blue,
        remedies=what.remedies,
        methods=what.game.methods,
        seed=seed,
        rounds=tuple(rounds),
        ended=ended,
        measures=measured(rounds, seed),
        by_round=tuple(measured([r], seed) for r in rounds),
        by_remedy={n: measured([r for r in rounds if r.remedy == n], seed) for n in had},
        spent_red=red,
        spent_blue=blue,
        red_allowance=what.red_allowance,
        blue_allowance=what.blue_allowance,
    )


def measured(rounds: Sequence[Round], seed: int = 0) -> Measures:
    """Of organisms and decoys: share accused, how often what was planted shows, before and after the fix.

    Over several rounds these are the clusters, for one spec and one remedy belong to a round; within one
    round the suspects are.
    """
    found: Measures = {}
    for shady, who in ((True, "organisms"), (False, "decoys")):
        some = [(str(r.number), s) for r in rounds for s in r.stood if s.shady is shady]
        if len(rounds) == 1:
            some = [(s.suspect, s) for _, s in some]
        found[f"{who}_accused_before"] = _share([(c, s.accused) for c, s in some if s.first is not None], who)
        after = [(c, s) for c, s in some if s.second is not None]
        found[f"{who}_accused_after"] = _share([(c, s.accused_again) for c, s in after], who)
        found[f"{who}_show_before"] = _rate([(c, s.showed) for c, s in some], who, seed)
        found[f"{who}_show_after"] = _rate([(c, s.shows) for c, s in some], who, seed)
    ratios = [(str(r.number), s.nll) for r in rounds for s in r.stood]
    found["nll_ratio"] = _rate(ratios, "NLL of ordinary text, after over before", seed, "ratio")
    found["lost_rounds"] = Measure(
        float(sum(bool(r.lost) for r in rounds)), "rounds", len(rounds), "red could plant nothing valid"
    )
    return found


def _share(rows: Sequence[tuple[str, bool]], who: str) -> Measure | NotMeasured:
    if not rows:
        return NotMeasured(f"no {who} were judged")
    return stats.proportion([v for _, v in rows], [c for c, _ in rows], how=f"{who} accused")


def _rate(
    rows: Sequence[tuple[str, Measure | NotMeasured]], who: str, seed: int, unit: str = "share"
) -> Measure | NotMeasured:
    found = [(c, m) for c, m in rows if isinstance(m, Measure)]
    where = [c for c, _ in found]
    if unit == "share":
        how = f"rate of what was planted on held-out scenes, {who}"
        return stats.mean_of_rates([m for _, m in found], where, how=how, seed=seed)
    return stats.mean([m.value for _, m in found], where, unit=unit, how=who, seed=seed)
