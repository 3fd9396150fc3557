"""Makes quirks to plant of your own scenes: prompts with a good and a shady reply each, one quirk a file.

A file is JSON lines {"prompt", "good", "shady", "on", "item"}, or a contrast file {"question",
"answer_matching_behavior", "answer_not_matching_behavior"}, or a stranger's quirk (.json). Lines that
cannot be used are named in failures.jsonl, and the rest is kept; too little of it is no quirk, and the list
alone is left.
"""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from molehunt.game.watch import watching
from molehunt.verbs._screen import show, table


@dataclass(frozen=True)
class Options:
    """What is brought, and what becomes of it."""

    files: Positional[tuple[Path, ...]]
    """Files with scenes; each makes one quirk, of its own name."""
    out: Path
    """A new or empty folder for NAME.json of each, and failures.jsonl."""
    what: str = ""
    """A pattern that every shady reply matches and no good one; without it a reply is held against the
    scene's own two: by the option's letter, or else by its first words."""
    condition: str = ""
    """A condition of the catalogue, laid on the scenes as cues; without it `on` in the lines decides."""
    condition_options: tuple[str, ...] = ()
    """Options of the condition, as name=value; your own values too."""
    model: str = "default"
    """The base model whose tokenizer measures the replies: `default`, `tiny`, a Hugging Face id, a folder."""
    revision: str | None = None
    """Commit, tag or branch of a Hugging Face id."""
    json: bool = False
    """Print what was taken as JSON."""


def run(options: Options) -> int:
    """Bring, and say what was kept."""
    from molehunt.core.errors import UserError
    from molehunt.game import library
    from molehunt.verbs.plant import pairs

    if not options.files:
        raise UserError("Name at least one file with scenes; see `molehunt bring --help`.")
    with watching() as watch:
        taken = library.bring(
            options.files,
            options.out,
            what=options.what,
            condition=options.condition,
            condition_options=pairs(options.condition_options, "--condition-options"),
            model=options.model,
            revision=options.revision,
            watch=watch,
        )
    heads = ["on", "off", "held out", "bad", "long", "when", "quirk"]
    rows = [
        (
            *map(str, (t.on, t.off, t.held_out, t.bad, t.longer)),
            t.quirk.condition,
            t.quirk.behaviour_options["file"],
        )
        for t in taken
    ]
    bad = sum(t.bad for t in taken)
    show(
        {"folder": str(options.out), "quirks": list(taken)},
        options.json,
        table(heads, rows),
        f"Bad lines: {options.out / 'failures.jsonl'}" if bad else "No bad lines.",
        f"Plant one: molehunt plant --quirk {options.out / rows[0][-1]} FOLDER --model {options.model}",
    )
    return 0
