"""Sparse codes and their gradients against a dense float64 oracle."""

import pytest
import torch

from molehunt.core.errors import UserError
from molehunt.interp import sparse
from molehunt.interp.sae import KINDS, Shape, SparseAutoencoder
from molehunt.interp.sae_loss import AUXK, Room, differentiate
from molehunt.interp.topk import largest, largest_of_all, largest_of_each

ROWS, D, LATENTS, K = 24, 8, 40, 3


def made(kind="topk", seed=0):
    sae = SparseAutoencoder(Shape(D, LATENTS, K, kind), seed).double()
    draw = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for part in (sae.encoder, sae.encoder_bias, sae.decoder_bias, sae.decoder):
            part += 0.3 * torch.randn(part.shape, generator=draw, dtype=torch.float64)
    x = torch.randn(ROWS, D, generator=draw, dtype=torch.float64) * (1 + torch.arange(ROWS)[:, None] / 4)
    return sae, x


def dense(sae, x):
    """Definition: every latent of every row, those not among the largest set to zero."""
    pre = (x - sae.decoder_bias) @ sae.encoder.T + sae.encoder_bias
    n = K if sae.shape.kind == "topk" else K * len(x)
    ranked = pre if sae.shape.kind == "topk" else pre.flatten()
    limit = ranked.sort(-1, descending=True).values[..., n - 1 : n]
    acts = torch.where(pre >= limit, pre.relu(), 0.0)
    return acts, acts @ sae.decoder + sae.decoder_bias


@pytest.mark.parametrize(("width", "k"), [(4608, 32), (4608, 128), (512, 4), (500, 3), (64, 40), (8, 8)])
def test_the_largest_are_those_that_sorting_finds_ties_and_all(width, k):
    rows = torch.randn(50, width, generator=torch.Generator().manual_seed(k)).mul(20).round()
    values, places = largest(rows, k)
    assert torch.equal(values.sort(-1).values, rows.sort(-1).values[:, -k:])
    assert torch.equal(values, rows.gather(1, places))
    assert all(len(set(row)) == k for row in places.tolist())


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("width", "k"), [(4608, 32), (512, 4), (512, 64), (500, 3), (64, 40), (8, 8)])
def test_rows_and_batches_choose_what_sorting_finds(width, k, ties):
    pre = torch.randn(50, width, generator=torch.Generator().manual_seed(k)) - 0.5
    pre[0] += 3.0  # a row that takes more than its share of the batch, and one that has nothing to give
    pre[1] = -pre[1].abs()
    pre = pre.mul(8).round() if ties else pre
    for choose, wanted in (
        (largest_of_each, pre.sort(-1).values[:, -k:]),
        (largest_of_all, pre.flatten().sort().values[-50 * k :]),
    ):
        rows, latents, values = choose(pre, k)
        assert torch.equal(values.sort().values, wanted[wanted > 0].sort().values)
        assert torch.equal(pre[rows, latents], values)
        assert (rows.diff() >= 0).all() and len({*zip(rows.tolist(), latents.tolist(), strict=True)}) == len(
            rows
        )


@pytest.mark.parametrize("kind", KINDS)
def test_codes_and_reconstructions_are_the_dense_definition(kind):
    sae, x = made(kind)
    code = sae.encode_batch(x, sae.pre(x))
    acts, out = dense(sae, x)
    assert torch.allclose(code.dense(LATENTS), acts, atol=1e-12)
    assert torch.allclose(sae.decode(code), out, atol=1e-12)
    assert (code.rows.diff() >= 0).all() and len(code.values) == ROWS * K


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_the_dense_definition(kind):
    sae, x = made(kind)
    x.requires_grad_()
    names = dict(sae.named_parameters())
    weigh = torch.randn(ROWS, D, dtype=torch.float64)
    code = sae.encode_batch(x, sae.pre(x))
    got = torch.autograd.grad(
        (sae.decode(code) * weigh).sum() + code.values.pow(2).sum(), [x, *names.values()]
    )
    acts, out = dense(sae, x)
    wanted = torch.autograd.grad((out * weigh).sum() + acts.pow(2).sum(), [x, *names.values()])
    for name, a, b in zip(["x", *names], got, wanted, strict=True):
        assert torch.allclose(a, b, atol=1e-10), name
        assert b.abs().max() > 0.1


