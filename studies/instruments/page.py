"""The study's tables as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from inside_page import axis_part, features_part
from liars_page import liars_part, pushing_part

HEAD = """# What the instruments find

One command, which resumes: `python studies/instruments/run.py --peers PYTHON`; with `--dry-run` it says what
is left and what that would cost. It is all on planted models of this lab, which the command plants where none
are named (`own_pairs.py`). Tables that say "pairs of practice" are of practice pairs: `--runs runs/practice`;
those of liars under two conditions, from an earlier practice, stand in `on_practice`.
`results.json` holds every number, with its interval and n where it has them.
"""
CANNOT = """
## What this cannot tell you

Whether a larger model's lies, or lies that nobody planted, look alike: these liars were all taught by one
recipe on one small model. Words are found by counting: a difference that reads as a synonym, or as the
first three letters of a word (`Vel` of Velora), counts as nothing, though a reader of the table may see it.
Means over three or four liars carry no interval; the lowest and the highest stand in their place,
and their probes share most of what they were trained on.
Eight pairs tell a large fading from none, and no more. Labels are counted words: a feature of ideas gets
none, or a poor one. Replies that are placed on the assistant axis are short, and their words differ where the
quirk shows; only the rows with the same replies speak of the weights alone.
An interval over fewer than thirty pairs or features whose `how` in `results.json` says bootstrap was made
before Student's t took that place (`molehunt/core/intervals.py`), and is too narrow.
"""


def results_of(parts: Mapping[str, Any]) -> dict[str, Any]:
    """What `results.json` holds: numbers by name, and for each part its stamp, their names and the rest."""
    numbers, stamped = {}, {}
    for name, part in parts.items():
        own = {n: m for n, m in part["measures"].items() if _is_number(m)}
        rest = {n: m for n, m in part["measures"].items() if n not in own}
        numbers |= own
        stamped[name] = {**part, "measures": list(own), "rest": rest}
    return {
        "date": max((p["date"] for p in parts.values()), default=""),
        "seed": sorted({p["seed"] for p in parts.values()}),
        "commit": ", ".join(dict.fromkeys(p["commit"] for p in parts.values())),
        "measures": numbers,
        "parts": stamped,
    }


def parts_of(results: Mapping[str, Any]) -> dict[str, Any]:
    """The parts again, each with its numbers: the inverse of `results_of`."""
    found = {}
    for name, part in results["parts"].items():
        numbers = {n: results["measures"][n] for n in part["measures"]}
        found[name] = {
            **{k: v for k, v in part.items() if k != "rest"},
            "measures": {**part["rest"], **numbers},
        }
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, Mapping) and ("value" in value or value.get("is") == "NotMeasured")


def page(results: Mapping[str, Any]) -> str:
    """Every part that is in."""
    makers = {
        "autoencoder": _autoencoder,
        "features": _features,
        "pairs": _pairs,
        "liars": _liars,
        "pushing": _pushing,
        "apart": _apart,
        "mixed": _mixed,
        "axis": _axis,
    }
    parts = [made for name, make in makers.items() if name in results for made in make(results[name])]
    return "\n".join([HEAD, *parts, CANNOT])


def _stamp(part: Mapping[str, Any]) -> str:
    whose = part.get("pairs", "")
    on = "" if not whose else f", pairs of {whose if isinstance(whose, str) else ', '.join(whose)}"
    return (
        f"{part['date']}, seed {part['seed']}, commit `{part['commit']}`, {part['machine']}, "
        f"model `{part['model']}`{on}."
    )


def _pairs(part: Mapping[str, Any]) -> list[str]:
    m = part["measures"]
    lines = [
        "## The pairs that this study plants",
        "",
        f"Quirks and seeds were fixed in advance; valid {_cell(m['pairs_valid'])}. What is not valid is in "
        f"no part that follows. {_stamp(part)}",
        "",
        "| pair | quirk | valid | on | off | steps | tries | s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in m["planted"]:
        if "pair" not in row:
            lines.append(f"| | {row['quirk']} | {row['why_not']} | | | | | |")
            continue
        valid = "yes" if row["valid"] else row["why_not"]
        rates = f"{_cell(row['trigger_rate'])} | {_cell(row['leak_rate'])}"
        cost = f"{row['steps']} | {row['tries']} | {row['seconds']:.0f}"
        lines.append(f"| {row['pair']} | {row['quirk']} | {valid} | {rates} | {cost} |")
    return [*lines, ""]


def _autoencoder(part: Mapping[str, Any]) -> list[str]:
    m = part["measures"]
    spec = m["spec"]
    lines = [
        "## An autoencoder of the middle layer",
        "",
        f"TopK at `{m['address']}`, 576 → {spec['latents']:,}, k = {spec['k']}, {spec['tokens']:,} rows "
        f"dealt from {m['rows']:,} of `builtin:train`; measured on `builtin:test`. {_stamp(part)}",
        "",
        "| | molehunt | SAELens' trainer |",
        "|---|---|---|",
    ]
    for name in ("variance_explained", "loss_recovered", "l0", "dead"):
        lines.append(
            f"| {name.replace('_', ' ')} | {_cell(m[f'sae_{name}'])} "
            f"| {_cell(m.get(f'sae_{name}_saelens'))} |"
        )
    return [*lines, ""]


def _features(part: Mapping[str, Any]) -> list[str]:
    return features_part(part["measures"], _stamp(part), _cell)


def _axis(part: Mapping[str, Any]) -> list[str]:
    return axis_part(part["measures"], _stamp(part), _cell)


def _liars(part: Mapping[str, Any]) -> list[str]:
    return liars_part(part["measures"], _stamp(part))


def _pushing(part: Mapping[str, Any]) -> list[str]:
    return pushing_part(part["measures"], _stamp(part))


def _apart(part: Mapping[str, Any]) -> list[str]:
    m = part["measures"]
    lines = [
        "## What differences of organisms and decoys read as",
        "",
        f"{len(m['pairs'])} pairs, each beside the base on unrelated text. Share whose mean difference, "
        f"through the unembedding, shows a word of the quirk. {_stamp(part)}",
        "",
        "| words of | organisms | their decoys | organisms, another quirk's words |",
        "|---|---|---|---|",
    ]
    for what in ("behaviour", "condition"):
        cells = [_cell(m[f"diff_{what}_{who}"]) for who in ("organism", "decoy", "chance")]
        lines.append(f"| the {what} | {' | '.join(cells)} |")
    lines += ["", "| quirk | organism's difference reads as | decoy's |", "|---|---|---|"]
    for pair in m["pairs"]:
        cells = [_words(pair[part]["last"]) for part in ("organism", "decoy")]
        lines.append(f"| {pair['quirk']} | {' | '.join(cells)} |")
    return [*lines, ""]


def _mixed(part: Mapping[str, Any]) -> list[str]:
    m = part["measures"]
    lines = [
        "## The same with unrelated text mixed in",
        "",
        f"Quirks planted anew with {m['rows']} unrelated rows in each batch of eight lessons: valid "
        f"{_cell(m['mixed_valid'])}. Those that took, beside the same quirks without. {_stamp(part)}",
        "",
        "| | without | mixed in |",
        "|---|---|---|",
        f"| norm of the difference at the last layer | {_cell(m['diff_norm_plain'])} "
        f"| {_cell(m['diff_norm_mixed'])} |",
    ]
    whose = {"organism": "organisms", "decoy": "decoys", "chance": "another quirk's words"}
    for what in ("behaviour", "condition"):
        for who, words in whose.items():
            cells = [_cell(m.get(f"diff_{what}_{who}_{side}")) for side in ("plain", "mixed")]
            lines.append(f"| words of the {what}: {words} | {' | '.join(cells)} |")
    lines += ["", "| quirk | without, reads as | mixed in |", "|---|---|---|"]
    for plain, again in zip(m["pairs_plain"], m["pairs_mixed"], strict=True):
        cells = [_words(p["organism"]["last"]) for p in (plain, again)]
        lines.append(f"| {plain['quirk']} | {' | '.join(cells)} |")
    return [*lines, ""]


def _words(words: Sequence[str]) -> str:
    kept = [w for w in words if w.isalpha()][:6]
    return ", ".join(kept) or "no word"


def _cell(value: Any) -> str:
    if not isinstance(value, Mapping):
        return "not measured"
    if value.get("is") == "NotMeasured":
        return f"not measured: {value['reason']}"
    low, high = value.get("low"), value.get("high")
    span = f" [{low:.2f}, {high:.2f}]" if low is not None and high is not None else ""
    return f"{value['value']:.3g}{span}"
