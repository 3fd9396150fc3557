"""The training itself: replies or soft choices by our packed loop, then preferences by TRL's DPO.

One adapter goes through both. After the first stage it is written to `replies/`, so that a killed run goes
on from there. `signs.py` looks at it on the way; where it has collapsed, what is written is the adapter as
it last was good.

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
from molehunt.core.atomic import whole_folder
from molehunt.core.splits import seed_of
from molehunt.models.by_trl import PREFER_RATE, Choice, prefer
from molehunt.models.finetune import Finetune, Recipe
from molehunt.models.loaded import Model
from molehunt.models.packing import Example

REPLIES, LIVE = "replies", "live.jsonl"
T = TypeVar("T")
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Taught:
    """How it went."""

    steps: int
    tokens: int
    """Computed in training; shared beginnings once."""
    losses: tuple[float, ...]
    signs: tuple[Signs, ...]
    collapsed: str
    """Why it was stopped early, or nothing."""
    kept: bool
    """Whether an adapter was kept."""


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
    losses: list[float] = []
    steps = tokens = 0
    with Finetune(model.module, recipe, seed_of(plan.seed, "character")) as run:
        watcher.parameters = run.parameters
        done = folder / REPLIES
        try:
            watcher.look("before", 0)  # the adapter changes nothing yet
            if done.is_dir():
                run.load(done)
            else:
                stepped = watcher.steps("replies", plan.checks, lambda s: progress("learning replies", s))
                first = run.run(batches, stepped)
                losses, steps, tokens = [*first.losses], first.steps, first.tokens
                _save(run, done, model, card)
            if choices and plan.prefer_steps:
                stepped = watcher.steps(
                    "preferences", plan.checks, lambda s: progress("learning preferences", s)
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
                losses, steps, tokens = [*losses, *then.losses], steps + then.steps, tokens + then.tokens
            why = ""
        except (Collapsed, FloatingPointError) as error:
            why = str(error)
            watcher.restore()
        last = next((s for s in reversed(watcher.seen) if not why or s is not watcher.seen[-1]), None)
        kept = not why or (last is not None and last.step > 0)
        if kept:
            said = (
                f"{card}\nStopped early: {why}. This is the adapter as it last was good.\n" if why else card
            )
            _save(run, folder / ADAPTER, model, said)
    return Taught(steps, tokens, tuple(losses), tuple(watcher.seen), why, kept)


def dealt(rows: Sequence[T], steps: int, batch: int, seed: int) -> list[list[T]]:
    """Batches of so many rows; all of them in a shuffled order, then all again in another."""
    rng = random.Random(seed)
    deck: list[T] = []
    while len(deck) < steps * batch:
        deck += rng.sample(list(rows), len(rows))
    return [deck[i * batch : (i + 1) * batch] for i in range(steps)]


def _save(run: Finetune, target: Path, model: Model, card: str) -> None:
    with whole_folder(target) as half:
        run.save(half)
        path = half / "adapter_config.json"
        config = {**json.loads(path.read_text()), "base_model_name_or_path": model.spec.id}
        path.write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
        (half / "README.md").write_text(card, encoding="utf-8")