@pytest.mark.parametrize("compressed", [True, False])
def test_sums_by_bag_are_the_dense_product_with_and_without_mkl(compressed, monkeypatch):
    if not compressed:
        monkeypatch.setattr(sparse, "_rows_compressed", lambda: False)
    into, of = (
        torch.tensor([0, 0, 2, 5, 5, 5]),
        torch.tensor([3, 1, 3, 0, 2, 3]),
    )  # bags 1, 3, 4 and 6 are empty
    values, source = torch.randn(6, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    out = torch.full((7, 3), torch.nan, dtype=torch.float64)
    sparse.sums_into(out, values, into, of, source)
    matrix = torch.zeros(7, 4, dtype=torch.float64).index_put((into, of), values)
    assert torch.allclose(out, matrix @ source, atol=1e-12)
    left = torch.randn(7, 3, dtype=torch.float64)
    assert torch.allclose(sparse.dots(left, into, source, of), (left[into] * source[of]).sum(-1), atol=1e-12)
    assert not len(sparse.dots(left, into[:0], source, of[:0]))


def test_in_bfloat16_a_step_sees_what_float32_sees_to_its_rounding():
    sae, x = made()
    sae, x = sae.float(), x.float()
    sae.unit_norm()
    whole = differentiate(sae, x, torch.arange(30, 34), Room())
    part = differentiate(sae, x, torch.arange(30, 34), Room(), half=True)
    assert part.unexplained == pytest.approx(
        float(whole.unexplained), rel=0.02
    )  # 2⁻⁸ a value, few chosen otherwise
    assert all(bool(p.grad.isfinite().all()) for p in sae.parameters())


@pytest.mark.parametrize("dead", [None, range(30, 33), range(20, 40)])  # AuxK explains with 4 a row
@pytest.mark.parametrize("kind", KINDS)
def test_a_batchs_loss_and_gradients_are_those_of_its_definition(kind, dead):
    sae, x = made(kind)
    names = None if dead is None else torch.tensor(dead)
    with torch.no_grad():
        sae.unit_norm()
        if dead is not None:
            sae.encoder_bias[names] -= 20.0  # never among the largest
    room = Room()
    differentiate(sae, x.flip(0) * 2, names, room)  # what was there before must not show
    loss = differentiate(sae, x, names, room)
    got = [part.grad.clone() for part in sae.parameters()]
    acts, out = dense(sae, x)
    error, variance = x - out, (x - x.mean(0)).pow(2).sum()
    wanted = error.pow(2).sum() / variance
    assert torch.allclose(loss.unexplained, wanted, atol=1e-12) and torch.allclose(loss.error, error)
    assert torch.allclose(loss.code.dense(LATENTS), acts, atol=1e-12)
    if dead is not None:
        pre = ((x - sae.decoder_bias) @ sae.encoder.T + sae.encoder_bias)[:, names]
        least = pre.sort(-1, descending=True).values[:, min(len(names), D // 2) - 1, None]
        guess = torch.where(pre >= least, pre, 0.0) @ sae.decoder[names]
        wanted = wanted + AUXK * (guess - error.detach()).pow(2).sum() / error.detach().pow(2).sum()
    parts = dict(sae.named_parameters())
    for (name, part), a, b in zip(
        parts.items(), got, torch.autograd.grad(wanted, [*parts.values()]), strict=True
    ):
        b = b - (b * part).sum(-1, keepdim=True) * part if name == "decoder" else b
        assert torch.allclose(a, b, atol=1e-12), name
        assert b.abs().max() > 1e-3


def test_one_greedy_row_may_take_nearly_the_whole_batch():
    sae, x = made("batchtopk")
    x[0] *= 1000
    code = sae.encode_batch(x, sae.pre(x))
    assert int((code.rows == 0).sum()) > 4 * K
    assert torch.allclose(code.dense(LATENTS), dense(sae, x)[0], atol=1e-9)


def test_at_inference_a_row_is_coded_by_itself():
    sae, x = made("batchtopk")
    sae.threshold.fill_(1.5)
    together = sae.encode(x).dense(LATENTS)
    alone = torch.cat([sae.encode(row[None]).dense(LATENTS) for row in x])
    assert torch.allclose(together, alone, atol=1e-12)
    assert (together[together > 0] > 1.5).all() and (together > 0).sum() > 10
    sae.threshold.fill_(-1.0)  # a file may say so; a latent fires above zero all the same
    pre = (x - sae.decoder_bias) @ sae.encoder.T + sae.encoder_bias
    assert torch.allclose(sae.encode(x).dense(LATENTS), pre.relu(), atol=1e-12)


def test_rescaling_moves_the_units_and_nothing_else():
    for kind in KINDS:
        sae, x = made(kind)
        sae.threshold.fill_(0.7)
        scaled, code = sae(x * 5.0), sae.encode(x * 5.0)
        sae.rescaled((5.0,))
        assert torch.allclose(sae(x) * 5.0, scaled, atol=1e-9)
        assert torch.equal(sae.encode(x).latents, code.latents)


def test_nothing_active_decodes_to_the_bias():
    sae, x = made("batchtopk")
    sae.threshold.fill_(1e9)
    assert torch.equal(sae(x), sae.decoder_bias.expand(ROWS, D))


@pytest.mark.parametrize("sizes", [(8, 4, 5), (8, 4, 0), (0, 4, 2)])
def test_sizes_that_cannot_be_are_refused(sizes):
    with pytest.raises(UserError, match="cannot be built"):
        Shape(*sizes)
    with pytest.raises(UserError, match="no autoencoder"):
        Shape(8, 8, 2, "relu")
