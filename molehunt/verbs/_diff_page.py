"""What `molehunt diff` found, as rows for a terminal and as a page."""

from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from molehunt.core.records import Measure, NotMeasured
from molehunt.report import words
from molehunt.verbs._probe_page import short

CANNOT = (
    "When a behaviour shows: one that hangs on a condition moves little on text that does not meet it.",
    "That the model uses what moved. Add the difference with `molehunt steer`, beside random directions.",
    "What an early layer's difference says: the lens assumes that later layers do nothing.",
    "Whether a difference is the training's aim or its style. Hold it against that of another fine-tune.",
    "What an autoencoder of one model has no feature for, and what a changed weight does.",
    "How the two differ on text of another kind, or where their replies lead once sampled.",
)
LAYERS = ("place", "moved", "share", "halves", "p", "agreement", "reads as")
WEIGHTS = ("matrix", "change", "share", "rounding", "rank")
PARAMETERS = 60
"""Changed parameters on the page; the JSON has all."""


def layer_rows(layers: Sequence[Any], most: int = 2) -> list[tuple[str, ...]]:
    """One row an address."""
    return [
        (
            m.address,
            words.number(m.norm.value),
            share(m.share),
            words.number(m.halves.value),
            words.number(m.p),
            figure(m.agreement),
            said_words(m.words.toward[:most]) if not isinstance(m.words, NotMeasured) else "—",
        )
        for m in layers
    ]


def weight_rows(changes: Sequence[Any]) -> list[tuple[str, ...]]:
    """One row a changed parameter."""
    return [
        (c.name, words.number(c.norm), share(c.share), words.number(c.rounding), figure(c.rank))
        for c in changes
    ]


def verdict(found: Any, changes: Sequence[Any], parameters: int) -> str:
    """In a few sentences: how many weights, where most, what next tokens say."""
    if not changes and all(m.norm.value == 0 for m in found.layers):
        return "No weight and no activation differs: these are one model."
    clear = [m for m in found.layers if m.p <= 0.05 and m.norm.value > 0]
    first = (
        f"activations share a direction (p ≤ 0.05) at {len(clear)} of {len(found.layers)} places, first at "
        f"{clear[0].address}"
        if clear
        else f"at none of {len(found.layers)} places do activations share a direction (p ≤ 0.05)"
    )
    tokens = (
        f"KL of next tokens, in nats: {words.said(found.next_token.kl)}"
        if not isinstance(found.next_token, NotMeasured)
        else f"next tokens: {words.said(found.next_token)}"
    )
    return f"{len(changes)} of {parameters} parameters differ; {first}. {tokens}."


def share(value: float) -> str:
    """A share as a percentage with the digits that matter."""
    return f"{words.number(100 * value)}%"


def figure(value: float | NotMeasured) -> str:
    """A figure, or a dash."""
    return "—" if isinstance(value, NotMeasured) else words.number(value)


def said_words(some: Sequence[str]) -> str:
    """Words side by side, each short."""
    return " | ".join(words.brief(w, 24) for w in some) or "no word"


def write_diff_page(
    path: Path,
    found: Any,
    changes: Sequence[Any],
    parameters: int,
    facts: Sequence[tuple[str, str]],
    links: Sequence[Callable[[int], str] | None] = (),
) -> None:
    """Layers, words, next tokens, features and weights; `links` leads to features, by autoencoder."""
    from molehunt.report.sheet import Sheet, write_sheet

    sections = [_layers(found), _words(found), _next_tokens(found)]
    sections += [_features(f, link) for f, link in zip_longest(found.features, links)]
    sections += [_crossed(f) for f in found.crossed]
    sections.append(_weights(changes, parameters))
    summary = verdict(found, changes, parameters)
    write_sheet(path, Sheet("Two models side by side", summary, tuple(facts), tuple(sections), CANNOT))


