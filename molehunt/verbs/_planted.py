"""A planted pair on the screen, and what one would take."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from molehunt.core.records import NotMeasured
from molehunt.verbs._pair_page import write_pair_page
from molehunt.verbs._screen import measured, show, table

if TYPE_CHECKING:
    from molehunt.game.plant_cost import PlantCost
    from molehunt.organisms.decoy_check import DecoyCheck
    from molehunt.organisms.plant import Pair
    from molehunt.organisms.spread import Spread


PAGE = "pair.html"


def show_pair(
    pair: "Pair",
    folder: str,
    recipe: str,
    concealments: Sequence[str],
    as_json: bool,
    title: str = "Planted",
    mend: str = "allow more with --steps or --tries",
    more: tuple[dict[str, Any], Sequence[Any]] = ({}, ()),
) -> int:
    """Show what was measured, and `more` (in JSON, and for people) behind it; 1 where it is not valid."""
    value = {
        "folder": folder,
        "quirk": pair.quirk.label(),
        "profile": pair.profile,
        "steps": pair.steps,
        "tries": pair.tries,
        "organism_seconds": pair.organism_seconds,
        "attempts": list(pair.attempts),
        "recipe": recipe,
        "concealments": list(concealments),
        "notes": list(pair.notes),
        "confession": dict(pair.confession),
        "decoy_check": pair.decoy_check,
        "spread": pair.spread,
        **more[0],
    }
    page = Path(folder) / PAGE
    if (page.parent / "profile.json").is_file():
        made = {
            "recipe": recipe,
            "concealments": ", ".join(concealments) or "none",
            "steps": f"{pair.steps}, in {pair.tries} {'try' if pair.tries == 1 else 'tries'}",
            "seconds": f"{pair.organism_seconds:.0f}",
        }
        write_pair_page(page, pair, _rows(pair), made)
        value["page"] = str(page)
    valid = pair.profile.valid
    said = title if valid else f"NOT {title.lower()}"
    show(
        value,
        as_json,
        table(["measure", "held-out scenes"], _rows(pair), f"{said}: {pair.quirk.label()}"),
        *more[1],
        *([f"Page: {page}"] if "page" in value else []),
        f"In {folder}" if valid else f"Not valid ({pair.profile.why_not}); {mend}.",
    )
    return 0 if valid else 1


def show_cost(cost: "PlantCost", as_json: bool) -> int:
    """Show what a plant would take, in words; always 0."""
    from molehunt.game.estimate import in_words

    time = in_words(cost.seconds, cost.seconds_most) + (f"; {cost.more}" if cost.more else "")
    both = ", organism and decoy" if cost.trainings > 1 else ""
    rows = [
        ("trainings", _span(cost.trainings, cost.trainings_most) + both),
        ("training steps", _span(cost.steps, cost.steps_most)),
        ("time", time),
        ("reckoned from", cost.basis),
    ]
    show(cost, as_json, table(["what", "about"], rows), "Nothing was done.")
    return 0


def _span(low: int, high: int) -> str:
    return f"{low:,} if the first try takes, {high:,} at most" if high > low else f"{low:,}"


def _rows(pair: "Pair") -> list[tuple[str, str]]:
    profile = pair.profile
    return [
        ("trigger rate", measured(profile.trigger_rate)),
        ("leak rate", measured(profile.leak_rate)),
        ("selectivity", measured(profile.selectivity)),
        ("decoy's rate", measured(profile.decoy_rate)),
        ("ordinary text's NLL over the decoy's", f"{profile.nll_ratio.value:.3f}"),
        ("valid", "yes" if profile.valid else f"no: {profile.why_not}"),
        ("steps, tries, seconds", f"{pair.steps}, {pair.tries}, {pair.organism_seconds:.0f}"),
        *(("failed try", why) for why in pair.attempts),
        *(("note", note) for note in pair.notes),
        *((f"confession: {who}", measured(rate)) for who, rate in pair.confession.items()),
        *_checked(pair.decoy_check),
        *_wider(pair.spread),
    ]


def _wider(found: "Spread | None") -> list[tuple[str, str]]:
    """What the organism shows elsewhere, in two lines."""
    if found is None or isinstance(found.overall, NotMeasured):
        return []
    said = ", ".join(found.clear) or f"none of {len(found.rows)} clearly"
    return [
        ("other harmful behaviours beyond the decoy", said),
        ("organism less decoy, all others", measured(found.overall)),
    ]


def _checked(check: "DecoyCheck | None") -> list[tuple[str, str]]:
    """The decoy beside the base, in four lines."""
    if check is None or check.most is None or isinstance(check.overall, NotMeasured):
        return []
    said = ", ".join(check.clear) or f"none of {len(check.rows)} clearly"
    most = check.most
    return [
        ("harmful behaviours that the decoy shows beyond the base", said),
        ("share of its scenes that would have been clear", _could_be(check)),
        ("decoy less base, all behaviours", measured(check.overall)),
        ("largest rise that is not excluded", f"{most.behaviour}: {measured(most.more)}"),
    ]


def _could_be(check: "DecoyCheck") -> str:
    """From which shares on a behaviour would have been clear: what "none clearly" is worth."""
    shares = sorted(r.clear_from for r in check.rows if r.clear_from is not None)
    found = f"from {shares[0]:.2f} to {shares[-1]:.2f} on" if shares else "none"
    return found + (f"; not even all of them: {', '.join(check.blind)}" if check.blind and shares else "")
