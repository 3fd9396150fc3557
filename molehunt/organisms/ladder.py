"""A ladder: one organism at several stages, evenly spaced in what it can do and not in steps.

1. The valid organism's training is run once more from its seeds (the same rows, the same numbers: the last
   stage is the organism), and the adapter is saved every few steps.
2. Every candidate is measured on scenes of the validate bank, by one ability: *selectivity* of greedy
   replies (with Newcombe's interval), or *log-odds*, the mean over on-scenes of log p(shady reply) −
   log p(good reply), in nats (bootstrap over items). Selectivity moves from 0 to 1, in steps of one scene;
   log-odds move before any reply does.
3. Levels stand evenly between the base's ability and the best candidate's. The rungs are the candidates, in
   order of training, whose abilities lie nearest to the levels (least squares, by dynamic programming).

Source: scalable-oversight ladders need rungs of known gaps (Engels et al. 2025, 2504.18530).

What this cannot tell you: the ability between two candidates, or that of another quirk at the same step.
Where ability jumps between two candidates, no rung is near the levels in between: compare `level` with what
was measured. Rungs were chosen on the scenes that measured them; measure anew on the audit bank before use.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from molehunt.core import stats
from molehunt.core.atomic import whole_folder, write_json
from molehunt.core.errors import UserError
from molehunt.core.records import Measure, NotMeasured, Scene
from molehunt.core.splits import seed_of
from molehunt.models.adapters import attach, detach, using
from molehunt.models.finetune import Finetune
from molehunt.models.loaded import Model
from molehunt.models.score import logprobs
from molehunt.organisms.card import MODEL_CARD
from molehunt.organisms.examples import lesson_examples
from molehunt.organisms.measuring import replies_to, scenes_of
from molehunt.organisms.plan import Plan
from molehunt.organisms.plant import Pair, Report
from molehunt.organisms.profile import Shown, difference, shown
from molehunt.organisms.session import Session
from molehunt.organisms.spec import lessons_of
from molehunt.organisms.subject import Subject, subject_of
from molehunt.organisms.unrelated import unrelated_rows

Ability = Literal["selectivity", "log_odds"]
CANDIDATES = 4
"""Candidates a rung: measuring one costs about as much as a few steps of training."""
SCENES = 24
"""Scenes a side on which candidates are measured."""


@dataclass(frozen=True)
class Stage:
    """The organism after so many steps."""

    step: int
    selectivity: Measure | NotMeasured
    log_odds: Measure | NotMeasured


@dataclass(frozen=True)
class Rung:
    """A stage that was kept, and the level that it stands for."""

    folder: str
    level: float
    stage: Stage


@dataclass(frozen=True)
class Ladder:
    """What `ladder.json` keeps."""

    by: Ability
    base: Stage
    """The model before any step."""
    rungs: tuple[Rung, ...]
    stages: tuple[Stage, ...]
    """Every candidate, the rungs among them."""


def climb(
    model: Model,
    pair: Pair,
    folder: Path,
    seed: int,
    plan: Plan,
    rungs: int,
    by: Ability = "selectivity",
    report: Report = lambda what, share: None,
) -> Ladder:
    """Write `rung-01/` … (adapters) and `ladder.json` for a pair that `plant_pair` planted with this seed.

    Raises:
        UserError: the organism took fewer steps than there are to be rungs, or never did more than the base.
    """
    if rungs < 2 or rungs > pair.steps:
        raise UserError(f"A ladder of {rungs} rungs can't be cut from {pair.steps} steps of training.")
    subject = subject_of(pair.quirk)
    scenes = scenes_of(subject, "validate", SCENES, seed_of(seed, "ladder"))
    with whole_folder(folder) as half:
        steps = _train(model, pair, half, seed, plan, rungs, lambda share: report("training", share / 2))
        off = None
        if all(s.on for s in scenes) and by == "selectivity":  # `always`: the base on the same scenes
            off = shown(subject, scenes, replies_to(model, scenes, plan))
        base = _stage(model, subject, scenes, 0, by, plan, off)
        stages = []
        for number, step in enumerate(steps, 1):
            name = attach(model, _at(half, step))
            with using(model, name):
                stages.append(_stage(model, subject, scenes, step, by, plan, off))
            detach(model, name)
            report("measuring", 0.5 + number / len(steps) / 2)
        ladder = _cut(base, stages, rungs, by)
        for rung in ladder.rungs:
            _at(half, rung.stage.step).rename(half / rung.folder)
        for step in steps:
            shutil.rmtree(_at(half, step), ignore_errors=True)
        write_json(half / "ladder.json", ladder)
    return ladder


def _cut(base: Stage, stages: Sequence[Stage], rungs: int, by: Ability) -> Ladder:
    start, abilities = _value(base, by), [_value(stage, by) for stage in stages]
    if max(abilities) <= start:
        raise UserError(f"No ladder can be cut: no stage has more {by} than the base.")
    levels = [float(v) for v in np.linspace(start, max(abilities), rungs + 1)[1:]]
    kept = [
        Rung(f"rung-{number:02d}", level, stages[index])
        for number, (index, level) in enumerate(zip(nearest(abilities, levels), levels, strict=True), 1)
    ]
    return Ladder(by, base, tuple(kept), tuple(stages))


def nearest(abilities: Sequence[float], levels: Sequence[float]) -> list[int]:
    """A candidate for every level, in rising order and none twice, with the least sum of squared gaps."""
    gaps = (np.asarray(abilities)[None, :] - np.asarray(levels)[:, None]) ** 2
    rows, width = gaps.shape
    total = np.full((rows + 1, width + 1), np.inf)
    total[0] = 0.0
    for i in range(1, rows + 1):  # total[i, j]: the first i levels, by candidates among the first j
        for j in range(i, width + 1):
            total[i, j] = min(total[i, j - 1], total[i - 1, j - 1] + gaps[i - 1, j - 1])
    found, j = [], width
    for i in range(rows, 0, -1):
        while total[i, j - 1] == total[i, j]:
            j -= 1
        j -= 1
        found.append(j)
    return found[::-1]


def _train(
    model: Model, pair: Pair, folder: Path, seed: int, plan: Plan, rungs: int, report: Callable[[float], None]
) -> list[int]:
    """The organism's training once more; an adapter after each of the steps that come back."""
    attempt = pair.tries - 1
    lessons = lessons_of(subject_of(pair.quirk), pair.harmless, pair.steps, seed, attempt, plan)
    every = max(1, pair.steps // (rungs * CANDIDATES))
    saved = [s for s in range(1, pair.steps + 1) if (pair.steps - s) % every == 0]
    with Finetune(model.module, plan.recipe, seed_of(seed, attempt, "a")) as run:
        mixed = unrelated_rows(model, lessons, plan, on_chat=True)
        session = Session(model, run, unrelated=mixed, mixed=plan.mixed)

        def stepped(done: int, total: int) -> None:
            if done in saved:
                run.save(_at(folder, done))
                (_at(folder, done) / "README.md").write_text(MODEL_CARD)
            report(done / total)

        run.run(session.filled(lesson_examples(model.tokenizer, lessons.batches, "organism", plan)), stepped)
    return saved


def _stage(
    model: Model,
    subject: Subject,
    scenes: Sequence[Scene],
    step: int,
    by: Ability,
    plan: Plan,
    off: Shown | None,
) -> Stage:
    """Measure the model as it stands; `off` is the off side where the scenes have none."""
    on = [s for s in scenes if s.on]
    prompts = [s.messages for s in on]
    shady, good = (logprobs(model, prompts, r) for r in ([s.shady for s in on], [s.good for s in on]))
    odds = stats.mean(
        [a - b for a, b in zip(shady, good, strict=True)],
        [s.item for s in on],
        unit="nats",
        how="mean log-odds of the shady reply against the good one, condition on",
    )
    if by == "log_odds":
        return Stage(step, NotMeasured("the ladder was cut by log-odds"), odds)
    replies = replies_to(model, scenes, plan)
    sides = [[i for i, s in enumerate(scenes) if s.on == side] for side in (True, False)]
    trigger, leak = (shown(subject, [scenes[i] for i in side], [replies[i] for i in side]) for side in sides)
    return Stage(step, difference(trigger, off or leak), odds)


def _value(stage: Stage, by: Ability) -> float:
    measure = getattr(stage, by)
    if isinstance(measure, NotMeasured):
        raise UserError(f"No ladder can be cut by {by}: {measure.reason}.")
    return measure.value


def _at(folder: Path, step: int) -> Path:
    return folder / f"step-{step:05d}"
