"""One feature in a terminal: numbers, a histogram of blocks, examples with what fires in brackets."""

from collections.abc import Sequence
from typing import Any

from molehunt.core.plain_text import plain
from molehunt.core.records import Measure, NotMeasured
from molehunt.report import words as wording
from molehunt.verbs._screen import table

BLOCKS = " ▁▂▃▄▅▆▇█"
OPEN, CLOSE = "⟦", "⟧"


def card_text(card: Any, label: Any) -> list[Any]:
    """What `features show` prints."""
    share = card.count / max(1, card.read)
    lines: list[Any] = [
        f"Feature {card.feature}: fires at {card.count:,} of {card.read:,} tokens ({share:.3%}); "
        f"highest {card.highest:.3g}.",
    ]
    if label is not None:
        lines.append(label_line(label))
    if not card.count:
        return [*lines, "It never fires in this text, so there is nothing to show."]
    peak = f"{card.edges[0]:.3g} {bars(card.counts)} {card.edges[-1]:.3g}"
    lines.append(f"How high (height: log of counts, most in a bin {max(card.counts):,}):\n{peak}")
    lines.append(
        table(
            ["raises", "by", "lowers", "by"],
            [
                (token(r.token), f"{r.by:+.2f}", token(lo.token), f"{lo.by:+.2f}")
                for r, lo in zip(card.raised, card.lowered, strict=True)
            ],
        )
    )
    lines.append("Nearest by decoder: " + ", ".join(f"{n.feature} ({n.cosine:.2f})" for n in card.near) + ".")
    lines.append(
        table(
            ["rank", "value", "text"],
            [(str(e.rank), f"{e.value:.3g}", bracketed(e)) for e in card.examples],
        )
    )
    return lines


def bars(counts: Sequence[int]) -> str:
    """Counts as blocks whose height is the logarithm."""
    from math import log1p

    top = log1p(max(counts, default=0)) or 1.0
    return "".join(BLOCKS[-(-int(1000 * log1p(c) / top) * (len(BLOCKS) - 1) // 1000)] for c in counts)


def bracketed(example: Any) -> str:
    """An example's text on one line, with brackets around what fires; brackets of its own are doubled."""
    parts = []
    for piece, value in zip(example.pieces, example.values, strict=True):
        piece = piece.replace(OPEN, OPEN * 2).replace(CLOSE, CLOSE * 2)
        parts.append(f"{OPEN}{piece}{CLOSE}" if value > 0 else piece)
    return plain("".join(parts), one_line=True)


def token(text: str) -> str:
    """A token in quotes, so that spaces show."""
    return f"“{plain(text, 40, one_line=True)}”"


def named(words: Any, feature: int, labels: dict[int, Any]) -> str:
    """A feature's label, or else the tokens that it raises most."""
    label = labels.get(feature)
    if label is not None and isinstance(label.words, str):
        return plain(label.words, 120, one_line=True)
    return "raises " + " ".join(token(words.piece(int(t))) for t in words.raised[feature][:5])


def label_line(label: Any) -> str:
    """A label with its scores."""
    if isinstance(label.words, NotMeasured):
        return f"No label: {wording.brief(label.words.reason)}."
    scores = "; ".join(
        f"{name} {wording.said(m)}"
        for name, m in (("detection", label.detection), ("fuzzing", label.fuzzing), ("output", label.output))
        if isinstance(m, Measure)
    )
    said = f"Label ({wording.brief(label.by, 80)}): {wording.brief(label.words)}"
    return f"{said}. {scores}." if scores else f"{said}."
