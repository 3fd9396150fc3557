"""Dose and response: what a direction does at every strength, beside what random directions do.

Each (direction, strength) is a cell: the behaviour's score on every prompt, and the side effects on ordinary
text, on first tokens, and on tasks: questions of which the log-odds of the right answer against a wrong one
are taken. Cells are written one by one, so a killed run goes on from its last whole cell. The slope is the
least-squares slope of the score against strength, taken prompt by prompt (strengths are the same for all, so
the mean of the slopes is the slope of the mean), with an interval over resampled groups of prompts. The same
is done for random directions of the same length. `clear` says that the slope's interval and the range of
random slopes do not touch, `p` = (1 + random slopes at least as steep) / (1 + random directions).

What this cannot tell you: what lies between or beyond the strengths, or a response that is no line: a
behaviour that rises and then breaks down has a slope that says little. See the curve. With 20 random
directions no p is below 1/21. That a model keeps its tasks says nothing of tasks that are not among them.
"""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor

from molehunt.core import stats
from molehunt.core.atomic import canonical, read_json, write_json
from molehunt.core.errors import RunMismatch, UserError
from molehunt.core.record_json import from_json
from molehunt.core.records import Measure, NotMeasured
from molehunt.interp.behaving import Asked, Behaviour, divergence, first_token_logs, scores, texts_nll
from molehunt.interp.direction import Direction, random_directions
from molehunt.interp.feature_fill import sae_hash
from molehunt.interp.sae_files import SavedSae
from molehunt.interp.steer import Place, steered
from molehunt.interp.taking import Carried
from molehunt.models.loaded import Model


@dataclass(frozen=True)
class Cell:
    """One direction at one strength."""

    direction: str
    strength: float
    scores: tuple[float, ...]
    """Behaviour, a prompt each."""
    replies: tuple[str, ...]
    nll: tuple[float, ...]
    """Nats a token, an ordinary text each."""
    kl: tuple[float, ...]
    """Nats, a prompt each, against the unsteered model."""
    tasks: tuple[float, ...] = ()
    """Log-odds of the right answer against the wrong one, nats, a task each."""


@dataclass(frozen=True)
class Dose:
    """What one strength does."""

    strength: float
    behaviour: Measure | NotMeasured
    nll: Measure | NotMeasured
    nll_change: Measure | NotMeasured
    kl: Measure | NotMeasured
    tasks: Measure | NotMeasured
    """Share of tasks whose right answer is the likelier."""
    tasks_change: Measure | NotMeasured
    """Of their log-odds, steered less unsteered, nats."""


@dataclass(frozen=True)
class Response:
    """The curve of one direction beside random ones."""

    doses: tuple[Dose, ...]
    slope: Measure | NotMeasured
    """Behaviour's unit per unit of strength."""
    random_doses: Mapping[str, tuple[Dose, ...]]
    random_slopes: tuple[float, ...]
    clear: bool | NotMeasured
    p: float | NotMeasured


@dataclass(frozen=True, eq=False)
class Experiment:
    """All that decides what comes out."""

    direction: Direction
    places: tuple[Place, ...]
    strengths: tuple[float, ...]
    prompts: tuple[Asked, ...]
    behaviour: Behaviour
    texts: tuple[str, ...]
    randoms: int = 20
    seed: int = 0
    tasks: tuple[Asked, ...] = ()
    """Questions with their right answers (`toward`) and wrong ones (`away`): what should not get lost."""
    carried: Carried | None = None
    """What is taken away along the direction; None where it is added. Strengths are then shares."""
    watched: SavedSae | None = None
    """An autoencoder whose features are watched (`interp.off_target`)."""
    feature: int | None = None
    """Which of them is steered along, if it is one."""

    @property
    def unit(self) -> str:
        """Of a strength."""
        return "share taken away" if self.carried else "median residual norm"

    def key(self, fingerprint: str) -> str:
        """SHA-256 over everything in it and the model's weights."""
        parts = [
            fingerprint,
            hashlib.sha256(self.direction.vector.tobytes()).hexdigest(),
            self.places,
            self.strengths,
            self.prompts,
            self.behaviour,
            self.texts,
            self.randoms,
            self.seed,
        ]
        if self.tasks or self.carried or self.watched:
            seen = (self.watched.address, sae_hash(self.watched.sae), self.feature) if self.watched else None
            parts.append([self.tasks, self.carried.key if self.carried else None, seen])
        return hashlib.sha256(canonical(parts)).hexdigest()


def run_cells(
    model: Model,
    experiment: Experiment,
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Cell, ...]:
    """Every cell, those found whole in `folder` read and the others computed.

    Raises:
        RunMismatch: the folder holds cells of another experiment.
        UserError: fewer than two strengths, none that is 0, or one that is no number.
    """
    if not all(map(math.isfinite, experiment.strengths)):
        raise UserError("A strength is not a finite number; give ones such as -1, 0 and 1.")
    if len(set(experiment.strengths)) < 2 or 0 not in experiment.strengths:
        raise UserError(
            "Give at least two different strengths, one of them 0, which all others are held against."
        )
    key = experiment.key(model.fingerprint)
    plan = folder / "plan.json"
    if plan.is_file() and read_json(plan) != {"key": key}:
        raise RunMismatch(
            f"{folder} was begun with other settings; choose another folder or the same settings."
        )
    write_json(plan, {"key": key})
    todo = doses_of(experiment)
    before: Float[Tensor, "prompts vocab"] | None = None
    found = []
    for number, (name, direction, strength) in enumerate(todo):
        path = folder / "cells" / f"{name}_{strength!r}.json"
        if path.is_file():
            found.append(from_json(Cell, read_json(path)))
        else:
            if before is None:
                before = first_token_logs(model, [a.messages for a in experiment.prompts])
            found.append(_cell(model, experiment, name, direction, strength, before))
            write_json(path, found[-1])
        progress(number + 1, len(todo))
    return tuple(found)


