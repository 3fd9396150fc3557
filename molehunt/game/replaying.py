"""Specs made again: adapters from their lines, and whether they are the ones that were planted.

The file is the `organism.json` of a plant (two lines, organism and decoy) or one line alone. What was planted
is known by the hashes in the `profile.json` beside it, or by the adapters that lie there.

What this cannot tell you: why two hashes differ. Another processor, thread count or library version rounds
otherwise, and so does another version of this package train.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from molehunt.catalogue.pairs import refuse
from molehunt.core.atomic import read_json, whole_folder, write_json
from molehunt.core.errors import BadFile, CameApart, UserError
from molehunt.core.record_json import from_json
from molehunt.core.records import NotMeasured, Organism
from molehunt.game.pair_folder import (
    PARTS,
    Besides,
    asked_besides,
    going_on,
    name_base,
    put_down,
    recorded,
)
from molehunt.game.plant_one import deciding
from molehunt.game.watch import Watch
from molehunt.organisms.kept import Kept, planting, refuse_taken

if TYPE_CHECKING:
    from molehunt.organisms.plant import Pair


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
    refuse_taken(target)
    specs = read_specs(file)
    planted = {part: _planted(file.parent, part) for part in specs}
    from molehunt.models.adapters import adapter_hash
    from molehunt.models.check import fit_to_speak
    from molehunt.models.load import open_model
    from molehunt.organisms.plan import base_named, plan_of
    from molehunt.organisms.spec import replay

    (base,) = {spec.base for spec in specs.values()}
    spec = base_named(base)
    opened = fit_to_speak(open_model(spec))
    any_line = next(iter(specs.values()))
    decided = deciding(opened, any_line.lessons, None, plan_of(any_line), any_line.seed, 0)
    with planting(target, (*decided, specs)) as home, whole_folder(target, within=home) as half:
        kept = Kept(home)
        for number, (part, organism) in enumerate(specs.items()):

            def again(n: int = number, part: str = part, organism: Organism = organism) -> str:
                def share(done: float) -> None:
                    watch.bar("replaying", (n + done) / len(specs), part)

                replay(opened, organism, home / part, share)
                return adapter_hash(home / part)

            try:
                kept.once(part, str, again)
            except FloatingPointError as error:
                raise CameApart(f"The training came apart: {error}.") from None
            shutil.copytree(home / part, half / part)
        name_base(half, spec.id)
        made = tuple(Replayed(part, adapter_hash(half / part), planted[part]) for part in specs)
        watch.bar("replaying", 1.0)
        write_json(half / "organism.json", specs)
        write_json(half / "replay.json", list(made))
    return made


def replant_file(
    file: Path, target: Path, watch: Watch | None = None, besides: Besides | None = None
) -> "tuple[Pair, tuple[Replayed, ...]]":
    """Make a pair's specs again in a new folder and measure the pair as a planting does.

    The folder gets what a planting's gets, and `replay.json`. What a killed run of the same kept is used.

    Raises:
        BadFile: the file holds no spec. UnknownName: a spec names what no catalogue holds.
        UserError: the folder holds something else, the file holds no pair, or one that cannot be carried out.
        CameApart: the training did.
    """
    watch, besides = watch or Watch(None), besides or Besides()
    refuse_taken(target)
    both = shady, decoy = specs_of_pair(file, besides)
    planted = {part: _planted(file.parent, part) for part in PARTS}
    from molehunt.models.check import fit_to_speak
    from molehunt.models.load import open_model
    from molehunt.organisms.plan import base_named, plan_of
    from molehunt.organisms.plant import plant_again

    def replayed(hashes: Mapping[str, str]) -> list[Replayed]:
        return [Replayed(part, hashes[part], planted[part]) for part in PARTS]

    def report(what: str, share: float) -> None:
        watch.bar("replaying", share, what)

    plan, spec = plan_of(shady), base_named(shady.base)
    with recorded(target, shady.lessons):
        refuse(shady.lessons)
    opened = fit_to_speak(open_model(spec))
    decided = deciding(opened, shady.lessons, decoy.harmless, plan, shady.seed, besides.ladder)
    with planting(target, (*decided, *both)) as home, recorded(target, shady.lessons):
        kept = going_on(home, watch)
        try:
            pair = plant_again(opened, both, home, report, kept, besides.ladder)
        except FloatingPointError as error:
            raise CameApart(f"The training came apart: {error}.") from None
        pair, ladder = asked_besides(opened, pair, kept, shady.seed, plan, watch, besides)
        pair = put_down(pair, home, target, spec.id, ladder, replayed)
    return pair, tuple(replayed(pair.adapters))


def specs_of_pair(file: Path, besides: Besides) -> tuple[Organism, Organism]:
    """The two lines of a file's pair, if they can be made again and measured; nothing is loaded or written.

    Raises:
        BadFile, UnknownName, UserError: as `replant_file`.
    """
    besides.checked()
    specs = read_specs(file)
    if set(specs) != set(PARTS):
        raise UserError(f"{file} holds one line, and a pair is measured: give both, organism and decoy.")
    shady, decoy = (specs[part] for part in PARTS)
    if replace(shady, quirk=None, harmless=decoy.harmless) != decoy or shady.quirk != shady.lessons:
        raise UserError(
            f"The lines of {file} are no pair: a decoy has its organism's lessons, steps, seed and settings."
        )
    from molehunt.organisms.plan import plan_of
    from molehunt.organisms.subject import subject_of

    plan_of(shady).checked()
    subject_of(shady.lessons)
    if besides.ladder > shady.steps:
        raise UserError(f"A ladder of {besides.ladder} rungs can't be cut from {shady.steps} steps.")
    return shady, decoy


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
