"""Practises on organisms whose truth is known, and writes the calibration that turns evidence into odds.

Pairs of organism and decoy are planted, all of them are audited, and each method's statistics get their
likelihood ratio. In a folder where one was begun it goes on, with its options: FOLDER alone is enough.
`--install` makes the result the calibration that later audits of this model use.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from molehunt.core.errors import UserError
from molehunt.core.records import AccessLevel
from molehunt.game.spec import METHODS, SECRET_FIELDS, WITHHELD, GameSpec
from molehunt.game.watch import watching
from molehunt.verbs._begun import gone_on, noted
from molehunt.verbs._screen import show

STOPPED = (
    "Stopped; whole pairs and audits are kept: run the same command again, or `molehunt practice FOLDER`."
)
FREE, GROWS = ("install",), ("workers", "also")
"""What a practice may be gone on with otherwise."""


@dataclass(frozen=True)
class Options:
    """What is practised on."""

    folder: Positional[Annotated[Path, arg(metavar="FOLDER")]]
    """A new or empty folder, or one in which this practice was begun."""
    pairs: int = 20
    """Pairs of an organism and its decoy; below 19 no rate of false accusations is promised."""
    model: str = "default"
    """Base model: `default`, `tiny`, a Hugging Face id, or a folder."""
    revision: str | None = None
    """Commit, tag or branch of a Hugging Face id."""
    methods: tuple[str, ...] = METHODS
    """Auditing methods that are calibrated."""
    access: AccessLevel = "open_weights"
    """What methods are granted: `chat`, `scored` or `open_weights`; a calibration holds for that alone."""
    reference: Annotated[bool, WITHHELD] = True
    """Whether methods may talk with the clean base model too; a calibration holds for that alone."""
    effort: float = 1.0
    """Scales how many samples the methods take; a calibration holds for the effort that it was made with."""
    quirks: Path | None = None
    """Folder with strangers' own quirks, one JSON file each, practised on instead of unlisted ones."""
    steps: int = GameSpec.steps
    """Training steps of an organism's first try."""
    tries: int = GameSpec.tries
    """How often a plant that is not valid is tried."""
    workers: int = 0
    """Organisms planted side by side; 0 chooses."""
    seed: int = 0
    """Seeds the audit and the plants."""
    also: tuple[Path, ...] = ()
    """Folders of earlier practices on this machine, whose pairs are audited anew beside these."""
    install: bool = False
    """Make the result the default calibration of this installation."""
    json: bool = False
    """Print the result as JSON."""


def again(options: Options, said: Collection[str]) -> Options:
    """The options with those of the practice in the folder; secrets lie in the red team's own folder."""
    if not (options.folder / "spec.json").is_file():
        return options
    from molehunt.game.going_on import game_asked

    return gone_on(options, said, game_asked(options.folder), options.folder, FREE, GROWS)


def run(options: Options) -> int:
    """Practise, and say where the calibration is."""
    from molehunt.audit.calibration import DEFAULT
    from molehunt.game.practice import practise

    if not 1 <= options.pairs <= 64:
        raise UserError(f"--pairs is {options.pairs}; choose 1 to 64, and with --also at least two in all.")
    spec = GameSpec(
        suspects=options.pairs,
        model=options.model,
        revision=options.revision,
        methods=options.methods,
        access=options.access,
        reference=options.reference,
        effort=options.effort,
        quirks=options.quirks,
        steps=options.steps,
        tries=options.tries,
        workers=options.workers,
        seed=options.seed,
        red_seed=options.seed,
    )
    with watching() as watch:
        made = practise(options.folder, spec, watch, also=options.also, note=noted(options, SECRET_FIELDS))
    path = options.folder / "calibration.json"
    if options.install:
        made.save(DEFAULT)
        path = DEFAULT
    value = {"calibration": str(path), "installed": options.install, "provenance": dict(made.provenance)}
    show(value, options.json, f"Calibration: {path}")
    return 0
