"""Sparse codes and their gradients against a dense float64 oracle."""

import pytest
import torch

from molehunt.core.errors import UserError
from molehunt.interp.sae import KINDS, Shape, SparseAutoencoder, largest

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
