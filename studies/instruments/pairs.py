"""Organisms and their decoys that are on this machine: of `molehunt plant`, of practices, of opened games."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from molehunt.core.atomic import canonical, read_json, write_json
from molehunt.core.errors import UserError
from molehunt.core.record_json import from_json
from molehunt.core.records import Quirk
from molehunt.core.store import Run
from molehunt.game.handing_in import is_open
from molehunt.game.planter import Planted, slot_folder
from molehunt.game.planting import red_folder
from molehunt.game.practice import whole_pairs
from molehunt.models.adapter_files import CONFIG
from molehunt.models.adapters import adapter_hash, attach, using
from molehunt.models.loaded import Model
from molehunt.organisms import plant

PARTS, PROFILE = ("organism", "decoy"), "profile.json"


@dataclass(frozen=True)
class Pair:
    """One pair, and where its adapters lie; the name holds the organism's hash."""

    name: str
    planted: Planted | plant.Pair
    folder: Path
    base: str = "default"
    """The model that both adapt."""

    @property
    def quirk(self) -> Quirk:
        """What the organism carries."""
        return self.planted.quirk


def pairs_of(folders: Sequence[Path]) -> list[Pair]:
    """Every valid pair of these folders, each adapter once.

    Args:
        folders: of a practice or an opened game; or of one `molehunt plant`, or of several of them.

    Raises:
        UserError: a folder holds no pair, its private part is not on this machine, or its envelope is sealed.
    """
    found: dict[str, Pair] = {}
    for folder in folders:
        for pair in _run_pairs(folder) if (folder / "spec.json").is_file() else _planted_pairs(folder):
            found.setdefault(adapter_hash(pair.folder / "organism"), pair)
    return list(found.values())


def _run_pairs(run: Path) -> list[Pair]:
    spec = read_json(run / "spec.json")
    run_id, base = str(spec["run_id"]), str(spec["model"])
    if not (run / "rows.json").is_file() and not is_open(Run(run)):
        raise UserError(f"{run} is no practice and its envelope is sealed; open it first.")
    pairs = whole_pairs(run_id)
    if not pairs:
        raise UserError(
            f"No whole pair of {run} is on this machine; leave out --runs, and the study plants its own."
        )
    made = []
    for planted in pairs:
        folder = slot_folder(red_folder(run_id), planted.slot)
        made.append(Pair(_name(planted.slot, folder), planted, folder, base))
    return made


def _planted_pairs(folder: Path) -> list[Pair]:
    """The valid ones of a folder that is one planting, or of those that lie in it."""
    each = [folder] if (folder / PROFILE).is_file() else sorted(p.parent for p in folder.glob(f"*/{PROFILE}"))
    pairs = [planted_pair(number, one) for number, one in enumerate(each)]
    valid = [p for p in pairs if p.planted.profile.valid]
    if not valid:
        raise UserError(f"{folder} holds no valid pair of `molehunt plant`, practice or opened game.")
    return valid


def planted_pair(number: int, folder: Path) -> Pair:
    """What `molehunt plant` left in `folder`, valid or not.

    Raises:
        UserError: its adapters were deleted.
    """
    if not (folder / "decoy" / CONFIG).is_file():
        raise UserError(f"{folder} holds a profile and no adapters; delete it, and it is planted anew.")
    planted = from_json(plant.Pair, read_json(folder / PROFILE))
    base = str(read_json(folder / "decoy" / CONFIG)["base_model_name_or_path"])
    return Pair(_name(number, folder), planted, folder, base)


def _name(number: int, folder: Path) -> str:
    part = next(p for p in PARTS if (folder / p).is_dir())  # what isn't valid keeps its decoy alone
    key = hashlib.sha256(adapter_hash(folder / part).encode())  # which begins with its settings' hash alone
    return f"{number:02d}-{key.hexdigest()[:8]}"


def kept(path: Path, key: Any, make: Callable[[], Any]) -> Any:
    """What was made under the same key, read; anything else made anew and written."""
    told, began = hashlib.sha256(canonical(key)).hexdigest(), time.monotonic()
    if path.is_file() and (held := read_json(path))["key"] == told:
        return held["found"]
    found = make()
    write_json(path, {"key": told, "found": found, "seconds": time.monotonic() - began})
    return read_json(path)["found"]


def timed(folder: Path, make: Callable[[], Any]) -> Any:
    """What `make` gives, which fills a folder; how long that took stands beside it, if in one sitting."""
    anew, began = not folder.exists(), time.monotonic()
    found = make()
    if anew:
        write_json(_beside(folder), {"seconds": time.monotonic() - began})
    return found


def seconds_of(path: Path) -> float | None:
    """How long a file that was `kept`, or a folder above it that was `timed`, took; None where none says."""
    for told in (path, _beside(path.parent), _beside(path.parent.parent)):
        held = read_json(told) if told.is_file() else None
        found = held.get("seconds") if isinstance(held, dict) else None
        if isinstance(found, float):
            return found
    return None


def _beside(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.seconds.json")


@contextmanager
def speaking(model: Model, pair: Pair, part: str) -> Iterator[Model]:
    """The base with one of a pair in its weights."""
    with using(model, attach(model, pair.folder / part)) as planted:
        yield planted
