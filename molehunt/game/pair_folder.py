"""A planted pair's own folder: what was asked of the pair besides its profile, and how all of it is put down.

    organism/  decoy/  ladder/  profile.json  organism.json  failures.jsonl

An organism that is not valid is not put down, and why stands in `failures.jsonl`, a line a try, behind those
of earlier times.
"""

import dataclasses
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from molehunt.core.atomic import read_jsonl, whole_folder, write_json, write_jsonl
from molehunt.core.errors import CameApart, Incomposable, Unteachable, UserError
from molehunt.core.records import Failure, Measure, NotMeasured, Quirk, Spent
from molehunt.game.planting import FILES
from molehunt.game.watch import Watch
from molehunt.organisms.kept import FAILURES, Kept, refuse_taken

T = TypeVar("T")

if TYPE_CHECKING:
    from molehunt.models.loaded import Model
    from molehunt.organisms.ladder import Ability
    from molehunt.organisms.plan import Plan
    from molehunt.organisms.plant import Pair

    Asks = Callable[[Model, Quirk, Path, int, int, int, Callable[[float], None]], T]

LEAST_CHECKED = 5
"""Scenes a side of a decoy's check; with fewer nothing could be clear (`organisms.decoy_check.fewest`)."""
PARTS = ("organism", "decoy")


@dataclass(frozen=True)
class Besides:
    """What is asked of a pair besides its profile; as `game.plant_one.How` has it."""

    ladder: int = 0
    ladder_by: "Ability" = "selectivity"
    ask: bool = False
    decoy_check: int = 0
    spread: int = 0

    def checked(self) -> "Besides":
        """This, if it can be carried out.

        Raises:
            UserError: too few scenes to say anything, or no ladder of so few rungs.
        """
        if self.ladder < 0 or self.ladder == 1:
            raise UserError("--ladder should be 2 or more, or 0 for none.")
        for name, each in (("decoy-check", self.decoy_check), ("spread", self.spread)):
            if each != 0 and each < LEAST_CHECKED:
                raise UserError(
                    f"--{name} takes {LEAST_CHECKED} scenes a side or more, for on fewer no "
                    "rise could be clear; 0 checks nothing."
                )
        return self


def going_on(home: Path, watch: Watch) -> Kept:
    """What a planting's own folder keeps already; says so where there is something."""
    if any(home.glob("try-*.json")):
        watch.say(f"Going on with what a stopped planting kept in {home}.")
    return Kept(home)


def asked_besides(
    model: "Model", pair: "Pair", kept: Kept, seed: int, plan: "Plan", watch: Watch, besides: Besides
) -> "tuple[Pair, Path | None]":
    """The pair with all that was asked of it besides, and its ladder; adapters lie where `kept` is."""
    from molehunt.organisms.confession_rate import ask_pair
    from molehunt.organisms.decoy_check import DecoyCheck, decoy_check
    from molehunt.organisms.ladder import climb
    from molehunt.organisms.plant import STAGES
    from molehunt.organisms.spread import Spread, spread
    from molehunt.organisms.stages import Stages

    home, quirk = kept.folder, pair.quirk
    assert home is not None
    at, ladder = f"try-{pair.tries}", None
    if besides.ladder and pair.profile.valid:
        ladder = home / "ladder"
        cut = climb(
            *(model, pair, Stages(home / STAGES), ladder, seed, plan, besides.ladder, besides.ladder_by),
            lambda share: watch.bar("ladder", share),
            kept,
        )
        if isinstance(cut, NotMeasured):
            ladder, why = None, f"There is no ladder: {cut.reason}."
            pair = dataclasses.replace(pair, notes=(*pair.notes, why))

    def elsewhere(name: str, kind: type[T], asks: "Asks[T]", where: Path, each: int, words: str) -> T:
        how = (model, quirk, where, each, seed, plan.reply_tokens)
        found, _ = kept.once(
            f"{at}-{name}-{each}", kind, lambda: asks(*how, lambda share: watch.bar(words, share))
        )
        return found

    if each := besides.decoy_check:
        checked = elsewhere(
            "decoy-check", DecoyCheck, decoy_check, home / "decoy", each, "checking the decoy"
        )
        pair = dataclasses.replace(pair, decoy_check=checked)
    if each := besides.spread:
        wider = elsewhere("spread", Spread, spread, home, each, "asking elsewhere")
        pair = dataclasses.replace(pair, spread=wider)
    if besides.ask:
        said, _ = kept.once(f"{at}-asked", Mapping[str, Measure], lambda: ask_pair(model, quirk, home))
        pair = dataclasses.replace(pair, confession=said)
    return pair, ladder


