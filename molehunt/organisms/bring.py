"""From files that people have to quirks that can be planted: one a file, checked before any step is paid.

    scenes (.jsonl) ─────────┐
    contrast file (.jsonl) ──┼─► a line at a time ─► replies told apart ─► enough held out ─► NAME.json
    stranger's quirk (.json) ┘          └─────────────────┴─► failures.jsonl

What this cannot tell you: whether a model learns it. `molehunt plant --quirk` measures that.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from molehunt.catalogue.options import resolve
from molehunt.catalogue.scenes import staged
from molehunt.core.atomic import whole_folder, write_json, write_jsonl
from molehunt.core.errors import BadFile, UnknownName, UserError
from molehunt.core.extend import load, names
from molehunt.core.kinds import Condition, Draft
from molehunt.core.pattern import compiled
from molehunt.core.records import Failure, Quirk, Scene, Split
from molehunt.core.splits import seed_of
from molehunt.models.prompts import prompt_ids, reply_text, text_ids
from molehunt.organisms import brought, likeness, strangers
from molehunt.organisms.learnable import LEAST_ITEMS
from molehunt.organisms.scene_lines import Gathered, Placed, gather, lines_of, row_of
from molehunt.organisms.subject import subject_of

NEEDED: Mapping[Split, int] = {"plant": 16, "validate": 4, "audit": LEAST_ITEMS}
"""Distinct questions a side in each bank."""
SHARE: Mapping[Split, float] = {"plant": 8 / 16, "validate": 3 / 16, "audit": 5 / 16}
"""Of all questions, by their hash (`core/splits.py`)."""
MOST_PROMPT_TOKENS = 1024
"""Tokens of a prompt: a training step reads eight of them in one pass."""
TRIED = 200
"""Scenes a side that are composed to see whether a condition can be laid on them."""
FAILURES = "failures.jsonl"

Report = Callable[[str, float], None]
"""Told the name of a file and the share of all files that is read."""


@dataclass(frozen=True)
class Wish:
    """What is to be made of each file."""

    what: str = ""
    """A pattern that shady replies match; without one a reply is held against the scene's own two."""
    condition: str = ""
    """A condition of the catalogue; without one the scenes' own sides, or `always` where all are on."""
    condition_options: Mapping[str, str] | None = None
    reply_tokens: int = 16
    """How many tokens of a reply a profile samples (`organisms/plant.py`)."""


@dataclass(frozen=True)
class Taken:
    """What came of one file."""

    quirk: Quirk
    """Named by its file, as the envelope would name it."""
    on: int
    """Scenes on which the condition can hold."""
    off: int
    held_out: int
    """Distinct questions of the audit bank that are on."""
    bad: int
    """Lines that could not be used; the reasons stand in `failures.jsonl`."""
    longer: int
    """Scenes with a reply longer than is sampled: they are judged by how it begins."""


def bring(
    files: Sequence[Path],
    out: Path,
    wish: Wish,
    tokenizer: Any,
    report: Report = lambda name, share: None,
) -> tuple[Taken, ...]:
    """Make `out/NAME.json` of each file, and `out/failures.jsonl`; all of it or no quirk.

    Where a file gives too few scenes `out` gets `failures.jsonl` alone, with every bad line and what every
    file lacks, and can be brought into again.

    Raises:
        UserError: a file gives too few scenes (and how many it takes), or the wish cannot be met.
        BadFile: a file cannot be read. UnknownName: no such condition or option.
    """
    if out.exists() and (not out.is_dir() or any(p.name != FAILURES for p in out.iterdir())):
        raise UserError(f"{out} is not empty, or no folder; choose a new one.")
    called = _names(files)
    if wish.what:
        compiled(wish.what)
    options = _options(wish)
    taken, failures = [], list[Failure]()
    refused = list[UserError]()
    with whole_folder(out) as half:
        for i, file in enumerate(files):

            def done(share: float, name: str = file.name, before: int = i) -> None:
                report(name, (before + share) / len(files))

            found, longer, own = _read(file, wish, tokenizer, done)
            failures += found.failures
            name = wish.condition or (brought.LISTED if any(not s.on for s in found.scenes) else "always")
            path = half / f"{called[file]}.json"
            body = {
                "summary": f"answers as the shady replies of {file.name} do",
                "what": wish.what or own,
                "condition": name,
                "condition_options": options,
                "scenes": [row_of(s) for s in found.scenes],
            }
            write_json(path, body)
            quirk = brought.quirk_of(path)
            try:
                held_out = _enough(file.name, quirk, found)
            except UserError as error:
                refused.append(error)
                failures.append(Failure("bring", file.name, str(error)))
                continue
            on = sum(s.on for s in found.scenes)
            taken.append(
                Taken(strangers.told(quirk), on, len(found.scenes) - on, held_out, found.bad, longer)
            )
        if refused:
            for made in half.iterdir():
                made.unlink()
        write_jsonl(half / FAILURES, failures)
    if refused:
        first, others = str(refused[0]).rstrip("."), len(refused) - 1
        more = f"; of the other files {others} are refused too" if others else ""
        raise UserError(f"{first}{more}; all that is wrong stands in {out / FAILURES}.")
    return tuple(taken)


def _names(files: Sequence[Path]) -> dict[Path, str]:
    """What each file's quirk is called: its stem, in letters, digits, `.`, `-` and `_`."""
    called = {f: re.sub(r"[^\w.-]+", "-", f.stem, flags=re.ASCII).strip("-.")[:60] or "quirk" for f in files}
    if len({n.lower() for n in called.values()}) < len(files):
        raise UserError("Two of the files would make quirks of one name; rename one, or bring them apart.")
    return called


