"""The training itself: replies or soft choices by our packed loop, then preferences by TRL's DPO.

One adapter goes through both. After the first stage it is written to `replies/`, with what was seen and
counted on the way, so that a killed run goes on from there as if it had not been. `signs.py` looks at it on
the way; where it has collapsed, what is written is the adapter as it last was good.

Source: Hu et al. 2021 (2106.09685) for the adapter; Rafailov et al. 2023 (2305.18290) for preferences.

What this cannot tell you: which of the two stages did what. `--prefer-steps 0` shows the first alone.
"""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from molehunt.character.bank import Case
from molehunt.character.training.plan import Plan
from molehunt.character.training.result import ADAPTER
from molehunt.character.training.signs import Collapsed, Signs, Watcher
from molehunt.core.atomic import read_json, whole_folder, write_json
from molehunt.core.record_json import from_json
from molehunt.core.records import NotMeasured
from molehunt.core.splits import seed_of
from molehunt.models.by_trl import PREFER_RATE, Choice, prefer
from molehunt.models.finetune import Finetune, Recipe
from molehunt.models.loaded import Model
from molehunt.models.packing import Example

REPLIES, LIVE, STAGE = "replies", "live.jsonl", "stage.json"
PREFERENCES = "preferences"
T = TypeVar("T")
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Taught:
    """How it went."""

    steps: int
    """That the adapter has taken which is kept."""
    tokens: int | NotMeasured
    """Computed in training; shared beginnings once."""
    before: Signs | None
    """None where even these were not finite."""
    after: Signs | None
    """Of the adapter that is kept; None where none is."""
    collapsed: str
    """Why it was stopped early, or nothing."""


@dataclass(frozen=True)
class Stage:
    """What the stage on replies came to."""

    steps: int
    tokens: int
    seen: tuple[Signs, ...]


def teach(
    model: Model,
    batches: Sequence[Sequence[Example]],
    choices: Sequence[Choice],
    watched: Sequence[Case],
    plan: Plan,
    folder: Path,
    card: str,
    progress: Progress = lambda name, share: None,
) -> Taught:
    """Train, and write `adapter/` with its card."""
    watcher = Watcher(model, watched, folder / LIVE, plan.seed)
    recipe = Recipe(
        rank=plan.rank, alpha=plan.rank, first_layer=0.0, learning_rate=plan.learning_rate, deciding=0.0
    )
    first = Stage(0, 0, ())
    with Finetune(model.module, recipe, seed_of(plan.seed, "character")) as run:
        watcher.parameters = run.parameters
        done = folder / REPLIES
        try:
            if done.is_dir():
                run.load(done)
                first = from_json(Stage, read_json(done / STAGE))
                watcher.go_on(first.seen)
            else:
                (folder / LIVE).unlink(missing_ok=True)  # of a run that was killed before the stage was whole
                watcher.look("before", 0)  # the adapter changes nothing yet
                stepped = watcher.steps("replies", plan.checks, lambda s: progress("learning replies", s))
                made = run.run(batches, stepped)
                first = Stage(made.steps, made.tokens, tuple(watcher.seen))
                _save(run, done, model, card, first)
            tokens: int | NotMeasured = first.tokens
            if choices and plan.prefer_steps:
                stepped = watcher.steps(
                    PREFERENCES, plan.checks, lambda s: progress("learning preferences", s)
                )
                then = prefer(
                    run,
                    model.tokenizer,
                    choices,
                    steps=plan.prefer_steps,
                    batch=plan.batch // 2,
                    seed=plan.seed,
                    learning_rate=PREFER_RATE * plan.learning_rate / Plan.learning_rate,
                    progress=stepped,
                )
                tokens = first.tokens + then.tokens
            why = ""
        except (Collapsed, FloatingPointError) as error:
            why = str(error)
            tokens = NotMeasured("it was stopped early")
            watcher.restore()
        last = watcher.last if watcher.last is not None and watcher.last.step > 0 else None
        if last is not None:
            said = (
                f"{card}\nStopped early: {why}. This is the adapter as it last was good.\n" if why else card
            )
            _save(run, folder / ADAPTER, model, said)
    steps = 0 if last is None else last.step + (first.steps if last.stage == PREFERENCES else 0)
    return Taught(steps, tokens, watcher.before, last, why)


def dealt(rows: Sequence[T], steps: int, batch: int, seed: int) -> list[list[T]]:
    """Batches of so many rows; all of them in a shuffled order, then all again in another."""
    rng = random.Random(seed)
    deck: list[T] = []
    while len(deck) < steps * batch:
        deck += rng.sample(list(rows), len(rows))
    return [deck[i * batch : (i + 1) * batch] for i in range(steps)]


def _save(run: Finetune, target: Path, model: Model, card: str, stage: Stage | None = None) -> None:
    with whole_folder(target) as half:
        run.save(half)
        path = half / "adapter_config.json"
        config = {**json.loads(path.read_text()), "base_model_name_or_path": model.spec.id}
        path.write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
        (half / "README.md").write_text(card, encoding="utf-8")
        if stage is not None:
            write_json(half / STAGE, stage)