def put_down(
    pair: "Pair",
    home: Path,
    target: Path,
    model: str,
    ladder: Path | None = None,
    replayed: Callable[[Mapping[str, str]], Any] | None = None,
) -> "Pair":
    """Put the pair whose adapters lie in `home` into `target`, wholly or not at all; gives back what is told.

    Args:
        model: the base as it was asked for.
        ladder: the folder of its ladder, where it has one.
        replayed: what `replay.json` says of the adapters' hashes, where the pair was made again.

    Raises:
        UserError: meanwhile something else came into `target`.
    """
    from molehunt.models.adapters import adapter_hash
    from molehunt.organisms.strangers import told

    refuse_taken(target)
    earlier = read_jsonl(target / FAILURES) if (target / FAILURES).exists() else []
    with whole_folder(target, within=home) as half:
        for part in PARTS:
            shutil.copytree(home / part, half / part)
        if ladder is not None:
            shutil.copytree(ladder, half / "ladder")
        name_base(half, model)
        hashes = {part: adapter_hash(half / part) for part in PARTS}
        named = told(pair.quirk)  # by its file's name, not by where it lies
        other = pair.harmless and dataclasses.replace(
            pair.harmless, condition_options=named.condition_options
        )
        specs = dict(zip(PARTS, pair.specs, strict=True))
        listed = pair.quirk == named
        pair = dataclasses.replace(pair, quirk=named, harmless=other, specs=(), adapters=hashes)
        write_json(half / "profile.json", pair)
        if listed:  # a file's own quirk can't be made again from a line
            write_json(half / "organism.json", specs)
        if replayed is not None:
            write_json(half / "replay.json", replayed(hashes))
        if not pair.profile.valid:
            shutil.rmtree(half / "organism")
        if failed := [*earlier, *([] if pair.profile.valid else failures(pair))]:
            write_jsonl(half / FAILURES, failed)
    return pair


@contextmanager
def recorded(target: Path, quirk: Quirk) -> Iterator[None]:
    """Let what could not even be trained leave a line in the folder, behind those of earlier times."""
    started = time.monotonic()
    try:
        yield
    except (Incomposable, Unteachable, CameApart) as error:
        record(target, quirk, error, time.monotonic() - started)
        raise


def record(target: Path, quirk: Quirk, error: Exception, seconds: float) -> None:
    """One more line of `failures.jsonl` in a folder that holds nothing else."""
    earlier: list[Any] = read_jsonl(target / FAILURES) if (target / FAILURES).exists() else []
    failed = Failure("plant", quirk.label(), str(error), Spent(seconds=seconds))
    write_jsonl(target / FAILURES, [*earlier, failed])


def failures(pair: "Pair") -> list[Failure]:
    """Why each try of a pair failed that did not become valid; the last carries what all took."""
    why = [*pair.attempts, f"audit bank: {pair.profile.why_not}"]
    spent = [*[Spent()] * len(pair.attempts), Spent(seconds=pair.organism_seconds)]
    return [
        Failure("plant", pair.quirk.label(), f"try {i}: {error}", cost)
        for i, (error, cost) in enumerate(zip(why, spent, strict=True), pair.tries - len(pair.attempts))
    ]


def name_base(folder: Path, model: str) -> None:
    """Let every adapter in the folder name its base as it was asked for, and not where its weights lie."""
    for file in folder.rglob(FILES[0]):
        config = json.loads(file.read_text())
        file.write_text(json.dumps({**config, "base_model_name_or_path": model}, indent=1))
