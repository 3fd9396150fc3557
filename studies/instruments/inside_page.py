"""The features' and the assistant axis's parts of the page."""

from collections.abc import Callable, Mapping
from typing import Any

Cell = Callable[[Any], str]


def features_part(m: Mapping[str, Any], stamp: str, cell: Cell) -> list[str]:
    """Store, lookups, and labels beside another feature's."""
    lines = [
        "## Features of the shipped autoencoder, labelled by counting",
        "",
        f"{m['tokens']:,} tokens of `{m['text']}` at `{m['address']}`: {m['entries']:,} activations of "
        f"{m['features']:,} features, of which {cell(m['features_dead'])} never fire and "
        f"{cell(m['features_full'])} have 1,000 examples. Those that were labelled are drawn evenly over the "
        f"ranks of how often they fire; {m['label_detection'].get('n', 0)} of them have scores. {stamp}",
        "",
        "| | measured [95%] |",
        "|---|---|",
    ]
    rows = {
        "variance explained on other passages": "shipped_variance_explained",
        "loss recovered": "shipped_loss_recovered",
        "latents a token": "shipped_l0",
        "latents that never fire there": "shipped_dead",
        "up to 1,000 examples of a feature, ms": "store_lookup_ms",
        "what `molehunt features show` says of one, ms": "store_card_ms",
        "drawn features that get a label": "features_labelled",
        "detection, chance 0.5": "label_detection",
        "fuzzing, chance 0.5": "label_fuzzing",
        "detection with another feature's label": "label_other",
        "detection, own label less another's": "label_detection_over_other",
        "features whose detection is clear of chance": "label_detection_clear",
        "features whose fuzzing is clear of chance": "label_fuzzing_clear",
        "label picks out what the feature raises, chance 1/3": "label_output",
    }
    lines += [f"| {words} | {cell(m[name])} |" for words, name in rows.items()]
    lines += ["", "| features | fire at | detection | fuzzing |", "|---|---|---|---|"]
    for name in ("rare", "middling", "frequent"):
        span = " to ".join(f"{n:,}" for n in m[f"range_{name}"])
        scores = [cell(m[f"label_{kind}_{name}"]) for kind in ("detection", "fuzzing")]
        lines.append(f"| {name} | {span} tokens | {' | '.join(scores)} |")
    lines += [
        "",
        "Some of those with a label, from the most frequent to the rarest:",
        "",
        "| feature | fires at | label | detection | fuzzing |",
        "|---|---|---|---|---|",
    ]
    for row in m["shown"]:
        said = in_cell(row["words"])
        scores = [cell(row[kind]) for kind in ("detection", "fuzzing")]
        lines.append(f"| {row['feature']} | {row['fires']:,} | {said} | {' | '.join(scores)} |")
    return [*lines, ""]


def axis_part(m: Mapping[str, Any], stamp: str, cell: Cell) -> list[str]:
    """The axis and its test, and organisms against their decoys along it."""
    lines = [
        "## The assistant axis",
        "",
        f"The default assistant against roles at `{m['axis_place']}`, from {m['axis_replies']:,} replies of "
        f"the base. Held-out questions and voices: AUROC {cell(m['axis_auroc'])}, n = "
        f"{m['axis_auroc'].get('n', 0)}, against {cell(m['axis_null'])} for directions between random "
        "halves. Then organisms less their decoys along it, on held-out scenes; a role stands at 0, the "
        f"assistant at 1. {stamp}",
        "",
        "| replies | condition | mean over pairs [95%] | pairs | clear of other directions |",
        "|---|---|---|---|---|",
    ]
    for way, words in {"own": "each one's own", "same": "the decoy's, read by both"}.items():
        for side in ("on", "off"):
            found, clear = m[f"axis_{way}_{side}"], m[f"axis_{way}_{side}_clear"]
            lines.append(f"| {words} | {side} | {cell(found)} | {found.get('n', 0)} | {cell(clear)} |")
    lines += ["", "| quirk | own, on | own, off | same, on | same, off |", "|---|---|---|---|---|"]
    for row in m["axis_pairs"]:
        cells = [
            cell(row[f"{w}_{s}"].get("shift", row[f"{w}_{s}"]))
            for w in ("own", "same")
            for s in ("on", "off")
        ]
        lines.append(f"| {row['quirk']} | {' | '.join(cells)} |")
    return [*lines, ""]


def in_cell(words: str) -> str:
    """Words of a corpus made safe to stand in a table's cell."""
    kept = "".join(c if c.isprintable() else " " for c in words)
    for mark in "\\|`<>[]*_":
        kept = kept.replace(mark, f"&#{ord(mark)};")
    return kept[:300]