def _layers(found: Any) -> Any:
    from molehunt.report.sheet import Grid, Section

    sites = list(dict.fromkeys(m.address.partition(".")[0] for m in found.layers))
    drawn = tuple(_sweep([m for m in found.layers if m.address.partition(".")[0] == s], s) for s in sites)
    heads = ("place", "norm", "share", "random halves", "random signs", "p", "agreement")
    rows = tuple(
        (
            m.address,
            short(m.norm),
            share(m.share),
            words.number(m.halves.value),
            f"to {words.number(m.flips.high if m.flips.high is not None else m.flips.value)}",
            words.number(m.p),
            figure(m.agreement),
        )
        for m in found.layers
    )
    return Section(
        "By layer",
        "The mean over tokens of B's activation less A's, as a share of A's mean norm, with 95% intervals. "
        "“Random halves” is how far the means of two random halves of the same text lie apart under A alone; "
        "“random signs” is the most that is left, 97.5% of the time, when each text's difference gets a "
        "random sign, with p. Agreement is the cosine between the differences on two halves of the text.",
        drawings=drawn,
        tables=(Grid(heads, rows),),
    )


def _sweep(layers: Sequence[Any], site: str) -> Any:
    from molehunt.report.curves import Line, Point, curves

    def line(name: str, of: str, look: Any) -> Line:
        points = []
        for m in layers:
            one, unit = getattr(m, of), m.length or 1.0
            low, high = (None if v is None else v / unit for v in (one.low, one.high))
            points.append(Point(float(m.address.partition(".")[2] or 0), one.value / unit, low, high))
        return Line(name, tuple(points), look)

    lines = [
        line("B less A", "norm", "first"),
        line("halves of A", "halves", "second"),
        line("random signs", "flips", "third"),
    ]
    return curves(lines, f"layer of {site}", "share of A's mean norm", f"sweep-{site}", f"Moved at {site}")


def _words(found: Any) -> Any:
    from molehunt.report.sheet import Grid, Section

    rows = tuple(
        (
            m.address,
            said_words(m.words.toward[:6]),
            said_words(m.words.away[:6]),
            words.number(m.words.sharpness),
            figure(m.null_sharpness),
        )
        for m in found.layers
        if not isinstance(m.words, NotMeasured)
    )
    heads = ("place", "likelier", "less likely", "sharpness", "sharpest of chance")
    return Section(
        "What the difference reads as",
        "The mean difference through the final norm and the unembedding. Sharpness is how far the five "
        "likeliest tokens stand out, in standard deviations; chance is the same of differences between "
        "random halves of the text under A." + ("" if rows else " There is no difference to read."),
        tables=(Grid(heads, rows, words=True),) if rows else (),
    )


def _next_tokens(found: Any) -> Any:
    from molehunt.report.curves import Line, Point, curves
    from molehunt.report.sheet import Grid, Section

    one = found.next_token
    if isinstance(one, NotMeasured):
        return Section("Next tokens", f"{words.said(one).capitalize()}.")
    measures = (
        ("KL(B ‖ A), nats", one.kl),
        ("NLL under A, nats a token", one.nll_a),
        ("NLL under B, nats a token", one.nll_b),
        ("NLL under B less A", one.change),
        ("both expect the same token", one.same_first),
    )
    rows = tuple((name, words.said(m)) for name, m in measures)
    places = tuple(
        (words.number(p.kl), words.brief(p.before, 300), *(repr(words.brief(t, 24)) for t in (p.a, p.b)))
        for p in one.places
    )
    points = tuple(
        Point(float(i), m.value, m.low, m.high)
        for i, (_, m) in enumerate(one.by_position)
        if isinstance(m, Measure)
    )
    across = f"position in the text, doubling from {one.by_position[0][0]} on"
    drawing = curves([Line("KL", points)], across, "KL(B ‖ A), nats", "position", "KL by position")
    table = tuple((name, words.said(m)) for name, m in one.by_position)
    grids = [Grid(("measure", "value"), rows), Grid(("position", "KL, nats"), table)]
    if places:
        grids.append(Grid(("KL", "where they part the most", "A expects", "B expects"), places, words=True))
    return Section(
        "Next tokens",
        "How differently the two continue the same text, over the whole vocabulary.",
        drawings=(drawing,),
        tables=tuple(grids),
    )


