"""What `molehunt plant --spec` does: adapters made again from their lines, and measured with --measure."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from molehunt.core.errors import UserError
from molehunt.game.pair_folder import Besides
from molehunt.game.watch import watching
from molehunt.verbs._planted import show_cost, show_pair
from molehunt.verbs._screen import show, table

if TYPE_CHECKING:
    from molehunt.game.replaying import Replayed

ITS_OWN = ("what", "spec", "measure", "dry_run", "json")
"""Options that go with --spec."""
MEASURED = tuple(f.name for f in fields(Besides))
"""Options that go with --spec where --measure stands too."""
OTHERWISE = "Another processor, thread count or version of a library may round otherwise."


def replay(options: Any, file: Path) -> int:
    """Replay, then say which hashes are the same; 1 where one is not, or a measured pair is not valid.

    Raises:
        UserError: an option beside --spec.
    """
    for field in fields(options):
        if field.name in ITS_OWN or getattr(options, field.name) == field.default:
            continue
        option = field.name.replace("_", "-")
        if field.name not in MEASURED:
            raise UserError(f"A spec's file brings its own {option}; give no --{option} beside --spec.")
        if not options.measure:
            raise UserError(f"Give no --{option} beside --spec without --measure: nothing is measured then.")
    if len(options.what) != 1:
        raise UserError("With --spec FILE name a folder alone; see `molehunt plant --help`.")
    besides = Besides(**{n: getattr(options, n) for n in MEASURED}) if options.measure else None
    folder = options.what[0]
    if options.dry_run:
        from molehunt.game.plant_cost import spec_cost

        return show_cost(spec_cost(file, Path(folder), besides), options.json)
    from molehunt.game import library, replaying

    with watching() as watch:
        if besides is None:
            made, pair = library.replay(file, folder, watch=watch), None
        else:
            pair, made = replaying.replant_file(file, Path(folder), watch, besides)
    differ = any(r.same is False for r in made)
    again = [{"part": r.part, "adapter": r.adapter, "planted": r.planted, "same": r.same} for r in made]
    said = [_hashes(made), *([OTHERWISE] if differ else [])]
    if pair is None:
        show(again, options.json, *said, f"In {folder}")
        return int(differ)
    spec, _ = replaying.specs_of_pair(file, Besides())
    how = (spec.recipe, spec.concealments)
    more = ({"replayed": again}, said)
    code = show_pair(pair, folder, *how, options.json, "Planted again", "its spec makes no valid pair", more)
    return max(code, int(differ))


def _hashes(made: "Sequence[Replayed]") -> Any:
    rows = [(r.part, _short(r.adapter), _said(r)) for r in made]
    return table(["part", "adapter", "as planted"], rows, "Replayed")


def _short(adapter: str) -> str:
    """The end of an adapter's hash: its first half is of the configuration, which is the same for many."""
    return adapter[-16:]


def _said(made: "Replayed") -> str:
    if isinstance(made.planted, str):
        return "yes, the same hash" if made.same else f"no: {_short(made.planted)} was planted"
    return f"not known: {made.planted.reason}"
