"""Holds a new version of a model against an old one before it shapes the next.

OLD and NEW are any names that the lab opens: `default`, a Hugging Face id, a model's or an adapter's folder,
a suspect (RUN:NAME). Both are asked the same items, and every measure has a bound that was set before
(--bounds). Then the blind audit looks at NEW. Writes `results.json` and `gate.html`, and records the gate in
a lineage (runs/lineage, or --lineage), where a version that passes becomes the current one; `molehunt
character` and `molehunt label` ask it who may be trained, teach, judge or label. With --out nothing is
recorded. Exit code 0: it passes; 1: it is stopped; 2: something in what was asked is wrong. The same command
goes on where it stopped; the folder alone is enough (--lineage, or --out).
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from molehunt.core.asked import kept
from molehunt.core.errors import UserError
from molehunt.core.lineage import HOME
from molehunt.core.records import NotMeasured
from molehunt.game.spec import METHODS
from molehunt.verbs._begun import gone_on, noted
from molehunt.verbs._screen import show, table

if TYPE_CHECKING:
    from molehunt.gate.bounds import Bounds

STOPPED = "Stopped; answers are kept: run the same command again to go on."
UNASKED = arg(
    help="Leave the audit of NEW out; it may then pass, but not judge.", help_behavior_hint="(default: on)"
)


@dataclass(frozen=True)
class Options:
    """Which two versions, under which bounds, and where it is recorded."""

    old: Annotated[Positional[str | None], arg(metavar="OLD")] = None
    """The version that is good: `default`, `tiny`, a Hugging Face id, a folder, or RUN:NAME."""
    new: Annotated[Positional[str | None], arg(metavar="NEW")] = None
    """The version that wants to take its place, of the same kinds."""
    out: Path | None = None
    """Folder for what is found, in place of a lineage: who may shape whom is not recorded then."""
    lineage: Path | None = None
    """Folder of the lineage in which the gate is recorded, begun with OLD where there is none; runs/lineage
    if not named."""
    bounds: str = "usual"
    """How much worse NEW may be: `usual`, `values` (for a training toward a character), or a JSON file of
    your own, written before you look."""
    base: str = ""
    """What adapters are put on; by default the model that their configuration names."""
    audit: Annotated[bool, UNASKED] = True
    """Whether the blind audit looks at NEW."""
    methods: tuple[str, ...] = METHODS
    """Auditing methods that look at NEW."""
    calibration: Path | None = None
    """What judges the audit (`molehunt practice` writes one); none takes the shipped one where it fits."""
    effort: float = 1.0
    """Scales the audit's samples; a calibration holds for its own effort."""
    early: bool = False
    """Ask nothing more as soon as one measure shuts the gate."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Precision of both; in another precision the same weights are another version."""
    dry_run: bool = False
    """Say what would be asked, and do nothing."""
    seed: int = 0
    """Chooses and orders the items, and seeds the audit."""
    json: bool = False
    """Print what was found as JSON."""


def again(options: Options, said: Collection[str]) -> Options:
    """The options with those of the gate that was broken off in the folder, unless others are to be held."""
    home = options.out or options.lineage or HOME
    begun = kept(home)
    two = {n: getattr(options, n) for n in ("old", "new") if getattr(options, n) is not None}
    if begun is None or begun.done or any(begun.options.get(n) != v for n, v in two.items()):
        return options
    return gone_on(options, {*said, *two}, begun, home)


def run(options: Options) -> int:
    """Ask both, decide, record, show."""
    from molehunt.game.gating import gate, wish

    if options.old is None or options.new is None:
        raise UserError(
            "Name OLD and NEW; without them a gate that was broken off in the folder goes on. "
            "See `molehunt gate --help`."
        )
    if options.out is not None and options.lineage is not None:
        raise UserError("--out records nothing in a lineage; give it or --lineage, not both.")
    asked = wish(
        options.old,
        options.new,
        options.bounds,
        base=options.base,
        audit=options.audit,
        methods=options.methods,
        calibration=options.calibration,
        effort=options.effort,
        early=options.early,
        dtype=options.dtype,
        seed=options.seed,
    )
    if options.dry_run:
        return _reckoned(options, asked.bounds)
    from molehunt.game.gate_line import gate_in_line
    from molehunt.game.watch import watching
    from molehunt.verbs._gate_page import SHORT, audit_said, said, short_rows, write_gate_page

    home = options.lineage or HOME
    with watching() as watch:
        if options.out is not None:
            found, lineage = gate(asked, options.out, watch, noted(options)), None
        else:
            found, lineage = gate_in_line(asked, home, watch, note=noted(options, drop=("lineage",)))
    page = Path(found.folder) / "gate.html"
    write_gate_page(page, found, lineage)
    value = {
        "passed": found.passed,
        "why": list(found.why),
        "current": None if lineage is None else lineage.current,
        "gate": found,
    }
    show(
        value,
        options.json,
        table(SHORT, short_rows(found.comparison)),
        said(found),
        audit_said(found),
        *(() if lineage is None else (f"Current in {home}: {lineage.current}.",)),
        f"Page: {page}",
    )
    return 0 if found.passed else 1


def _sized(options: Options, name: str) -> str:
    """By whose size a version is reckoned: an adapter by its base, which --base may name."""
    adapter = (Path(name).expanduser() / "adapter_config.json").is_file()
    return options.base if options.base and adapter else name


def _reckoned(options: Options, bounds: "Bounds") -> int:
    from molehunt.game.estimate import in_words
    from molehunt.gate.comparing import counts
    from molehunt.verbs._values_cost import gate_time

    found = counts(bounds, options.seed)
    heads = ("measure", "first look", "second look, where open")
    lines = [(name, str(n[0]), str(n[1]) if len(n) > 1 else "—") for name, n in found.items()]
    first, second = sum(n[0] for n in found.values()), sum(sum(n[1:]) for n in found.values())
    old, new = _sized(options, options.old or ""), _sized(options, options.new or "")
    times = gate_time(old, new, bounds, found)
    value = {"measures": {n: list(c) for n, c in found.items()}, "first": first, "second": second}
    value |= {"time_first": times[0], "time_both": times[1]}
    end = (
        f"{first:,} items of both at the first look, at most {second:,} more at the second. Nothing was done."
    )
    audit = " An audit comes on top." if options.audit else ""
    known = not isinstance(times[1].seconds, NotMeasured)
    whole = f"With a second look of everything {in_words(times[1].seconds, times[1].seconds)}."
    show(
        value,
        options.json,
        table(heads, lines),
        end,
        times[0].said,
        f"{whole if known else ''}{audit}".strip(),
    )
    return 0