def doses_of(experiment: Experiment) -> list[tuple[str, Direction, float]]:
    """Every direction at every strength, with the name of its cell: the direction's own, then random ones."""
    at, strengths = experiment.direction.address, sorted(set(experiment.strengths))
    width = len(experiment.direction.vector)
    null = random_directions(width, experiment.randoms, at, experiment.seed)
    own = [("direction", experiment.direction, s) for s in strengths]
    return own + [(f"random{i}", d, s) for i, d in enumerate(null) for s in strengths if s]


def response(experiment: Experiment, cells: Sequence[Cell]) -> Response:
    """Measures of what the cells hold."""
    groups = [a.group for a in experiment.prompts]
    by_name: dict[str, dict[float, Cell]] = {}
    for cell in cells:
        by_name.setdefault(cell.direction, {})[cell.strength] = cell
    zero = by_name["direction"][0.0]
    curves = {n: {**c, 0.0: zero} for n, c in sorted(by_name.items(), key=lambda e: (len(e[0]), e[0]))}
    own = _slopes(curves["direction"])
    unit = f"{experiment.behaviour.unit} per {experiment.unit}"
    most = _steepest(curves["direction"])
    within = (-most, most) if experiment.behaviour.pattern else None
    slope = stats.mean(
        own.tolist(), groups, unit=unit, how="least-squares slope", seed=experiment.seed, within=within
    )
    random = [float(_slopes(c).mean()) for n, c in curves.items() if n != "direction"]
    nothing = NotMeasured("no random directions, or no interval, to hold the slope against")
    clear, p = nothing, nothing
    if random and isinstance(slope, Measure):
        p = (1 + sum(abs(r) >= abs(slope.value) for r in random)) / (1 + len(random))
        if slope.low is not None and slope.high is not None:
            clear = slope.low > max(random) or slope.high < min(random)
    doses = {n: tuple(_dose(c[s], zero, experiment, groups) for s in sorted(c)) for n, c in curves.items()}
    return Response(doses.pop("direction"), slope, doses, tuple(random), clear, p)


def _cell(
    model: Model,
    experiment: Experiment,
    name: str,
    direction: Direction,
    strength: float,
    before: Float[Tensor, "prompts vocab"],
) -> Cell:
    prompts = [a.messages for a in experiment.prompts]
    with steered(model, direction, experiment.places, strength, experiment.carried):
        found, replies = scores(model, experiment.prompts, experiment.behaviour, experiment.seed)
        tasks = scores(model, experiment.tasks, Behaviour())[0] if experiment.tasks else []
        nll = texts_nll(model, experiment.texts)
        now = first_token_logs(model, prompts)
    values = [*found, *nll, *tasks, *(kl := divergence(now, before))]
    if not np.isfinite(values).all():
        raise UserError(
            f"At strength {strength:g} the model's numbers are not finite any more; choose smaller strengths."
        )
    kept = tuple(replies) if name == "direction" else ()
    return Cell(name, strength, tuple(found), kept, tuple(nll), tuple(kl), tuple(tasks))


def _steepest(curve: Mapping[float, Cell]) -> float:
    """The slope of a score that is 0 at all strengths below their mean, and 1 at all above."""
    x = np.array(sorted(curve))
    x = x - x.mean()
    return float(np.maximum(x, 0).sum() / (x @ x))


def _slopes(curve: Mapping[float, Cell]) -> np.ndarray:
    """Least-squares slope [prompts] of score against strength."""
    x = np.array(sorted(curve))
    y = np.array([curve[s].scores for s in sorted(curve)])
    x = x - x.mean()
    return x @ y / (x @ x)


def _dose(cell: Cell, zero: Cell, experiment: Experiment, groups: Sequence[str]) -> Dose:
    seed, texts = experiment.seed, [str(i) for i in range(len(cell.nll))]
    how = experiment.behaviour.words
    if experiment.behaviour.pattern:
        seen = stats.proportion([s > 0 for s in cell.scores], groups, how=how, seed=seed)
    else:
        seen = stats.mean(cell.scores, groups, unit="nats", how=how, seed=seed)
    nll = stats.mean(cell.nll, texts, unit="nats a token", how="mean over ordinary texts", seed=seed)
    change = stats.paired_difference(
        cell.nll, zero.nll, texts, unit="nats a token", how="steered − unsteered", seed=seed
    )
    kl = stats.mean(cell.kl, groups, unit="nats", how="KL of first tokens, steered ‖ unsteered", seed=seed)
    tasks, moved = _tasks(cell, zero, experiment)
    return Dose(cell.strength, seen, nll, change, kl, tasks, moved)


def _tasks(cell: Cell, zero: Cell, experiment: Experiment) -> tuple[Measure | NotMeasured, ...]:
    """Share of tasks answered rightly, and the change of their log-odds."""
    if not cell.tasks:
        return (none := NotMeasured("no tasks were given")), none
    groups, seed = [a.group for a in experiment.tasks], experiment.seed
    how = "tasks whose right answer is likelier than the wrong one, chance 1/2"
    right = stats.proportion([v > 0 for v in cell.tasks], groups, how=how, seed=seed)
    how = "log-odds of right answers, steered − unsteered"
    return right, stats.paired_difference(cell.tasks, zero.tasks, groups, unit="nats", how=how, seed=seed)
