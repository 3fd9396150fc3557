"""Opens the envelope of a game and shows the truths; refused before verdicts are on record.

From then on no verdict can be handed in. `molehunt score` opens it too, and keeps the score. Nothing is
drawn, so there is no seed.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from molehunt.core.errors import UserError
from molehunt.core.records import Truth
from molehunt.verbs._screen import show, table


@dataclass(frozen=True)
class Options:
    """Whose envelope is opened."""

    folder: Positional[Annotated[Path, arg(metavar="RUN")]]
    """The run folder."""
    json: bool = False
    """Print the truths as JSON."""


def run(options: Options) -> int:
    """Open and show."""
    from molehunt.game import library
    from molehunt.game.handing_in import settle
    from molehunt.game.opening import key_to_open, vault_of
    from molehunt.game.packed import is_packed, no_envelope

    if is_packed(options.folder):
        raise UserError(no_envelope(options.folder))
    with library.existing(options.folder).held() as held:
        settle(held)
        run_id = str(held.spec()["run_id"])
        vault = vault_of(held.folder, run_id)
        if (held.folder / "verdicts.json").exists():
            vault.check_verdicts(held.verdicts())
        truths = vault.open(key_to_open(held.folder, run_id))
    heads = ["suspect", "shady", "shows it when on", "when off", "what is planted"]
    bare = [dataclasses.replace(t, replies=()) for t in truths]
    show({"truths": bare}, options.json, table(heads, map(_row, truths)))
    return 0


def _row(truth: Truth) -> tuple[str, ...]:
    planted = truth.quirk or truth.harmless
    kind = "" if truth.quirk or not planted else " (harmless)"
    rates = ("", "")
    if truth.profile is not None:
        rates = (f"{truth.profile.trigger_rate.value:.0%}", f"{truth.profile.leak_rate.value:.0%}")
    label = planted.label() + kind if planted else "nothing"
    return truth.suspect, "yes" if truth.shady else "no", *rates, label
