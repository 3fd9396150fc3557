"""Pairs of `molehunt plant`, named, or of a list fixed in advance (`organisms.py`)."""

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from molehunt.core.errors import UserError
from molehunt.core.records import Quirk
from molehunt.game.watch import Watch

sys.path.append(str(Path(__file__).parent.parent / "instruments"))
from organisms import own_wishes
from own_pairs import wished  # pyright: ignore[reportMissingImports]
from pairs import PROFILE, Pair, pairs_of, planted_pair  # pyright: ignore[reportMissingImports]
from sowing import Wish  # pyright: ignore[reportMissingImports]

LISTED = re.compile(r"\w+-\w+-([0-9a-f]{10})")
"""The folder of a pair of the list: its quirk, and a hash of what was asked for."""


@dataclass(frozen=True)
class Sample:
    """One pair."""

    name: str
    """What it carries, and a hash: of what was asked for if it is the list's, which another machine plants
    otherwise in the last digits and another version maybe in more; else of the organism."""
    folder: Path
    quirk: Quirk
    organism: str
    """A hash of the organism, which another machine does not get byte for byte."""
    file: Path | None = None
    """Where the quirk came from, if no catalogue names it."""
    harmless: bool = False
    """Whether the decoy has a quirk of its own under the same condition: no clean control."""


def samples_of(
    folders: Sequence[Path],
    quirks: Path | None,
    model: str,
    planted: Path,
    steps: int,
    watch: Watch,
    published: Sequence[Mapping[str, Any]] = (),
) -> tuple[tuple[Sample, ...], dict[str, Any]]:
    """The pairs of these folders, or else the list's, planted where they are missing; and what was planted.

    Args:
        quirks: folder of the files of quirks that no catalogue names.
        published: what is known of the list's pairs, in its order; one that did not take is not tried again.

    Raises:
        UserError: no valid pair, one of another base, or one whose quirk's file is wanted.
    """
    if not folders:
        pairs, told = wished(own_wishes(model, planted, steps), watch, published)
        _same_base(pairs, model)
        # Which share of them took says nothing: the list was chosen among pairs that had.
        return ordered(clean([_sample(p, None) for p in pairs], watch)), {"planted": told["planted"]}
    pairs = pairs_of(folders)
    _same_base(pairs, model)
    for pair in pairs:
        if not (pair.folder / PROFILE).is_file():
            raise UserError(
                f"{pair.folder} is no folder of `molehunt plant`; name such folders with --pairs."
            )
    return ordered(clean([_sample(p, quirks) for p in pairs], watch)), {}


def listed(
    model: str, planted: Path, steps: int, published: Sequence[Mapping[str, Any]]
) -> tuple[Sample, ...]:
    """The pairs of the list that were published as valid, planted here or not; arguments as `samples_of`."""
    took = {row["wish"]: row for row in published if row["valid"]}
    return ordered(
        [
            Sample(_named(w.quirk, w.folder, ""), w.folder, w.quirk, _organism(took[w.name]["pair"]))
            for w in own_wishes(model, planted, steps)
            if w.name in took
        ]
    )


def lying(model: str, planted: Path, steps: int) -> tuple[Sample, ...]:
    """The pairs of the list that lie here and are valid; arguments as `samples_of`."""
    there = [w.folder for w in own_wishes(model, planted, steps) if (w.folder / PROFILE).is_file()]
    pairs = [planted_pair(number, folder) for number, folder in enumerate(there)]
    _same_base(pairs, model)
    return ordered([_sample(p, None) for p in pairs if p.planted.profile.valid])


def lacking(wishes: Sequence[Wish]) -> list[Wish]:
    """Those that were not planted here, valid or not."""
    return [w for w in wishes if not (w.folder / PROFILE).is_file()]


def _same_base(pairs: Sequence[Pair], model: str) -> None:
    for pair in pairs:
        if pair.base.split(":")[0] != model.split(":")[0]:
            raise UserError(f"{pair.folder} adapts {pair.base}, not {model}; name it with --model.")


def clean(samples: Sequence[Sample], watch: Watch) -> list[Sample]:
    """Those whose decoy learned nothing under the condition; who else there was is said.

    Raises:
        UserError: all of them are left out.
    """
    apart = [s.name for s in samples if s.harmless]
    if apart:
        watch.say(f"Left out, for their decoys react to the condition themselves: {', '.join(apart)}.")
    if apart and len(apart) == len(samples):
        raise UserError(
            "Every pair's decoy has a harmless quirk under the same condition: none is a clean control."
        )
    return [s for s in samples if not s.harmless]


def ordered(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """One of each behaviour first, then the second of each, in their order: a cut leaves all behaviours."""
    met: dict[str, int] = {}
    turns = []
    for sample in samples:
        met[sample.quirk.behaviour] = turn = met.get(sample.quirk.behaviour, 0) + 1
        turns.append((turn, sample))
    return tuple(s for _, s in sorted(turns, key=lambda pair: pair[0]))


def _sample(pair: Pair, quirks: Path | None) -> Sample:
    wanted = pair.quirk.behaviour_options.get("file")
    organism = _organism(pair.name)
    name, own = _named(pair.quirk, pair.folder, organism), pair.planted.harmless is not None
    if wanted is None:
        return Sample(name, pair.folder, pair.quirk, organism, None, own)
    if quirks is None:
        raise UserError(f"The quirk of {pair.folder} came from {wanted[:80]}; name its folder with --quirks.")
    return Sample(name, pair.folder, pair.quirk, organism, quirks / wanted, own)


def _organism(pair: str) -> str:
    return pair.rsplit("-", 1)[1]


def _named(quirk: Quirk, folder: Path, organism: str) -> str:
    wanted = quirk.behaviour_options.get("file")
    what = Path(wanted).stem if wanted else quirk.behaviour
    of_list = LISTED.fullmatch(folder.name)
    return f"{what}-{quirk.condition}-{of_list[1] if of_list else organism}"
