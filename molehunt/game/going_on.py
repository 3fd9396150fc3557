"""What a game, a practice or a match was asked: from its folder, and from the red team's own."""

from dataclasses import fields
from pathlib import Path

from molehunt.core.asked import Asked, kept
from molehunt.core.atomic import read_json
from molehunt.core.errors import BadFile
from molehunt.core.seal import key_path
from molehunt.core.store import Run
from molehunt.game.packed import is_packed
from molehunt.game.planting import red_folder
from molehunt.game.play import spec_of
from molehunt.game.shipped import copy_of
from molehunt.game.spec import GameSpec


def game_asked(folder: Path) -> Asked | None:
    """Of a game or a practice; None where there is none that goes on here.

    Secrets are not among it: they lie in the red team's folder, from where the game takes them.

    Raises:
        BadFile: the folder's spec or the note cannot be read.
    """
    if not (folder / "spec.json").is_file() or is_packed(folder) or copy_of(folder) is not None:
        return None
    run = Run(folder)
    spec_of(run)
    written, names = run.spec(), {f.name for f in fields(GameSpec)}
    public = {n: v for n, v in written.items() if n in names}
    note = kept(red_folder(str(written["run_id"])))
    return Asked(public, done=True) if note is None else Asked({**note.options, **public}, note.done)


def match_asked(folder: Path) -> Asked | None:
    """Of a match; None where there is none, or its red folder is not on this machine.

    Raises:
        BadFile: `match.json` or the note cannot be read.
    """
    if not (folder / "match.json").is_file():
        return None
    written = read_json(folder / "match.json")
    if not isinstance(written, dict):
        raise BadFile(f"{folder / 'match.json'} is not a match's; restore it.")
    key_path(str(written.get("id")))  # a plain name, or it is no folder of ours
    return kept(red_folder(str(written["id"])))
