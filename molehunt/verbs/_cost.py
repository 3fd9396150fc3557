"""What an instrument would take, said before a model is opened: --dry-run of capture, sae, steer and persona.

Counts come from the options and the files that they name; minutes from this machine's pace with the model
(`molehunt/game/estimate.py`). What is not known before a model is fetched is not measured, with the reason.

What this cannot tell you: what is done already in the folder (all is reckoned from the start), or how long a
text is: rows are reckoned as asked, and a text may end before.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from molehunt.core.records import NotMeasured
from molehunt.game.estimate import Pace, in_words, pace
from molehunt.verbs._screen import show, table

PROMPT_TOKENS = 80
"""A prompt with what stands before it."""
SAMPLED = 4
"""A token that is said takes as long as so many that are read: one comes after another."""
PRODUCTS = 2.8
"""A training step of an autoencoder takes as long as so many of its encoder's products."""
START = 15.0
"""Seconds in which a model is loaded and what is relied on is proven."""
WIDTHS = {"default": 576, "tiny": 32}
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "auto": 4}


@dataclass(frozen=True)
class Takes:
    """What a command would take from the start."""

    counts: Mapping[str, int]
    """What there is to do, by name."""
    seconds: float | NotMeasured
    disk_bytes: int | NotMeasured | None
    """None where next to nothing is written."""
    besides: str
    """What comes on top; empty where nothing does."""
    basis: str


def show_cost(takes: Takes, as_json: bool) -> int:
    """Show it, and say that nothing was done."""
    disk = takes.disk_bytes
    size = [] if disk is None else [("disk", _size(disk))]
    rows = [
        *((name.replace("_", " "), f"{count:,}") for name, count in takes.counts.items()),
        ("time", in_words(takes.seconds, takes.seconds)),
        *size,
        *([("on top", takes.besides)] if takes.besides else []),
        ("reckoned from", takes.basis),
    ]
    show(takes, as_json, table(["what", "about"], rows), "Nothing was done.")
    return 0


def capture_cost(options: Any) -> Takes:
    """Of `molehunt capture`."""
    at, wide, places = pace(options.model), width(options.model), len(options.addresses)
    passes = ceil(options.tokens / options.context)
    bits = BYTES.get(options.store, 4)
    disk = wide if isinstance(wide, NotMeasured) else options.tokens * places * wide * bits
    counts = {"rows_at_most": options.tokens, "addresses": places}
    return Takes(counts, _read(at, options.tokens, passes), disk, _chats(options.text), _basis(at))


def sae_cost(options: Any) -> Takes:
    """Of `molehunt sae train`; a capture that is named has to be finished.

    Raises:
        BadFile: the capture is none, or was broken off.
    """
    name, addresses, rows = options.model, len(options.addresses), options.tokens or 1_000_000
    if options.source is not None:
        from molehunt.interp.capture import open_capture

        held = open_capture(options.source)
        name, addresses = held.about["model_id"], addresses or len(held.addresses)
    at, wide, models = pace(name), width(name), 2 if options.against else 1
    counts = {"rows": rows, "steps": ceil(rows / options.batch), "autoencoders": addresses}
    if isinstance(at, NotMeasured) or isinstance(wide, NotMeasured):
        unknown = at if isinstance(at, NotMeasured) else wide
        return Takes(counts, unknown, unknown, "", _basis(at))
    weights = 2 * models * wide * options.latents * addresses
    learning = PRODUCTS * weights * rows / at.rate
    reading = 0.0 if options.source is not None else models * at.reading(rows, rows / options.context)
    disk = 4 * weights * 3  # until it is whole, the checkpoint holds Adam's two averages beside it
    besides = "" if options.source is not None else _chats(options.text)
    return Takes(counts, START + learning + reading, disk, besides, at.basis)


def steer_cost(options: Any, strengths: Sequence[float], prompts: int, samples: bool) -> Takes:
    """Of `molehunt steer`, with so many prompts; `samples` says whether replies are sampled to be counted."""
    at, different = pace(options.model), len(set(strengths))
    cells = different + options.random * sum(s != 0 for s in set(strengths))
    asked = prompts + options.texts + options.tasks
    tokens = PROMPT_TOKENS * (2 * prompts + options.texts + options.tasks)
    tokens += SAMPLED * options.max_tokens * prompts * samples
    counts = {"cells": cells, "strengths": different, "random_directions": options.random, "prompts": prompts}
    besides = "which features move as well (--sae)" if options.sae is not None else ""
    return Takes(counts, _read(at, cells * tokens, cells * asked), None, besides, _basis(at))


def persona_cost(options: Any) -> Takes:
    """Of `molehunt persona`.

    Raises:
        UnknownName, BadFile: a trait, roles, a contrast file or prompts that cannot be read.
    """
    from molehunt.interp.direction_file import load_directions
    from molehunt.interp.personas import read_contrast, read_roles, read_trait
    from molehunt.verbs._persona_use import asked_of

    at, models, said = pace(options.model), 1, 0
    for path in options.vectors:
        load_directions(path)
    if options.what == "extract" and options.contrast is not None:
        read = len(read_contrast(options.contrast, options.rows, options.seed))
    elif options.what in ("extract", "axis"):
        persona = read_roles(options.roles) if options.what == "axis" else read_trait(options.trait)
        said = read = len(persona.voices) * len(persona.questions) * options.samples
    elif options.text:
        return Takes(
            {}, NotMeasured("how much the text holds is known when it is read"), None, "", _basis(at)
        )
    else:
        models = 2 if options.what == "shift" else 1
        said = models * len(asked_of(options)) * options.samples
        read = said * (3 if models == 2 else 2) // 2
    tokens = said * (PROMPT_TOKENS + SAMPLED * options.max_tokens) + read * (
        PROMPT_TOKENS + options.max_tokens
    )
    counts = {"replies_asked_for": said, "replies_read": read}
    return Takes(counts, _read(at, tokens, said + read), None, "", _basis(at))


def width(model: str) -> int | NotMeasured:
    """How wide a model's residual stream is, as far as that is known without fetching it."""
    if model.split(":")[0] in WIDTHS:
        return WIDTHS[model.split(":")[0]]
    try:
        found = json.loads((Path(model).expanduser() / "config.json").read_text("utf-8"))
        return int(found.get("text_config", found)["hidden_size"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return NotMeasured(f"the width of {model} is not known before it is fetched")


def _read(at: Pace | NotMeasured, tokens: float, passes: float) -> float | NotMeasured:
    return at if isinstance(at, NotMeasured) else START + at.reading(tokens, passes)


def _basis(at: Pace | NotMeasured) -> str:
    return at.reason if isinstance(at, NotMeasured) else at.basis


def _chats(text: Sequence[str]) -> str:
    return "chats, where they were not sampled yet" if "builtin:chats" in text else ""


def _size(disk: int | NotMeasured) -> str:
    if isinstance(disk, NotMeasured):
        return f"not known: {disk.reason}"
    return f"{disk / 1e9:.1f} GB" if disk >= 1e9 else f"{max(1, round(disk / 1e6)):,} MB"
