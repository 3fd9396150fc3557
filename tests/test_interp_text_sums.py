"""Scores of an autoencoder and their intervals are those of the rows themselves, drawn again text by text."""

import numpy as np
import pytest
import torch

from molehunt.core.records import Measure, NotMeasured
from molehunt.interp.reading import Context
from molehunt.interp.resampling import resamples
from molehunt.interp.sae import Code
from molehunt.interp.text_sums import TextSums, recovered

ROWS, WIDTH, CONTEXTS = 240, 6, 40


def rows(documents: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rows, errors, active latents, and which context and document each row is from; documents differ."""
    draw = torch.Generator().manual_seed(documents)
    context = torch.arange(ROWS) * CONTEXTS // ROWS
    document = context % documents
    x = torch.randn(ROWS, WIDTH, generator=draw) + document[:, None]
    error = torch.randn(ROWS, WIDTH, generator=draw) * 0.3 * (1 + document[:, None])
    return x, error, torch.randint(0, 4, (ROWS,), generator=draw), context, document


def coded(active: torch.Tensor) -> Code:
    whose = torch.arange(len(active)).repeat_interleave(active)
    return Code(torch.ones(len(whose)), torch.zeros_like(whose), whose, len(active))


def seen(told: tuple[torch.Tensor, ...], each: int) -> dict[str, Measure | NotMeasured]:
    sums = TextSums()
    for x, error, active, context, document in zip(*(t.split(each) for t in told), strict=True):
        sums.see(x, error, coded(active), context, document)
    return sums.measures("rows", seed=3)


@pytest.mark.parametrize(("documents", "of"), [(36, "documents"), (2, "contexts")])
def test_intervals_are_those_of_the_rows_drawn_again(documents: int, of: str) -> None:
    told = rows(documents)
    x, error, active, context, document = (t.double().numpy() for t in told)
    which = document if of == "documents" else context
    texts = len(np.unique(which))
    explained, l0 = [], []
    for weights in resamples(texts, 3):
        again = np.repeat(np.arange(ROWS), weights[which.astype(int)].astype(int))
        spread = ((x[again] - x[again].mean(0)) ** 2).sum()
        explained.append(1 - (error[again] ** 2).sum() / spread)
        l0.append(active[again].mean())
    found = seen(told, 50)
    plain = 1 - (error**2).sum() / ((x - x.mean(0)) ** 2).sum()
    for name, value, drawn in (("variance_explained", plain, explained), ("l0", active.mean(), l0)):
        got = found[name]
        assert isinstance(got, Measure) and got.n == ROWS and f"over {texts} {of}" in got.how
        # Sums of doubles in another order: a dozen digits stay.
        assert got.value == pytest.approx(value, rel=1e-9)
        assert (got.low, got.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), rel=1e-9)


def test_it_does_not_matter_how_many_rows_come_at_once() -> None:
    told = rows(10)
    whole, parts = seen(told, ROWS), seen(told, 7)
    for name, got in parts.items():
        one = whole[name]
        assert isinstance(one, Measure) and isinstance(got, Measure)
        assert [got.value, got.low, got.high] == pytest.approx([one.value, one.low, one.high], rel=1e-9)


def test_one_text_has_no_interval_and_none_no_number() -> None:
    x, error, active, context, document = rows(1)
    found = seen((x, error, active, torch.zeros_like(context), document), ROWS)
    for got in found.values():
        assert isinstance(got, Measure) and got.low is None and "one text, no interval" in got.how
    assert all(isinstance(m, NotMeasured) for m in TextSums().measures("rows").values())
    none = torch.zeros(4).long()
    still = (torch.ones(4, 2), torch.zeros(4, 2), torch.ones(4).long(), none, none)
    flat = seen(still, 4)
    assert isinstance(flat["variance_explained"], NotMeasured) and isinstance(flat["l0"], Measure)


def test_loss_recovered_is_drawn_again_by_document() -> None:
    draw = np.random.default_rng(0)
    read = [Context(i, i % 36, tuple(range(3 + i % 4))) for i in range(72)]
    tokens = np.array([len(c.ids) - 1 for c in read])
    losses = tokens[:, None] * (np.array([1.0, 1.5, 6.0]) + draw.random((72, 3)))
    drawn = []
    for weights in resamples(36, 0):
        plain, spliced, zero = (weights[[c.document for c in read]][:, None] * losses).sum(0)
        drawn.append((zero - spliced) / (zero - plain))
    got = recovered(read, losses, "resid_post.0")
    assert isinstance(got, Measure) and got.n == tokens.sum() and 0.8 < got.value < 0.95
    assert (got.low, got.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), rel=1e-9)
    worse = recovered(read, losses[:, [2, 1, 0]], "resid_post.0")
    assert isinstance(worse, NotMeasured) and "do not make the model worse" in worse.reason
    assert isinstance(recovered([], np.zeros((0, 3)), "resid_post.0"), NotMeasured)


@pytest.mark.parametrize(("documents", "least"), [(8, 0.9), (20, 0.9)])
def test_few_texts_cover_what_all_texts_would_say(documents: int, least: float) -> None:
    """The bootstrap held the share recovered 85% of the time from 8 texts, 89% from 20."""
    draw, held, true = np.random.default_rng(0), 0, None
    for count in (20_000, *[documents] * 300):
        read = [Context(i, i, (0, 1)) for i in range(count)]
        plain, zero = draw.normal(3, 0.5, count), draw.normal(5, 1, count)
        spliced = 0.1 * zero * np.exp(draw.normal(0, 0.4, count))
        got = recovered(read, np.stack([plain, plain + spliced, plain + zero], 1), "resid_post.0")
        assert isinstance(got, Measure) and got.low is not None and got.high is not None
        true = got.value if true is None else true
        held += count == documents and got.low <= true <= got.high
    # 95% if texts were normal; 300 trials have a standard error of 1.3 points.
    assert held / 300 >= least and "each left out in turn" in got.how
