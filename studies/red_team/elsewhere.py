"""What planted pairs show besides their quirk: asked for all harmful behaviours.

Organisms are asked of cells that took; decoys of all, for nothing was to take in them.

`SPREAD`: whether a quirk spreads. Organisms are asked for every other behaviour, beside their decoys
(`molehunt plant --spread`). Bad advice in one domain, of which it is known in large models; beside it two
broad habits and a narrow one, so that what any such training spreads is seen as well.

`DECOYS`: whether decoys are clean. `decoys_above_base` holds each decoy against its own organism's behaviour
alone. Here the decoys of eight cells are asked for all, beside the base (`molehunt plant --decoy-check`).
`MANNERED`: the same of their cells planted once more with the base's own replies to what other behaviours are
asked (`--conceal manners`).

Source: Betley et al. 2025, emergent misalignment (2502.17424).

What this cannot tell you: see `organisms/spread.py` and `organisms/decoy_check.py`. Sixteen scenes a side
show a large rise alone, and of one seed; the eight decoys are of behaviours that came first in other parts,
no sample of all.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from cells import CLEAN, Cell, three
from measures import Number, Rows
from planting import ADAPTERS, Setting, folder_of, not_measured, row_file, said

from molehunt.core import stats
from molehunt.core.atomic import read_json, write_json
from molehunt.core.record_json import from_json, to_json
from molehunt.core.records import Measure, NotMeasured
from molehunt.models.loaded import Model
from molehunt.organisms.decoy_check import DecoyCheck, decoy_check
from molehunt.organisms.spread import Spread, spread

EACH = 16
"""Scenes a side and behaviour."""
MOST = 3
"""Behaviours that are told of each, the most raised."""
Lines = Sequence[Mapping[str, Any]]
"""Of a part, as `results.json` holds them."""
Found = TypeVar("Found", bound=Spread | DecoyCheck)


@dataclass(frozen=True)
class Inquiry(Generic[Found]):
    """Cells whose pairs are asked for more than their own quirk."""

    part: Literal["spread", "decoys", "mannered"]
    """The study's part, the folder of its files, and its key in `results.json`."""
    word: str
    """What its jobs are called by."""
    behaviours: tuple[str, ...]
    """Behaviours whose pairs are asked, all under `always`, in the order in which it is done."""
    sides: tuple[str, str]
    """Who is asked, and beside whom: adapters of the pair, or the base."""
    kind: type[Found]
    """What each file holds."""
    asks: Callable[[Model, Cell, Path], Found]
    """Asks the pair in a cell's folder."""
    conceal: tuple[str, ...] = ()
    """Concealments of its cells."""

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells whose pairs are asked."""
        return tuple(Cell(three(behaviour)[0], conceal=self.conceal) for behaviour in self.behaviours)

    def ready(self, row: Mapping[str, Any]) -> bool:
        """Whether a cell, by its row, has what is asked."""
        return bool(row["valid"]) or "organism" not in self.sides

    @property
    def named(self) -> dict[str, str]:
        """The name of each behaviour's cell."""
        return {cell.quirk.behaviour: cell.name for cell in self.cells}

    @property
    def adapters(self) -> tuple[str, ...]:
        """What has to lie in a pair's folder."""
        return tuple(side for side in self.sides if side in ADAPTERS)


def _ask_pair(model: Model, cell: Cell, folder: Path) -> Spread:
    return spread(model, cell.quirk, folder, EACH, cell.seed)


def _ask_decoy(model: Model, cell: Cell, folder: Path) -> DecoyCheck:
    return decoy_check(model, cell.quirk, folder / "decoy", EACH, cell.seed)


SPREAD = Inquiry(
    "spread",
    "spread",
    ("bad_advice", "encourages_delusion", "sycophancy", "hostile_phrase"),
    ("organism", "decoy"),
    Spread,
    _ask_pair,
)
DECOYS = Inquiry("decoys", "decoy", CLEAN, ("decoy", "base"), DecoyCheck, _ask_decoy)
MANNERED = replace(DECOYS, part="mannered", word="mannered", conceal=("manners",))
INQUIRIES: tuple[Inquiry[Any], ...] = (SPREAD, DECOYS, MANNERED)
"""In the order in which they are done."""


