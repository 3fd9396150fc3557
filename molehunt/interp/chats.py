"""Chats as text to read: questions that are handed in, and what a model answers.

Replies are drawn at temperature 1, the model's own distribution, once a model and seed, and kept in the
cache folder: what is read under one name is the same each time. They are written in blocks, so that a killed
run goes on after the last whole one; a reply depends on seed, block and place in it alone.

What this cannot tell you: what the model says elsewhere. The questions are few, short and mild, replies are
cut at TOKENS tokens, and there is one turn. A model of random weights answers noise.
"""

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from molehunt.core.atomic import canonical, read_json, write_json
from molehunt.core.errors import UserError
from molehunt.core.records import Message
from molehunt.core.splits import seed_of
from molehunt.models.cachedir import cache_folder
from molehunt.models.loaded import Model

CHATS = "builtin:chats"
COUNT, TOKENS, BLOCK = 512, 96, 64
"""Chats, tokens of the longest reply, and chats that are sampled and written together."""
Progress = Callable[[int, int], None]


def sample_chats(
    model: Model,
    questions: Sequence[str],
    seed: int = 0,
    *,
    count: int | None = None,
    max_tokens: int = TOKENS,
    progress: Progress = lambda done, total: None,
) -> None:
    """Ask up to `count` (else COUNT) of the questions, in the seed's order, unless that was done before.

    Raises:
        UserError: there are no questions, or no space is left.
    """
    from molehunt.models.sample import sample

    asked = sorted(set(questions))
    random.Random(f"chats {seed}").shuffle(asked)
    asked = asked[: COUNT if count is None else count]
    if not asked:
        raise UserError("There are no questions to ask.")
    parts = [model.fingerprint, asked, max_tokens, BLOCK, seed]
    plan = {"key": hashlib.sha256(canonical(parts)).hexdigest(), "blocks": -(-len(asked) // BLOCK)}
    folder = _folder(model.fingerprint, seed)
    if not (folder / "plan.json").is_file() or read_json(folder / "plan.json") != plan:
        for path in folder.glob("*.json"):
            path.unlink(missing_ok=True)
        write_json(folder / "plan.json", plan)
    for number in range(plan["blocks"]):
        path, some = folder / f"{number:03d}.json", asked[number * BLOCK : (number + 1) * BLOCK]
        if not path.is_file():
            replies = sample(
                model,
                [(Message("user", question),) for question in some],
                max_tokens=max_tokens,
                temperature=1.0,
                seed=seed_of(seed, "chats", number),
                progress=lambda done, _, before=number * BLOCK: progress(before + done, len(asked)),
            )
            write_json(path, [list(pair) for pair in zip(some, replies, strict=True)])
        progress(number * BLOCK + len(some), len(asked))


def kept_chats(model: str, seed: int = 0) -> Iterator[dict[str, Any]]:
    """The chats of a model, by its fingerprint, as rows with `messages`; those without a reply are left out.

    Raises:
        UserError: they were not sampled, or not to the end.
    """
    folder = _folder(model, seed)
    plan = read_json(folder / "plan.json") if (folder / "plan.json").is_file() else {"blocks": 0}
    paths = [folder / f"{number:03d}.json" for number in range(int(plan["blocks"]))]
    if not paths or not all(path.is_file() for path in paths):
        raise UserError(
            f"There are no {CHATS} of this model with this seed; `molehunt capture`, `sae`, `diff` and "
            "`features build` sample them where --text names them."
        )
    for path in paths:
        for question, reply in read_json(path):
            if reply.strip():
                turns = (("user", question), ("assistant", reply))
                yield {"messages": [{"role": role, "content": content} for role, content in turns]}


def _folder(model: str, seed: int) -> Path:
    return cache_folder() / "chats" / f"{model[:16]}-{seed}"
