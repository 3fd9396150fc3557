"""Training finds what was put in, keeps latents alive, and goes on after a kill to the same weights."""

from dataclasses import dataclass, replace

import pytest
import torch

from molehunt.core.errors import RunMismatch, UserError
from molehunt.interp.capture import capture_text
from molehunt.interp.flows import LiveFlow, ShardFlow, pools
from molehunt.interp.reading import GROUP, Reader, ReadSpec, contexts
from molehunt.interp.sae import KINDS
from molehunt.interp.sae_site import Site, TrainSpec, new_site
from molehunt.interp.sae_train import train
from molehunt.models.tiny import tiny_model

D, TRUE, ACTIVE = 16, 32, 3


@dataclass(frozen=True)
class Made:
    """Sums of few of 32 hidden directions."""

    addresses: tuple[str, ...] = ("one", "two")
    model: str = "made"
    origin: str = "made"
    loud: float = 1.0
    models: int = 1

    def blocks(self, start):
        directions = torch.nn.functional.normalize(
            torch.randn(TRUE, D, generator=torch.manual_seed(0)), dim=-1
        )
        while True:
            draw = torch.Generator().manual_seed(start)
            chosen = torch.rand(512, TRUE, generator=draw).topk(ACTIVE, -1).indices
            sizes = 1 + torch.rand(512, ACTIVE, generator=draw)
            x = (directions[chosen] * sizes[..., None]).sum(1) * self.loud + 0.5
            start += 1
            yield start, {a: x * (i + 1) for i, a in enumerate(self.addresses)}


@dataclass(frozen=True)
class Flat(Made):
    """The same row over and over, as a model gives whose residual hears nothing of the text."""

    def blocks(self, start):
        while True:
            start += 1
            yield start, {a: torch.full((512, D), 1.1) for a in self.addresses}


SPEC = TrainSpec(64, ACTIVE, "topk", 60_000, 256, 5e-3, 5_000, pool_rows=1024)


@pytest.mark.parametrize("kind", KINDS)
def test_hidden_directions_are_found(kind):
    seen = []
    saes = train(Made(("one",)), replace(SPEC, kind=kind), report=lambda *a: seen.append(a))
    assert seen[-1][:2] == (SPEC.steps, SPEC.steps) and seen[-1][2] > 0
    _, x = next(Made().blocks(10**6))
    for address, sae in saes.items():
        left = (x[address] - sae(x[address])).pow(2).sum() / (x[address] - x[address].mean(0)).pow(2).sum()
        assert left < 0.15, (address, left)
        assert seen[-1][3][address].dead < 0.3
        assert sae.encode(x[address]).values.numel() / 512 == pytest.approx(ACTIVE, rel=0.15)
        assert torch.allclose(sae.decoder.norm(dim=-1), torch.ones(64), atol=1e-5)


def test_the_threshold_of_a_short_training_keeps_as_many_latents_as_it_was_asked_for():
    sae = train(Made(("one",)), replace(SPEC, kind="batchtopk", tokens=40 * 256))["one"]
    _, x = next(Made().blocks(10**6))
    assert sae.encode(x["one"]).values.numel() / 512 == pytest.approx(ACTIVE, rel=0.25)


def test_the_units_of_activations_do_not_matter():
    few = replace(SPEC, tokens=5_000)
    both = train(Made(), few)  # the second site is the first in doubled units
    assert torch.allclose(both["one"].decoder, both["two"].decoder, atol=1e-4)
    assert torch.allclose(2 * both["one"].decoder_bias, both["two"].decoder_bias, atol=1e-3)


@pytest.mark.parametrize(("remedy", "dead_after"), [("auxk", 1_000), ("resample", 1_000), ("none", 10**9)])
def test_dead_latents_are_brought_back_and_not_by_themselves(remedy, dead_after):
    spec = replace(SPEC, resample=remedy == "resample", dead_after=dead_after)
    site = new_site(D, spec, "cpu", (1.0,))
    with torch.no_grad():
        site.sae.encoder_bias[:48] = -9.0  # these never fire; the rest are fewer than the true directions
    flow = Made(("one",)).blocks(0)
    for _ in range(150):
        site.step(next(flow)[1]["one"], spec, 5e-3)
    x = torch.cat([next(flow)[1]["one"] for _ in range(4)])
    woken = len(site.sae.encode(x).latents.unique()) - 16
    assert woken >= 8 if remedy != "none" else woken <= 0, woken


