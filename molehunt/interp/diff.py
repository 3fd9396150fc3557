"""Where two models part on the same text: activations by layer, next tokens, features.

1. Both read the same tokens (`interp.pairs`). At every address the difference of each token's activations,
   B less A, is averaged over all kept tokens: one vector a place.
2. Its norm stands beside three things. `share`: the norm over the mean norm of A's activations there.
   `halves`: the distance between the means of two random halves of the texts under A alone, which is how
   far means lie apart by choice of text; a paired difference below it can still be real. `flips`: the norm
   that is left when each text's difference gets a random sign, the null of "no common direction", with p.
3. `agreement` is the cosine between the mean difference on one random half of the texts and on the other:
   1 where both halves show the same direction, about 0 where the difference is noise of single texts.
4. The vector is read through norm and unembedding (`interp.word_lens`), beside how sharply the vectors
   between random halves of A's texts read.

Intervals resample whole documents, or contexts where there are fewer than 8 documents. A norm is never
negative, so its interval lies above 0 by construction; for "is there anything", read p and agreement. Noise
of single texts adds to a norm, and resamples add it once more: where it is as large as the difference itself,
or texts are few, the interval lies too high.

Source: Minder et al. 2025 (2510.13900), "Narrow finetuning leaves clearly readable traces in activation
differences"; nostalgebraist 2020 for the lens.

What this cannot tell you: what a model does when it matters. A behaviour under a condition moves little on
text that does not meet the condition (seen on quirks planted here: conditional ones hide from mean
differences). That the mean moved does not say that the model uses it; steer with it. And a difference
between any two fine-tunes holds style, length and format too: hold it against one of another fine-tune.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from molehunt.core.atomic import canonical
from molehunt.core.errors import UserError
from molehunt.core.records import Measure, NotMeasured
from molehunt.interp.cross_features import CrossFeatures, Crossing
from molehunt.interp.moved_features import Coding, MovedFeatures
from molehunt.interp.next_token import Divergence, Expecting
from molehunt.interp.pairs import Rows, matched, read_pairs
from molehunt.interp.reading import Context, ReadSpec, contexts
from molehunt.interp.resampling import (
    clusters,
    flips,
    folded,
    half_weights,
    halves,
    norms,
    p_values,
    resamples,
)
from molehunt.interp.sae_files import SavedSae, fitting
from molehunt.interp.word_lens import Reading, read_direction, sharpness
from molehunt.models.anatomy import anatomy
from molehunt.models.loaded import Model
from molehunt.models.taps import parse

NULL_READINGS = 10
"""Vectors between random halves whose sharpness is the lens's null."""


@dataclass(frozen=True)
class LayerMoved:
    """The mean difference at one address."""

    address: str
    norm: Measure
    """Of the mean difference, in the activations' own units."""
    length: float
    """Mean norm of A's activations."""
    share: float
    """The difference's norm over that."""
    halves: Measure
    """Distance between the means of random halves of A's texts: mean, 2.5 and 97.5 percentiles."""
    flips: Measure
    """Norm of the mean difference under random signs of texts: mean, 2.5 and 97.5 percentiles."""
    p: float
    """Share of sign flips that leave at least this norm."""
    agreement: float | NotMeasured
    words: Reading | NotMeasured
    null_sharpness: float | NotMeasured
    """The sharpest of the vectors between random halves of A's texts."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """All that reading side by side gave."""

    layers: tuple[LayerMoved, ...]
    vectors: tuple[np.ndarray, ...]
    """Mean difference [width] at each address."""
    middles: tuple[np.ndarray, ...]
    """Halfway between the two models' means [width], at each address."""
    next_token: Divergence | NotMeasured
    features: tuple[MovedFeatures, ...]
    crossed: tuple[CrossFeatures, ...]
    tokens: int
    texts: int
    clusters: str
    """What was resampled: documents or contexts."""
    sinks: int
    """Tokens that were left out by their norm."""
    data: str
    """SHA-256 of the token ids that were read."""


@dataclass
class _Sums:
    """Sums of one address, a row a context."""

    a: list[np.ndarray] = field(default_factory=list)
    gap: list[np.ndarray] = field(default_factory=list)
    length: list[float] = field(default_factory=list)


def compare(
    a: Model,
    b: Model,
    spec: ReadSpec,
    tokens: int,
    saes: Sequence[SavedSae] = (),
    progress: Callable[[str, float], None] = lambda what, share: None,
) -> Comparison:
    """Read `tokens` tokens of a spec's text with both models and compare.

    Raises:
        UserError: models that do not match, an address they lack, no text, an autoencoder of a third model,
            or numbers that are not finite.
    """
    matched(a, b)
    depth = len(anatomy(a.module).layers)
    for address in spec.addresses:
        parse(address, depth)
    belonging = [fitting(s, a, b) for s in saes]
    codings = [Coding(s) for s in belonging if not s.against]
    crossings = [Crossing(s) for s in belonging if s.against]
    read = some_contexts(a, spec, tokens)
    heads = [m.module.get_output_embeddings().weight.shape[0] for m in (a, b)]
    expecting = Expecting(a, b) if heads[0] == heads[1] else None
    extra = {s.address for s in belonging} | ({"final_norm"} if expecting else set())
    sums = {address: _Sums() for address in spec.addresses}
    counts: list[int] = []
    kept: list[Context] = []
    sinks = 0
    for done, rows in enumerate(read_pairs(a, b, read, spec.addresses, spec, sorted(extra - set(sums)))):
        sinks += rows.sinks
        if len(rows.position):
            _add(sums, rows)
            counts.append(len(rows.position))
            kept.append(rows.context)
            if expecting:
                expecting.see(rows)
            for gathering in (*codings, *crossings):
                gathering.see(rows)
        progress("reading with both", (done + 1) / len(read))
    if not counts:
        raise UserError("No token was kept: the text is too short, or every token counts as a sink.")
    which, of = clusters([c.document for c in kept], [c.number for c in kept])
    count = folded(np.array(counts, dtype=float), which)
    layers, vectors, middles = [], [], []
    for done, (address, held) in enumerate(sums.items()):
        one, vector, middle = _layer(a, address, held, count, which, of, spec.seed)
        layers.append(one)
        vectors.append(vector)
        middles.append(middle)
        progress("comparing", (done + 1) / len(sums))
    return Comparison(
        tuple(layers),
        tuple(vectors),
        tuple(middles),
        expecting.found(which, of, spec.seed)
        if expecting
        else NotMeasured(f"the heads hold {heads[0]} and {heads[1]} tokens"),
        tuple(c.found(a, which, of, spec.seed) for c in codings),
        tuple(c.found(b, which, of, spec.seed) for c in crossings),
        int(count.sum()),
        len(count),
        of,
        sinks,
        hashlib.sha256(canonical([c.ids for c in read])).hexdigest(),
    )


