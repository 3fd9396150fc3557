"""Specs made again: adapters from their lines, and whether they are the ones that were planted.

The file is the `organism.json` of a plant (two lines, organism and decoy) or one line alone. What was planted
is known by the hashes in the `profile.json` beside it, or by the adapters that lie there.

What this cannot tell you: why two hashes differ. Another processor, thread count or library version rounds
otherwise, and so does another version of this package train.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from molehunt.core.atomic import read_json, whole_folder, write_json
from molehunt.core.errors import BadFile, UserError
from molehunt.core.record_json import from_json
from molehunt.core.records import NotMeasured, Organism
from molehunt.game.pair_folder import PARTS, name_base
from molehunt.game.watch import Watch

if TYPE_CHECKING:
    from molehunt.models.loaded import ModelSpec


@dataclass(frozen=True)
class Replayed:
    """One adapter made again."""

    part: str
    adapter: str
    """Hash of its files."""
    planted: str | NotMeasured
    """Hash of what was planted from the same line."""

    @property
    def same(self) -> bool | None:
        """Whether they are the same; None where nothing is known of what was planted."""
        return None if isinstance(self.planted, NotMeasured) else self.adapter == self.planted


def replay_file(file: Path, target: Path, watch: Watch | None = None) -> tuple[Replayed, ...]:
    """Make a file's specs again in a new folder (`organism/`, `decoy/`, `organism.json`, `replay.json`).

    Raises:
        BadFile: the file holds no spec. UnknownName: a spec names what no catalogue holds.
        UserError: the folder holds something else, a spec that cannot be carried out, or a training that
            came apart.
    """
    watch = watch or Watch(None)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"{target} is not empty, or no folder; choose a new one.")
    specs = read_specs(file)
    planted = {part: _planted(file.parent, part) for part in specs}
    from molehunt.models.adapters import adapter_hash
    from molehunt.models.check import fit_to_speak
    from molehunt.models.load import open_model
    from molehunt.organisms.spec import replay

    (base,) = {spec.base for spec in specs.values()}
    spec = _named(base)
    opened = fit_to_speak(open_model(spec))
    with whole_folder(target) as half:
        for number, (part, organism) in enumerate(specs.items()):

            def share(done: float, n: int = number, part: str = part) -> None:
                watch.bar("replaying", (n + done) / len(specs), part)

            try:
                replay(opened, organism, half / part, share)
            except FloatingPointError as error:
                raise UserError(f"The training came apart: {error}.") from None
        name_base(half, spec.id)
        made = tuple(Replayed(part, adapter_hash(half / part), planted[part]) for part in specs)
        watch.bar("replaying", 1.0)
        write_json(half / "organism.json", specs)
        write_json(half / "replay.json", list(made))
    return made


def read_specs(file: Path) -> Mapping[str, Organism]:
    """The specs of a file, by part.

    Raises:
        BadFile: it holds none, or specs of two bases.
    """
    body = read_json(file)
    alone = isinstance(body, dict) and "lessons" in body
    if not alone and not (isinstance(body, dict) and body and set(body) <= set(PARTS)):
        raise BadFile(f"{file} holds no spec; give the organism.json of `molehunt plant`, or one line of it.")
    try:
        if alone:
            one = from_json(Organism, body)
            return {"decoy" if one.quirk is None else "organism": one}
        specs = {part: from_json(Organism, body[part]) for part in PARTS if part in body}
    except BadFile as error:
        raise BadFile(f"{file} holds no spec: {error}") from None
    if len({s.base for s in specs.values()}) > 1:
        raise BadFile(f"{file} names two bases; replay its lines one by one.")
    return specs


def _planted(folder: Path, part: str) -> str | NotMeasured:
    """The hash of what was planted beside a file of specs."""
    from molehunt.models.adapters import adapter_hash

    profile = folder / "profile.json"
    known = read_json(profile) if profile.is_file() else {}
    hashes = known.get("adapters") if isinstance(known, dict) else None
    if isinstance(hashes, dict) and isinstance(hashes.get(part), str):
        return hashes[part]
    if (folder / part).is_dir():
        return adapter_hash(folder / part)
    return NotMeasured(f"neither a hash nor an adapter of the {part} lies beside the spec")


def _named(base: str) -> "ModelSpec":
    """The base as `organisms.plan.base_name` wrote it: a name, and behind @ its revision."""
    from molehunt.models.loaded import ModelSpec

    name, at, revision = base.rpartition("@")
    return ModelSpec(name, revision) if at and not Path(base).exists() else ModelSpec(base)