def _features(one: Any, link: Callable[[int], str] | None) -> Any:
    from molehunt.report.sheet import Grid, Section

    rows = tuple(
        (
            str(f.feature),
            short(f.change),
            words.number(f.p),
            f"{words.number(f.a)} → {words.number(f.b)}",
            f"{share(f.fires_a)} → {share(f.fires_b)}",
            said_words(f.words[:3]),
        )
        for f in one.features
    )
    links = tuple(link(f.feature) for f in one.features) if link else ()
    heads = ("feature", "change a token", "p", "mean, A → B", "fires, A → B", "decoder reads as")
    return Section(
        f"Features at {one.address}",
        f"Of {one.latents:,} features {one.moved:,} moved with p ≤ 0.05, taken over all features at once by "
        f"random signs of texts. The autoencoder explains {figure(one.explained_a)} of the variance under A "
        f"and {figure(one.explained_b)} under B. The largest changes:",
        tables=(Grid(heads, rows, links=links),) if rows else (),
    )


def _crossed(one: Any) -> Any:
    from molehunt.report.curves import Line, Point, curves
    from molehunt.report.sheet import Grid, Section

    heads = ("latent", "side", "ν left", "ν all", "cosine", "fires", "mean where it fires", "reads as")

    def rows(some: Any) -> tuple[tuple[str, ...], ...]:
        return tuple(
            (
                str(f.feature),
                words.number(f.side),
                short(f.nu_left),
                short(f.nu_all),
                figure(f.cosine),
                share(f.fires),
                words.number(f.active),
                said_words(f.words[:3]),
            )
            for f in some
        )

    width = 1 / len(one.sides)
    points = tuple(Point((i + 0.5) * width, float(n)) for i, n in enumerate(one.sides))
    drawing = curves(
        [Line("latents", points)],
        "side: 0 A's alone, 0.5 both alike, 1 B's alone",
        "latents",
        f"sides-{one.address}",
        f"Whose the latents are at {one.address}",
    )
    named = (("Nearest to B's alone", one.most_b), ("Nearest to A's alone", one.most_a))
    grids = tuple(Grid((f"{name}: latent", *heads[1:]), rows(some)) for name, some in named if some)
    return Section(
        f"Crosscoder at {one.address}",
        f"One code for both models. Of {one.latents:,} latents {one.counted:,} fire on ten tokens or more; "
        f"{one.own_b:,} are B's own (side 0.9 or more) and {one.own_a:,} A's. ν is how much of a latent's "
        "direction the other model has where it fires: “left” beside what other latents write there, “all” "
        "in the whole activation. Where both are near 0 the latent is one model's alone; a high ν all may "
        "also come from other features at the same tokens. The crosscoder explains "
        f"{figure(one.explained_a)} of the variance of A and {figure(one.explained_b)} of B's.",
        drawings=(drawing,),
        tables=grids,
    )


def _weights(changes: Sequence[Any], parameters: int) -> Any:
    from molehunt.report.sheet import Grid, Section

    rows = tuple(
        (r[0], "×".join(map(str, c.shape)), *r[1:])
        for c, r in zip(changes[:PARAMETERS], weight_rows(changes[:PARAMETERS]), strict=True)
    )
    left = len(changes) - len(rows)
    more = f" {left} more are in the JSON." if left else ""
    return Section(
        "Weights",
        f"{len(changes)} of {parameters} parameters differ. Change is the Frobenius norm of B less A, share "
        "that over A's own norm, rank the effective rank of the change. A change that is not well above "
        f"rounding may be rounding alone, and its rank then says nothing.{more}",
        tables=(Grid(("matrix", "shape", *WEIGHTS[1:]), rows),) if rows else (),
    )
