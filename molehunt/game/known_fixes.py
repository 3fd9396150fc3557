"""A pair fixed with the truth known (`depth/known.py`), kept beside what blind remedies made of it."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from molehunt.core.atomic import read_json, whole_folder, write_json
from molehunt.core.record_json import from_json, to_json
from molehunt.core.records import NotMeasured
from molehunt.core.store import stage_key
from molehunt.depth.known import KNOWN, treat_knowing
from molehunt.game.controls import KEY
from molehunt.game.depth_task import Task
from molehunt.game.fix_task import FIXED, NOTE, Fixed, sha256
from molehunt.game.planting import FILES
from molehunt.game.play import versions
from molehunt.game.watch import Watch
from molehunt.remedies.room import Treated

if TYPE_CHECKING:
    from molehunt.models.loaded import Model


FORM = 3
"""Of how it is done: raised when that changes, so that older fixes are made anew."""


def treat_known(task: Task, model: "Model", watch: Watch) -> dict[str, Mapping[str, Treated]]:
    """Fix the pair in each way that is asked and was not applied yet; by way and seat what it cost."""
    return {name: _treated(task, name, model, watch) for name in task.known}


def _treated(task: Task, name: str, model: "Model", watch: Watch) -> Mapping[str, Treated]:
    (one,) = task.specimens
    pair, folder = (one.organism, one.decoy), task.home / FIXED / name
    hashes = [sha256(side / f) for side in pair for f in FILES]
    key = stage_key([FORM, to_json(KNOWN[name]), hashes, to_json(task.settings), one.known.steps])
    if not (folder / KEY).is_file() or read_json(folder / KEY) != {"key": key}:
        start = time.monotonic()
        with whole_folder(folder) as half:
            dose = treat_knowing(
                model,
                one.known,
                KNOWN[name],
                pair,
                (half / "organism", half / "decoy"),
                task.settings,
                lambda share: watch.bar(f"fixing: {name}", share),
            )
            none = NotMeasured("measured among the costs of depth")
            said = {"norm": dose.norm, "asked": dose.asked}
            spent = Treated((time.monotonic() - start) / 2, dose.steps, 0, said, none, none, none)
            both = {"organism": spent, "decoy": spent}
            write_json(half / NOTE, Fixed(name, key, to_json(KNOWN[name]), versions(), both))
            write_json(half / KEY, {"key": key})
    return from_json(Fixed, read_json(folder / NOTE)).suspects
