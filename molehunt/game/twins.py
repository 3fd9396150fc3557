"""Twin games: pairs that an earlier game planted play again, the other one of each.

A place in the lineup plants an organism and its matched decoy, and its coin sends one of the two in. In
the twin game every coin lies on its other side, under new names and other audit seeds. So two games need
one planting, and an organism is judged beside the very decoy that it was matched to. Coins are as
independent within the twin as they were; between the two games they are opposite, so a study clusters
by pair. Like all that could rebuild the truth, who is whose twin stays in the red team's folder.

It is for studies: whoever has seen the first game opened knows the twin's answers, if told that it is one.
Methods carry nothing from game to game; people do.
"""

import dataclasses
from pathlib import Path

from molehunt.core.atomic import read_json, write_json
from molehunt.core.errors import RunMismatch, UserError
from molehunt.core.store import Run
from molehunt.game.planter import JOB, Planted, read_planted
from molehunt.game.planting import private, red_folder
from molehunt.game.spec import GameSpec
from molehunt.organisms.draw import Slot, slots


def fit_for_twin(spec: GameSpec) -> None:
    """Look before anything is written at the game whose twin is asked for.

    Raises:
        UserError: it has another model or number of suspects, or its pairs are not all on this machine.
    """
    assert spec.twin is not None
    other = Run(spec.twin).spec()
    for name in ("model", "revision", "suspects"):
        if other.get(name) != getattr(spec, name):
            raise UserError(
                f"{spec.twin} was played with {name} = {other.get(name)!r}; its twin can't have "
                f"{getattr(spec, name)!r}."
            )
    _pairs(str(other["run_id"]), spec.suspects)


def red_twin(run_id: str, given: Path | None) -> str | None:
    """The run whose pairs play again, noted once in the red team's folder; None for a game of its own.

    Raises:
        RunMismatch: the game was begun as the twin of another, or of none.
    """
    wanted, path = str(Run(given).spec()["run_id"]) if given else None, private(run_id) / "twin.json"
    if not path.exists():
        begun = (private(run_id) / JOB).exists()
        if wanted is None or begun:
            if wanted is not None:
                raise RunMismatch("This game was begun with pairs of its own; go on without --twin.")
            return None
        write_json(path, {"of": wanted})
    kept = str(read_json(path)["of"])
    if wanted not in (None, kept):
        raise RunMismatch("This game was begun as the twin of another; go on without --twin.")
    return kept


def turned(of: str, lineup: tuple[Slot, ...]) -> tuple[tuple[Slot, Planted], ...]:
    """The other game's pairs in this game's places, every coin on its other side.

    Raises:
        UserError: its pairs are not all on this machine.
    """
    return tuple(
        (dataclasses.replace(own, number=there.number, shady=not there.shady, seed=there.seed), pair)
        for own, (there, pair) in zip(lineup, _pairs(of, len(lineup)), strict=True)
    )


def _pairs(run_id: str, count: int) -> tuple[tuple[Slot, Planted], ...]:
    folder = red_folder(run_id)
    if not (folder / "seed.json").exists():
        raise UserError("The red team's folder of the game to be twinned is not on this machine.")
    found = [(s, read_planted(folder, s.number)) for s in slots(count, int(read_json(folder / "seed.json")))]
    if any(pair is None for _, pair in found):
        raise UserError("The game to be twinned has not planted all its pairs yet; play it first.")
    return tuple((s, pair) for s, pair in found if pair is not None)