def some_contexts(model: Model, spec: ReadSpec, tokens: int) -> list[Context]:
    """Contexts of a spec's text until they hold `tokens` tokens that are not first ones.

    Raises:
        UserError: fewer than one token is asked for, or there is none.
    """
    if tokens < 1:
        raise UserError("--tokens should be at least 1.")
    found, held = [], 0
    for context in contexts(model, spec):
        if len(context.ids) > 1:
            found.append(context)
            held += len(context.ids) - 1
        if held >= tokens:
            break
    if not found:
        raise UserError("The text holds no stretch of two tokens; give more of it.")
    return found


def most_moved(layers: Sequence[LayerMoved]) -> LayerMoved:
    """The address whose mean difference is largest against the distance of random halves."""
    return max(layers, key=lambda m: m.norm.value / (m.halves.value or 1.0))


def _add(sums: dict[str, _Sums], rows: Rows) -> None:
    for address, held in sums.items():
        a, b = rows.a[address].double(), rows.b[address].double()
        held.a.append(a.sum(0).cpu().numpy())
        held.gap.append((b - a).sum(0).cpu().numpy())
        held.length.append(float(a.norm(dim=-1).sum()))


def _layer(
    model: Model, address: str, held: _Sums, count: np.ndarray, which: np.ndarray, of: str, seed: int
) -> tuple[LayerMoved, np.ndarray, np.ndarray]:
    total, texts = float(count.sum()), len(count)
    gaps, own = folded(np.stack(held.gap), which), folded(np.stack(held.a), which)
    vector, mean = gaps.sum(0) / total, own.sum(0) / total
    own = own - mean * count[:, None]  # the same distances, in numbers that don't cancel
    length = sum(held.length) / total
    gram = gaps @ gaps.T
    value = float(np.linalg.norm(vector))
    drawn = resamples(texts, seed)
    drawn = drawn[drawn @ count > 0]
    spread = norms(gram, drawn / (drawn @ count)[:, None])
    flipped = norms(gram, flips(texts, seed) / total)
    unit, n = "activation", int(total)
    norm = Measure(value, unit, n, f"norm of the mean difference; bootstrap over {texts} {of}")
    sides = halves(texts, seed)
    apart, pulls = NotMeasured(f"one of the {of} alone cannot be halved"), np.zeros((0, texts))
    if texts > 1:
        low, high = np.quantile(spread, [0.025, 0.975])
        norm = Measure(value, unit, n, norm.how, float(low), float(high))
        pulls = half_weights(count, sides)
        apart = _agreement(gram, count, sides)
    between = norms(own @ own.T, pulls)
    moved = LayerMoved(
        address=address,
        norm=norm,
        length=length,
        share=value / length if length > 0 else 0.0,
        halves=_null(between, n, f"distance of means of two random halves of the {of} under A"),
        flips=_null(flipped, n, f"norm of the mean difference, each of the {of} with a random sign"),
        p=float(p_values(np.array([value]), flipped)[0]),
        agreement=apart if value > 0 else NotMeasured("there is no difference"),
        words=NotMeasured("not in the residual stream"),
        null_sharpness=NotMeasured("not in the residual stream"),
    )
    if address.startswith("head_out"):
        return moved, vector, mean + vector / 2
    unrelated = pulls[:NULL_READINGS] @ own
    unrelated = [v for v in unrelated if np.any(v)]
    null = max(sharpness(model, unrelated, length)) if unrelated else NotMeasured("texts that do not differ")
    words = read_direction(model, vector, length) if value > 0 else NotMeasured("there is no difference")
    whole = {**vars(moved), "words": words, "null_sharpness": null}
    return LayerMoved(**whole), vector, mean + vector / 2


def _null(values: np.ndarray, n: int, how: str) -> Measure:
    if not len(values):
        return Measure(0.0, "activation", n, f"{how}; none could be drawn")
    low, high = np.quantile(values, [0.025, 0.975])
    said = f"{how}: mean, 2.5 and 97.5 percentiles of {len(values)}"
    return Measure(float(values.mean()), "activation", n, said, float(low), float(high))


def _agreement(gram: np.ndarray, count: np.ndarray, sides: np.ndarray) -> float | NotMeasured:
    first = sides / (sides @ count)[:, None]
    second = ~sides / (~sides @ count)[:, None]
    inner = np.einsum("dn,nm,dm->d", first, gram, second, optimize=True)
    lengths = norms(gram, first) * norms(gram, second)
    some = lengths > 0
    return float((inner[some] / lengths[some]).mean()) if some.any() else NotMeasured("a half has none")
