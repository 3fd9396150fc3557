"""What is left to do, part by part, and what it would cost.

A piece is whole where its file stands. No model is opened for that: a piece that was made with another seed
or of other weights is made anew when the study runs, and counts as whole here. What a piece costs is the mean
time of the whole ones of its kind that say theirs; pairs go by the steps of their first tries. Where no pair
is planted yet nobody knows which will be valid, so that counts of what is done with pairs are upper bounds.
"""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import autoencoder
import browsing
import mixed
from hearing import heard_in, lies_at_times
from own_pairs import own_wishes
from pairs import Pair, pairs_of, planted_pair, seconds_of
from sowing import WORKERS, Wish

from molehunt.core.records import Quirk
from molehunt.organisms.learnable import steps_for
from molehunt.organisms.plan import Plan


@dataclass(frozen=True)
class Kept:
    """Pieces of one kind, of which some may stand."""

    what: str
    """In the plural."""
    files: tuple[Path, ...]
    """Those that have a name already."""
    coming: int = 0
    """How many more there are at most."""
    beside: tuple[Path, ...] = ()
    """Whole pieces of the same kind elsewhere, which say a pace too."""

    @property
    def left(self) -> int:
        """How many do not stand."""
        return self.coming + sum(not f.exists() for f in self.files)

    def said(self) -> str:
        """How many of how many are left, and how long they would take."""
        many = f"{self.left} of {len(self.files) + self.coming} {self.what}"
        known = [s for f in (*self.files, *self.beside) if (s := seconds_of(f)) is not None]
        if not known:
            return f"{many} (not timed yet)"
        return (
            f"{many} ({_time(statistics.fmean(known) * self.left)} at the mean of {len(known)} that are in)"
        )


@dataclass(frozen=True)
class Pairs:
    """What a sitting is about: pairs that are there, and quirks that are still to be planted."""

    there: tuple[Pair, ...]
    coming: tuple[Quirk, ...] = ()

    def liars(self) -> "Pairs":
        """Those that lie under a condition."""
        return Pairs(
            tuple(p for p in self.there if lies_at_times(p.quirk)),
            tuple(q for q in self.coming if lies_at_times(q)),
        )


def cost(
    parts: Sequence[str],
    on_pairs: Sequence[str],
    runs: Sequence[Path],
    model: str,
    work: Path,
    steps: int,
    seed: int,
    peers: bool,
) -> str:
    """A line a part: how much of it is left, and for how long.

    Raises:
        UserError: `runs` name no pairs.
    """
    lines, known = [], Pairs(())
    if set(parts) & set(on_pairs):
        known = Pairs(tuple(pairs_of(runs)))
        if not runs:
            wishes = own_wishes(model, work / "pairs", steps)
            lines.append(f"pairs: {_planting(wishes)}.")
            known = _own(wishes)
    for part in parts:
        said = [k.said() for k in _kinds(part, known, work, steps, seed, peers) if k.left]
        if part == "mixed":
            wishes = _again(known, work / part, steps, seed)
            said.insert(0, _planting(wishes) + _unnamed(known))
        lines.append(f"{part}: {'; '.join(said) or 'nothing'} left.")
    return "\n".join(lines)


def _kinds(part: str, known: Pairs, work: Path, steps: int, seed: int, peers: bool) -> list[Kept]:
    here = work / part
    if part == "autoencoder":
        return _coders(here, peers)
    if part == "features":
        return [
            Kept(f"measurements on {browsing.MEASURED:,} rows", (here / "worth.json",)),
            Kept(f"captures of {browsing.TOKENS:,} rows", (here / "acts" / "capture.json",)),
            Kept("stores", (here / "store" / "store.json",)),
            Kept(f"sets of {browsing.LABELLED} labels", (here / "labels" / "label.json",)),
            Kept("rounds of lookups", (here / "lookups.json",)),
        ]
    liars = known.liars()
    heard = Kept("liars to hear", tuple(heard_in(work, p) for p in liars.there), len(liars.coming))
    if part == "liars":
        return [heard, _each("liars to probe and steer", here, liars)]
    if part == "pushing":
        ways = [here / f"{by}-{p.name}.json" for p in liars.there for by in ("others", "other_conditions")]
        return [heard, Kept("pushes", tuple(ways), 2 * len(liars.coming))]
    if part == "apart":
        return [_each("differences of an organism and of its decoy", here, known)]
    if part == "axis":
        axis = Kept("axes", (here / "axis" / "persona.json",))
        return [axis, _each("pairs placed on the axis", here, known)]
    return [_mixed(known, here, steps, seed)]