@pytest.mark.parametrize("resample", [True, False])
def test_broken_off_it_goes_on_to_the_same_weights(tmp_path, monkeypatch, resample):
    spec = replace(SPEC, tokens=10_000, kind="batchtopk", resample=resample, dead_after=2_000)
    whole = train(Made(), spec)
    step, left = Site.step, [50]

    def dying(self, *args):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        step(self, *args)

    monkeypatch.setattr(Site, "step", dying)
    with pytest.raises(KeyboardInterrupt):
        train(Made(), spec, checkpoint=tmp_path, every=0.0)
    monkeypatch.setattr(Site, "step", step)
    steps = []
    resumed = train(Made(), spec, checkpoint=tmp_path, every=0.0, report=lambda done, *_: steps.append(done))
    assert steps[0] > 20
    for address in whole:
        for a, b in zip(
            whole[address].state_dict().values(), resumed[address].state_dict().values(), strict=True
        ):
            assert torch.equal(a, b)
    again = []
    train(Made(), spec, checkpoint=tmp_path, report=lambda *a: again.append(a))
    assert list(again[0][3]) == ["one", "two"]
    ((done, total, speed, shown),) = again  # nothing is left to do, and what the last step showed is known
    assert done == total and speed == 0.0 and 0 < shown["one"].variance_explained < 1
    for flow, other in ((Made(), replace(spec, k=4)), (Made(origin="other text"), spec)):
        with pytest.raises(RunMismatch, match="something else"):
            train(flow, other, checkpoint=tmp_path)


def test_a_live_model_and_its_shards_are_the_same_rows(tmp_path):
    model = tiny_model()
    (tmp_path / "text.txt").write_text("It was a bright cold day in April. " * 200)
    spec = ReadSpec((str(tmp_path / "text.txt"),), ("resid_post.0", "mlp_out.1"), 32)
    made = capture_text(model, spec, tmp_path / "a", 10**6)
    live = LiveFlow(Reader(model, spec))
    count = -(-len(list(contexts(model, spec))) // GROUP)
    groups = [block for _, (_, block) in zip(range(count), live.blocks(0), strict=False)]
    _, shard = next(ShardFlow(made, spec.addresses).blocks(0))
    for address in spec.addresses:
        assert torch.allclose(torch.cat([g[address] for g in groups]), shard[address], atol=1e-5)


def test_a_live_flow_goes_on_where_it_is_told_to_and_begins_anew(tmp_path):
    model = tiny_model()
    (tmp_path / "text.txt").write_text("".join(chr(97 + i * i % 26) for i in range(3000)))
    flow = LiveFlow(Reader(model, ReadSpec((str(tmp_path / "text.txt"),), ("resid_post.0",), 16)))
    seen = [b for _, b in zip(range(8), flow.blocks(0), strict=False)]
    for start in (1, 2, 3, 5, 6):
        number, block = next(flow.blocks(start))
        assert number == seen[start][0]
        assert torch.equal(block["resid_post.0"], seen[start][1]["resid_post.0"])
    assert torch.equal(seen[0][1]["resid_post.0"], seen[3][1]["resid_post.0"])


def test_text_that_leaves_no_row_ends_in_a_sentence(tmp_path):
    (tmp_path / "text.txt").write_text("a")
    flow = LiveFlow(Reader(tiny_model(), ReadSpec((str(tmp_path / "text.txt"),), ("resid_post.0",), 16)))
    with pytest.raises(UserError, match="No row was kept"):
        train(flow, SPEC)


def test_a_short_training_reads_no_more_than_it_learns_from():
    asked = []

    class Watched(Made):
        def blocks(self, start):
            for number, block in super().blocks(start):
                asked.append(number)
                yield number, block

    train(Watched(("one",)), replace(SPEC, tokens=1024, pool_rows=65_536))
    assert len(asked) == 2  # blocks of 512 rows


def test_pools_are_shuffled_and_whole():
    (_, first), (_, second) = (p for _, p in zip(range(2), pools(Made(("one",)), 1024, 256, 0), strict=False))
    assert len(first) == 4 and all(len(b["one"]) == 256 for b in first)
    plain = torch.cat([next(Made().blocks(i))[1]["one"] for i in (0, 1)])
    dealt = torch.cat([b["one"] for b in first])
    assert not torch.equal(dealt, plain)
    assert torch.equal(dealt.sort(0).values, plain.sort(0).values)
    assert not torch.equal(second[0]["one"], first[0]["one"])


def test_activations_that_are_no_numbers_are_refused():
    with pytest.raises(UserError, match="not finite"):
        train(Made(loud=float("nan")), SPEC)


def test_a_batch_that_does_not_vary_is_not_said_to_be_explained():
    shown = []
    train(Flat(("one",)), replace(SPEC, tokens=2_000), report=lambda *a: shown.append(a[3]["one"]))
    assert {s.variance_explained for s in shown} == {None}
    train(Made(("one",)), replace(SPEC, tokens=2_000), report=lambda *a: shown.append(a[3]["one"]))
    assert isinstance(shown[-1].variance_explained, float)


def test_a_training_that_comes_apart_is_not_laid_on_the_activations():
    with pytest.raises(UserError, match=r"came apart.* smaller --learning-rate"):
        train(Made(("one",)), replace(SPEC, learning_rate=1e14))
    with pytest.raises(UserError, match=r"not finite"):
        train(Made(("one",), loud=float("nan")), SPEC)