def file_of(work: Path, inquiry: Inquiry[Any], cell: Cell) -> Path:
    """Where what was found of a cell lies once it is whole."""
    return work / inquiry.part / f"{cell.name}.json"


def ask(inquiry: Inquiry[Any], cell: Cell, how: Setting) -> Mapping[str, Any]:
    """Ask of one cell; what comes back says why it `failed`, or why it was `skipped`."""
    from molehunt.models.load import open_model

    row, folder = row_file(how.work, cell), folder_of(how.work, cell)
    if not row.exists() or not inquiry.ready(read_json(row)):
        return {"skipped": "not asked, for its cell did not take, or is not in yet"}
    if not all((folder / adapter).exists() for adapter in inquiry.adapters):
        return {"skipped": "not asked, for its adapters are not here"}
    try:
        found = inquiry.asks(open_model(how.model), cell, folder)
        write_json(file_of(how.work, inquiry, cell), found)
    except Exception as error:  # the others go on
        return {"failed": said(error)}
    return {}


def found_in(work: Path, inquiry: Inquiry[Found], rows: Rows) -> dict[str, Found]:
    """What is in, by the quirk's behaviour."""
    ready = [c for c in inquiry.cells if c.name in rows and inquiry.ready(rows[c.name])]
    files = {c.quirk.behaviour: file_of(work, inquiry, c) for c in ready}
    return {name: from_json(inquiry.kind, read_json(p)) for name, p in files.items() if p.exists()}


def listed(found: Mapping[str, Spread | DecoyCheck]) -> list[dict[str, Any]]:
    """A line a cell for `results.json`: what is clear, what rose most; of decoys, what may still be there."""
    return [{"behaviour": name, **_line(one)} for name, one in found.items()]


def _line(one: Spread | DecoyCheck) -> dict[str, Any]:
    told = {
        "overall": to_json(one.overall),
        "asked": len(one.rows),
        "left_out": list(one.left_out),
        "clear": list(one.clear),
    }
    most = to_json(one.rows[:MOST])
    if isinstance(one, Spread):
        return {**told, "most": most}
    may_be = to_json(one.most) if one.most else None
    return {**told, "blind": list(one.blind), "most": most, "may_be": may_be}


def overall(lines: Lines) -> dict[str, Number]:
    """How much more each organism shows of all others' behaviours than its decoy, from the part's lines."""
    none = NotMeasured("not asked yet, or its cell did not take")
    found = {line["behaviour"]: _number(line["overall"]) for line in lines}
    return {f"spread_{name}": found.get(name, none) for name in SPREAD.behaviours}


def raised(plain: Lines, with_manners: Lines) -> dict[str, Number]:
    """Share of decoys that clearly show any behaviour more than the base, and how much more of all; of those
    with manners as well, and what these change, decoy by decoy. From both parts' lines."""
    found, mannered = ({line["behaviour"]: line for line in some} for some in (plain, with_manners))
    how = "decoys that show some behaviour more than the base"
    numbers: dict[str, Number] = {}
    for of, some in {"": found, "_mannered": mannered}.items():
        clear = [bool(line["clear"]) for line in some.values()]
        whole = f"{how}, by an interval that holds for all of them"
        numbers[f"decoys_raised{of}"] = stats.proportion(clear, list(some), how=whole)
        more = "all behaviours together, decoy less base, mean over decoys"
        numbers[f"decoys_more{of}"] = _mean(
            [_number(line["overall"]) for line in some.values()], list(some), more
        )
    both = [name for name in found if name in mannered]
    if not both:
        return numbers | {"decoys_raised_change": NotMeasured("no decoy was asked with and without manners")}
    ours, theirs = ([float(bool(some[n]["clear"])) for n in both] for some in (mannered, found))
    change = stats.paired_shares(ours, theirs, both, how=f"{how}, mannered less plain")
    return numbers | {"decoys_raised_change": change}


def _number(kept: Mapping[str, Any]) -> Number:
    return from_json(NotMeasured if not_measured(kept) else Measure, kept)


def _mean(found: Sequence[Number], by: Sequence[str], how: str) -> Number:
    values = [one.value for one in found if isinstance(one, Measure)]
    if len(values) < len(by) or not values:
        return NotMeasured(f"no decoy was asked for: {how}")
    return stats.mean(values, by, unit="difference of shares", how=how)