def _coders(here: Path, peers: bool) -> list[Kept]:
    ours = next(iter(here.glob("ours/*/sae.json")), here / "ours" / "sae.json")
    files = [ours, *([here / "saelens" / "sae.json"] if peers else [])]
    looks = [here / "ours.json", *([here / "saelens.json"] if peers else [])]
    return [
        Kept(f"captures of {autoencoder.ROWS:,} rows", (here / "acts" / "capture.json",)),
        Kept(f"trainings on {autoencoder.TRAINED:,} rows", tuple(files)),
        Kept(f"measurements on {autoencoder.TESTED:,} rows", tuple(looks)),
    ]


def _each(what: str, folder: Path, known: Pairs) -> Kept:
    return Kept(what, tuple(folder / f"{p.name}.json" for p in known.there), len(known.coming))


def _mixed(known: Pairs, here: Path, steps: int, seed: int) -> Kept:
    """Differences of what is planted anew: of both columns, the plain one shared with `apart`."""
    wishes = _again(known, here, steps, seed)
    again = {w.name: planted_pair(int(w.name[:2]), w.folder) for w in wishes if w.folder.exists()}
    valid = {name: pair for name, pair in again.items() if pair.planted.profile.valid}
    files = [here / "apart" / f"{pair.name}.json" for pair in valid.values()]
    files += [here.parent / "apart" / f"{name}.json" for name in valid]
    open_ = min(mixed.PAIRS, len(wishes) + len(known.coming)) - len(again)
    beside = tuple((here.parent / "apart").glob("*.json"))
    return Kept("differences of an organism and of its decoy", tuple(files), 2 * open_, beside)


def _again(known: Pairs, here: Path, steps: int, seed: int) -> list[Wish]:
    return mixed.wishes_of(known.there, here, seed, steps)


def _unnamed(known: Pairs) -> str:
    more = sum(q.listed for q in known.coming)
    return f", and of {more} pairs to come those among the first {mixed.PAIRS}" if more else ""


def _planting(wishes: Sequence[Wish]) -> str:
    """How many pairs are to be planted, in steps and by the pace of those that are there."""
    left = [w for w in wishes if not w.folder.exists()]
    many = f"{len(left)} of {len(wishes)} to plant"
    if not left:
        return many
    steps = sum(steps_for(w.quirk, w.steps) for w in left)
    made = [planted_pair(i, w.folder).planted for i, w in enumerate(wishes) if w.folder.exists()]
    paces = [p.organism_seconds / sum(p.steps / Plan.growth**n for n in range(p.tries)) for p in made]
    said = f"{many}, {steps:,} steps at their first tries"
    if not paces:
        return f"{said} (not timed yet)"
    # A decoy takes as long as its organism.
    seconds = 2 * statistics.fmean(paces) * steps / WORKERS
    return f"{said} ({_time(seconds)} at the mean pace of {len(paces)} that are in, retries aside)"


def _own(wishes: Iterable[Wish]) -> Pairs:
    there, coming = [], []
    for number, wish in enumerate(wishes):
        if wish.folder.exists():
            there.append(planted_pair(number, wish.folder))
        else:
            coming.append(wish.quirk)
    return Pairs(tuple(p for p in there if p.planted.profile.valid), tuple(coming))


def _time(seconds: float) -> str:
    return f"about {seconds / 3600:.1f} hours" if seconds >= 3600 else f"about {max(1, seconds / 60):.0f} min"