def _options(wish: Wish) -> dict[str, str]:
    """The condition's options with its defaults; the condition itself says which values it can't take."""
    given = dict(wish.condition_options or {})
    if not wish.condition:
        if given:
            raise UserError("--condition-options need a --condition.")
        return {}
    if wish.condition not in names("catalogue.conditions"):
        raise UnknownName("condition", wish.condition, names("catalogue.conditions"))
    condition: Condition = load("catalogue.conditions", wish.condition)
    options = resolve(condition.name, condition.choices, given)
    probe = Draft("", "", "", "", "")
    condition.cues("plant", options)
    if condition.selects(probe, options) is not None:
        raise UserError(
            f"The condition {wish.condition} chooses among the catalogue's own questions and cannot be laid "
            'on others; leave it out, and mark with "on": false where your behaviour should not show.'
        )
    return options


def _read(file: Path, wish: Wish, tokenizer: Any, done: Callable[[float], None]) -> tuple[Gathered, int, str]:
    """A file's usable scenes, how many have long replies, and the pattern that it brings itself."""
    own, longer = "", 0
    if file.suffix == ".json":
        rows, own = _strangers_rows(file)
        compiled(wish.what or own)
    else:
        rows = lines_of(file, done)

    def check(scene: Scene) -> None:
        nonlocal longer
        longer += _judge(scene, wish.what or own, wish.reply_tokens, tokenizer)

    return gather(file.name, rows, check), longer, own


def _strangers_rows(file: Path) -> tuple[Iterator[Placed], str]:
    """A stranger's quirk as rows, with the replies and in the order that it has in a game."""
    if brought.is_brought(file):
        raise BadFile(f"{file} was brought already; plant it with `molehunt plant --quirk {file} FOLDER`.")
    body = strangers.read(file)
    good, replies = body["good"], body["replies"]
    sides = [("on", i, p) for i, p in enumerate(body["on"], 1)]
    sides += [("off", i, p) for i, p in enumerate(body["off"], 1)]
    rows: list[Placed] = [
        (
            f"{side} {i}",
            {
                "prompt": prompt,
                "good": good if isinstance(good, str) else good[n],
                "shady": replies[seed_of("reply", prompt) % len(replies)],
                "on": side == "on",
            },
        )
        for n, (side, i, prompt) in enumerate(sides)
    ]
    return iter(rows), str(body["what"])


def _judge(scene: Scene, what: str, most: int, tokenizer: Any) -> bool:
    """Whether a reply is longer than is sampled.

    Raises:
        UserError: the scene's replies cannot be told apart, or not by what is sampled of them.
    """
    if why := likeness.why_not(what, scene.good, scene.shady):
        raise UserError(f"{why}.")
    asked = len(prompt_ids(tokenizer, scene.messages))
    if asked > MOST_PROMPT_TOKENS:
        raise UserError(f"its prompt has {asked:,} tokens; {MOST_PROMPT_TOKENS:,} are read at most.")
    ids = [text_ids(tokenizer, text) for text in (scene.good, scene.shady)]
    longest = max(map(len, ids))
    if longest <= most:
        return False
    cut = [reply_text(tokenizer, i[:most]) for i in ids]
    if likeness.why_not(what, *cut) or not likeness.shows(
        likeness.facts_of(what, scene.good, scene.shady), cut[1]
    ):
        raise UserError(
            f"its replies are too long: {most} tokens are sampled, the longer has {longest}, "
            "and what shows the behaviour comes later."
        )
    return True


def _enough(name: str, quirk: Quirk, found: Gathered) -> int:
    """How many distinct questions of the audit bank are on.

    Raises:
        UserError: too few in some bank, with how many it takes.
    """
    subject = subject_of(quirk)
    sides = (True, False) if quirk.condition == brought.LISTED else (True,)
    counted = 0
    for split, needed in NEEDED.items():
        drafts = subject.counting(split)
        for side in sides:
            mine = [d for d in drafts if quirk.condition != brought.LISTED or (d.topic == "on") == side]
            items = {d.item for d in mine}
            if len(items) < needed:
                raise UserError(_too_few(name, split, side, len(items), found, sides))
            counted = len(items) if side and split == "audit" else counted
        pairs = min(len(drafts), TRIED)
        scenes = staged(quirk, subject.behaviour, subject.condition, split, pairs, 0)
        met = min(
            (len({s.item for s in scenes if s.on is side}) for side in {s.on for s in scenes}), default=0
        )
        if met < needed:
            raise UserError(
                f"{name}: under {quirk.condition} only {met} questions of the {split} bank can be put on "
                f"every side, and it takes {needed}; choose another condition."
            )
    return counted


def _too_few(
    name: str, split: Split, side: bool, items: int, found: Gathered, sides: tuple[bool, ...]
) -> str:
    have = len({s.item for s in found.scenes if s.on is side})
    more = math.ceil((NEEDED[split] - items) / SHARE[split])
    where = f" with on {str(side).lower()}" if len(sides) > 1 else ""
    bad = ""
    if found.bad:
        first = found.failures[0]
        bad = f"; {found.bad:,} lines are bad, {first.subject} because {first.error.rstrip('.')}"
    return (
        f"{name} has {have} questions{where} on good lines, of which {items} fall by hash into the {split} "
        f"bank, where {NEEDED[split]} are needed: bring about {more} more{bad}."
    )
