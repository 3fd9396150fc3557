"""What a sitting is asked: which parts, of which model, where it lies; and what is in already."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from cells import PARTS, TRIES, Cell, cells
from planting import Setting, first_try_of, row_file, with_a_width
from published import bring
from searching import Budget

from molehunt.core.atomic import read_json, sweep, write_json
from molehunt.core.errors import RunMismatch, UserError
from molehunt.game.spec import GameSpec
from molehunt.organisms.plan import Plan

HERE = Path(__file__).parent
Asked = Literal[
    "doubted", "valid", "grid", "seeds", "replay", "concealed", "mixed", "mannered", "spread", "decoys",
    "difficulty", "worse",
]  # fmt: skip
EVERY: tuple[Asked, ...] = (*PARTS, "spread", "decoys", "difficulty", "worse")
"""All parts, in the order in which they are done."""


@dataclass(frozen=True)
class Study:
    """What is planted, and where it lies."""

    parts: tuple[Asked, ...] = EVERY
    """doubted: what scouting gave up. valid: every behaviour under three conditions. grid: sixty drawn pairs.
    seeds: eight cells from two seeds. replay: two cells twice from one seed. concealed, mixed: the eight
    cells taught to deny, and with rows mixed in. spread: whether bad advice, and three beside it, brings
    other behaviours along. decoys: whether eight decoys are clean of all behaviours; mannered: the same,
    planted with the base's own replies to others' questions among the lessons. difficulty: the least
    examples of one quirk of each behaviour, all four factors of four. worse: a search for organisms that
    the first game's auditors miss."""
    cells: int | None = None
    """At most so many cells of each part, or quirks of `difficulty`, from its beginning; none for all."""
    seeds: int = 3
    """Seeds of each scan of `difficulty`."""
    plantings: int = 12
    """Pairs that the search of `worse` may plant; what is planted anew at its end comes on top."""
    fresh: int = 10
    """Pairs of winner and plain spec each that `worse` plants anew on fresh seeds: its AUROC is of those
    where both took."""
    others: int = 0
    """The same on quirks that the search never saw. On the default model games draw five behaviours, three of
    which are searched on: fewer than six further pairs would say nothing."""
    calibration: Path | None = None
    """What judges in `worse`; none takes the shipped one, which is of the default model."""
    work: Path = Path("runs/studies/red_team")
    """Folder of what is kept between sittings."""
    out: Path = HERE
    """Folder of `results.json` and `README.md`."""
    model: str = "default"
    """Base model."""
    steps: int = GameSpec.steps
    """Steps that planting starts from; conditions and behaviours multiply them."""
    workers: int = 2
    """Processes, one thread each."""
    forget: bool = False
    """Delete the adapters of whole cells; other studies read them."""
    dry_run: bool = False
    """Say what is left to do and what it would cost, and do nothing."""

    @property
    def budget(self) -> Budget:
        """What the search of `worse` may cost."""
        return Budget(self.plantings, self.fresh, self.others, self.calibration)

    @property
    def setting(self) -> Setting:
        """What planters are told."""
        return Setting(self.work, self.model, self.steps, self.workers, self.forget)


def asked(study: Study) -> tuple[Cell, ...]:
    """Every cell of the parts that were asked for, each once, in the order of the study."""
    chosen = (c for part in PARTS if part in study.parts for c in cells(part)[: study.cells])
    return tuple({c.name: c for c in chosen}.values())


def traced(study: Study) -> frozenset[str]:
    """Names of the cells of which traces are wanted: those of `mixed`, where that was asked for."""
    return frozenset(c.name for c in cells("mixed")[: study.cells] if "mixed" in study.parts)


def rows_of(study: Study) -> dict[str, Any]:
    """Every whole row by its cell's name, whatever parts were asked for."""
    every = {c.name: c for part in PARTS for c in cells(part)}.values()
    files = {c.name: row_file(study.work, c) for c in every}
    return {name: with_a_width(read_json(path)) for name, path in files.items() if path.exists()}


def told(rows: Mapping[str, Any], steps: int) -> dict[str, Any]:
    """Cells of the grid that need no planting, and what the cells of `valid` say of them."""
    asked = [(c, rows.get(replace(c, tries=TRIES).name)) for c in cells("grid") if c.name not in rows]
    return {c.name: said for c, row in asked if row is not None and (said := first_try_of(c, row, steps))}


def begun_otherwise(rows: Mapping[str, Any], steps: int) -> list[dict[str, Any]]:
    """Cells whose first try had other steps than this version would give it, for its tables were changed."""
    from molehunt.organisms.learnable import steps_for

    every = {c.name: c for part in PARTS for c in cells(part)}
    found = []
    for name, row in rows.items():
        # Rows of older versions hold the steps of the last try alone.
        first = row.get("first_steps", round(row["steps"] / Plan.growth ** (row["tries"] - 1)))
        now = steps_for(every[name].quirk, steps)
        if first != now:
            quirk = {k: row[k] for k in ("behaviour", "condition", "options")}
            found.append({**quirk, "first_steps": first, "now": now})
    return found


def prepare(study: Study) -> None:
    """Make the working folder, or check that it is of the same model and steps; take what was published.

    Raises:
        UserError: a number that cannot be. RunMismatch: it holds cells of another model or of other steps,
            or results of such lie in `out`.
    """
    for name in ("seeds", "plantings", "workers", "steps"):
        if getattr(study, name) < 1:
            raise UserError(f"--{name} should be at least 1.")
    if not study.parts:
        raise UserError("--parts should name one at least.")
    if min(study.fresh, study.others) < 0 or (study.cells is not None and study.cells < 1):
        raise UserError("--fresh and --others should be 0 or more, --cells 1 or more.")
    study.work.mkdir(parents=True, exist_ok=True)
    spec, path = {"model": study.model, "steps": study.steps}, study.work / "study.json"
    if path.exists() and read_json(path) != spec:
        raise RunMismatch(
            f"{study.work} holds cells of {read_json(path)}, not of {spec}; choose another --work."
        )
    bring(study.out, study.work, spec, (c.name for part in PARTS for c in cells(part)))
    write_json(path, spec)
    sweep(study.work)
