"""What an autoencoder makes of rows, summed text by text: scores with intervals over whole texts drawn again.

Tokens of one text are alike, so what is resampled is documents, or contexts where there are few documents
(`interp.resampling`). With n rows, x a row and e what its reconstruction leaves, a draw of texts gives

    explained = 1 − Σ‖e‖² / (Σ‖x‖² − ‖Σx‖² / n)        l0 = Σ active latents / n
    recovered = (L_zero − L_spliced) / (L_zero − L_plain), L a mean loss of the next token, in nats

each sum over the texts drawn; so only sums over texts are kept, and no row. Intervals are the middle 95% of
2,000 draws; of fewer than thirty texts Student's t, each text left out in turn (`core/intervals.py`).

What this cannot tell you: how text of another kind fares. The share of dead latents has no interval here:
texts drawn again can only lose latents that fired, never wake one.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from molehunt.core import intervals
from molehunt.core.records import Measure, NotMeasured
from molehunt.interp.reading import Context
from molehunt.interp.resampling import DRAWS, clusters, folded, ratio, resamples
from molehunt.interp.sae import Code

FLAT = 1e-10
"""Rows whose variance is less than this share of their squares do not vary beyond rounding."""
NO_ROWS = NotMeasured("no row of activations was kept")


class TextSums:
    """Sums over the rows of each context."""

    def __init__(self) -> None:
        self._at: dict[int, int] = {}
        self._documents: list[int] = []
        self._sums: list[np.ndarray] = []  # rows, active latents, squared errors, squares
        self._totals: list[np.ndarray] = []

    def see(
        self,
        x: Float[Tensor, "n d"],
        error: Float[Tensor, "n d"],
        code: Code,
        context: Int[Tensor, " n"],
        document: Int[Tensor, " n"],
    ) -> None:
        """Take rows, what their reconstruction leaves of them, their code, and where each is from."""
        whole, active = x.double(), torch.bincount(code.rows, minlength=len(x)).double()
        left = error.double().pow(2).sum(1)
        each = torch.stack([torch.ones_like(left), active, left, whole.pow(2).sum(1)], 1).cpu().numpy()
        whole, context = whole.cpu(), context.cpu()
        for number in context.unique().tolist():
            own = context == number
            if number not in self._at:
                self._at[number] = len(self._documents)
                self._documents.append(int(document[own.nonzero()[0, 0]]))
                self._sums.append(np.zeros(4))
                self._totals.append(np.zeros(x.shape[1]))
            at = self._at[number]
            self._sums[at] += each[own.numpy()].sum(0)
            self._totals[at] += whole[own].sum(0).numpy()

    def measures(self, how: str, seed: int = 0) -> dict[str, Measure | NotMeasured]:
        """`variance_explained` and `l0`."""
        if not self._at:
            return {"variance_explained": NO_ROWS, "l0": NO_ROWS}
        which, of = clusters(self._documents, list(self._at))
        rows, active, _, _ = sums = folded(np.stack(self._sums), which).T
        every = np.stack([*sums, *folded(np.stack(self._totals), which).T], 1)
        l0 = ratio(active, rows, unit="latents a row", how=how, seed=seed, of=of)
        value = float(explained(every.sum(0)[None])[0])
        if not np.isfinite(value):
            return {"variance_explained": NotMeasured("the activations do not vary"), "l0": l0}
        said = (value, "share", int(rows.sum()))
        return {"variance_explained": _spread(*said, every, explained, how, of, seed), "l0": l0}


def recovered(
    read: Sequence[Context], losses: np.ndarray, address: str, seed: int = 0
) -> Measure | NotMeasured:
    """Loss recovered, from summed losses [contexts, 3]: plain, spliced, with zeros; n is next tokens."""
    if not len(read):
        return NotMeasured("no context has two tokens")
    which, of = clusters([c.document for c in read], [c.number for c in read])
    sums = folded(losses, which)
    count = sum(len(c.ids) - 1 for c in read)
    plain, spliced, zero = sums.sum(0) / count
    if not zero > plain:
        return NotMeasured(
            f"zeros at {address} do not make the model worse: {zero:.3f} against {plain:.3f} nats"
        )
    how = f"{plain:.4f} nats plain, {spliced:.4f} spliced, {zero:.4f} with zeros at {address}"
    return _spread(float((zero - spliced) / (zero - plain)), "share", count, sums, _share, how, of, seed)


def _share(sums: np.ndarray) -> np.ndarray:
    """Of the loss by zeros, what splicing keeps, from rows of sums [draws, 3]; no number where zeros help."""
    worse = sums[:, 2] - sums[:, 0]
    return np.divide(sums[:, 2] - sums[:, 1], worse, out=np.full(len(sums), np.nan), where=worse > 0)


def explained(sums: np.ndarray) -> np.ndarray:
    """Share of variance explained, from rows of sums [draws, 4 + d]; no number where nothing varies.

    The sums are of rows, of what is not looked at here, of squared errors, of squared norms, and of the rows
    themselves.
    """
    rows, left, square, total = sums[:, 0], sums[:, 2], sums[:, 3], sums[:, 4:]
    spread = square - (total**2).sum(1) / np.maximum(rows, 1)
    return 1 - np.divide(left, spread, out=np.full(len(sums), np.nan), where=spread > FLAT * square)


def _spread(
    value: float,
    unit: str,
    n: int,
    sums: np.ndarray,
    number: Callable[[np.ndarray], np.ndarray],
    how: str,
    of: str,
    seed: int,
) -> Measure:
    """A number of sums over texts [texts, ...] with its interval, where half of the draws give one."""
    texts = len(sums)
    if texts < intervals.LEAST:
        why = "one text" if texts < 2 else "two texts"
        return Measure(value, unit, n, f"{how}; {why}, no interval", clusters=texts)
    if texts < intervals.FEW:
        ends = intervals.jackknife(np.array(value), number(sums.sum(0) - sums))
        said = f"{how}; Student's t over {texts} {of}, each left out in turn"
    else:
        drawn = number(resamples(texts, seed) @ sums)
        some = drawn[np.isfinite(drawn)]
        ends = np.quantile(some, [0.025, 0.975]) if len(some) >= DRAWS / 2 else None
        said = f"{how}; bootstrap over {texts} {of}, {DRAWS} resamples"
    if ends is None:
        return Measure(
            value, unit, n, f"{how}; many draws of texts give no number, no interval", clusters=texts
        )
    return Measure(value, unit, n, said, float(ends[0]), float(ends[1]), texts)
