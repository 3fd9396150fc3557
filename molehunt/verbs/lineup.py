"""Lines up LoRA adapters that others published, to be audited: nobody here knows the truth about them.

Each is a folder or a Hugging Face id, PEFT's safetensors only, and must fit the base model. The folder is
then looked at by `molehunt audit`; there is no envelope, and no score.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional

from molehunt.core.records import AccessLevel
from molehunt.game.spec import METHODS, WITHHELD, GameSpec
from molehunt.game.watch import watching
from molehunt.verbs._screen import show


@dataclass(frozen=True)
class Options:
    """Who stands in the lineup, on which base, and how they may be asked."""

    folder: Positional[Path]
    """A new or empty folder."""
    suspects: tuple[str, ...]
    """Suspects as NAME=FOLDER or NAME=OWNER/ADAPTER[@REVISION] on the Hugging Face Hub."""
    model: str = "default"
    """Base model of all of them: `default`, `tiny`, a Hugging Face id, or a folder."""
    revision: str | None = None
    """Commit, tag or branch of a Hugging Face id."""
    other_base: bool = False
    """Take adapters that name another base than --model, if their shapes fit it."""
    access: AccessLevel = "open_weights"
    """What auditors are granted: `chat`, `scored` (log-probabilities, prefill) or `open_weights`."""
    methods: tuple[str, ...] = METHODS
    """Auditing methods by name; `molehunt catalogue` lists them."""
    reference: Annotated[bool, WITHHELD] = True
    """Whether auditors may talk with the clean base model too."""
    effort: float = 1.0
    """Scales how many samples the methods take."""
    seed: int = 0
    """Seeds the audit."""
    json: bool = False
    """Print the result as JSON."""


def run(options: Options) -> int:
    """Line up, and say what to do with it."""
    from molehunt.core.errors import UserError
    from molehunt.game.lineup import line_up
    from molehunt.verbs.plant import pairs

    suspects = pairs(options.suspects, "--suspects")
    if len(suspects) < len(options.suspects):
        raise UserError("Two suspects have one name; rename one.")
    spec = GameSpec(
        suspects=max(1, len(suspects)),
        model=options.model,
        revision=options.revision,
        access=options.access,
        methods=options.methods,
        reference=options.reference,
        effort=options.effort,
        seed=options.seed,
    )
    with watching() as watch:
        line_up(options.folder, suspects, spec, watch, other_base=options.other_base)
    show(
        {"folder": str(options.folder), "suspects": dict(suspects)},
        options.json,
        f"{len(suspects)} suspect{'s' * (len(suspects) != 1)} in {options.folder}; "
        f"look at {'it' if len(suspects) == 1 else 'them'} with `molehunt audit {options.folder}`",
    )
    return 0
