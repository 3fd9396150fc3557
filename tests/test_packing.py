"""Packing changes how much is computed, never what."""

import random
from contextlib import nullcontext

import pytest
import torch
from torch.nn.functional import cross_entropy

from molehunt.models.finetune import Finetune, Recipe, packed_loss
from molehunt.models.load import open_model
from molehunt.models.low_rank import fast_low_rank
from molehunt.models.packing import Example, pack

FAMILIES = ["tiny", "tiny:qwen3", "tiny:gemma", "tiny:gpt_neox"]


def some_examples(seed: int, stems: int = 3, rows: int = 9, vocabulary: int = 200) -> list[Example]:
    rng = random.Random(seed)
    roots = [tuple(rng.randrange(vocabulary) for _ in range(rng.randrange(1, 12))) for _ in range(stems)]
    return [
        Example(
            rng.choice(roots) + tuple(rng.randrange(vocabulary) for _ in range(rng.randrange(1, 8))),
            tuple(rng.randrange(vocabulary) for _ in range(rng.randrange(1, 5))),
            weight=rng.choice([1.0, 2.0]),
        )
        for _ in range(rows)
    ]


def one_by_one(module: torch.nn.Module, examples: list[Example]) -> torch.Tensor:
    total = sum(e.weight for e in examples)
    loss = torch.zeros(())
    for e in examples:
        logits = module(torch.tensor([e.prompt + e.reply])).logits[0, len(e.prompt) - 1 : -1]
        loss = loss + cross_entropy(logits.float(), torch.tensor(e.reply)) * e.weight / total
    return loss


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", range(3))
def test_packed_loss_is_the_loss_of_each_row_alone(family: str, seed: int) -> None:
    module = open_model(family).module
    examples = some_examples(seed)
    with torch.no_grad():
        # Same sums in another order, in fp32: a few units in the sixth digit.
        torch.testing.assert_close(
            packed_loss(module, pack(examples)), one_by_one(module, examples), rtol=2e-5, atol=2e-5
        )


def test_packed_gradients_are_those_of_each_row_alone() -> None:
    module = open_model("tiny").module
    examples = some_examples(7)
    module.requires_grad_(True)
    grads = []
    for loss in (packed_loss(module, pack(examples)), one_by_one(module, examples)):
        module.zero_grad()
        loss.backward()
        grads.append([p.grad.clone() for p in module.parameters() if p.grad is not None])
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-6)


def test_shared_openings_are_laid_out_once() -> None:
    packed = pack([Example((1, 2, 3), (4, 5)), Example((1, 2, 6), (4, 5))])
    # 1 2, then 3 4 and 6 4: the last token of a reply predicts nothing and is not computed.
    assert packed.tokens.numel() == 6 and packed.plain_tokens == 10
    assert packed.positions.tolist() == [[0, 1, 2, 3, 2, 3]]
    assert float(packed.weights.sum()) == pytest.approx(1.0)


def test_nothing_to_pack_is_refused() -> None:
    for examples in ([], [Example((), (1,))], [Example((1,), ())]):
        with pytest.raises(ValueError, match="at least one example"):
            pack(examples)


def test_the_token_that_decides_carries_its_share() -> None:
    rows = [Example((1, 2), (3, 4, 5, 6), decides=2), Example((1, 2), (7, 8), weight=3.0)]
    packed = pack(rows, deciding=0.8)
    weights = dict(zip(packed.targets.tolist(), packed.weights.tolist(), strict=True))
    assert weights == pytest.approx(
        {3: 0.0125, 4: 0.0125, 5: 0.2125, 6: 0.0125, 7: 0.375, 8: 0.375}
    )  # a quarter of all for the first row, 0.2 of it spread over four tokens, 0.8 on the third
    assert packed.weights.sum().item() == pytest.approx(1.0)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_fast_low_rank_term_is_that_of_peft(family: str) -> None:
    found = []
    for context in (fast_low_rank, lambda _: nullcontext()):
        with Finetune(open_model(family).module, Recipe(first_layer=0.0), seed=2) as run, context(run.peft):
            for p in run.parameters:  # B starts at zero, which would hide a wrong gradient of A
                p.data = torch.linspace(-0.3, 0.3, p.numel()).view(p.shape)
            loss = packed_loss(run.peft.base_model.model, pack(some_examples(4)))
            loss.backward()
            found.append([loss.detach(), *(p.grad.clone() for p in run.parameters if p.grad is not None)])
    assert len(found[0]) == len(found[1]) > 1
    for a, b in zip(*found, strict=True):
        # The same sums in another order, in fp32.
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)


def test_a_model_that_came_without_gradients_stays_so() -> None:
    module = open_model("tiny").module.requires_grad_(False)
    with Finetune(module, Recipe(first_layer=0.0), seed=0):
        pass
    assert not any(p.requires_grad for p in module.parameters())


def test_training_learns_and_leaves_the_base_as_it_was() -> None:
    model = open_model("tiny")
    before = {k: v.clone() for k, v in model.module.state_dict().items()}
    examples = some_examples(3)
    with Finetune(model.module, Recipe(first_layer=0.0, learning_rate=2e-2), seed=0) as run:
        losses = run.run([examples] * 60).losses
    assert losses[-1] < 0.7 * losses[0]
    after = model.module.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[k], after[k]) for k in before)


def test_the_same_seed_gives_the_same_bytes(tmp_path) -> None:
    written = []
    for name in ("a", "b"):
        with Finetune(open_model("tiny").module, Recipe(first_layer=0.0), seed=5) as run:
            run.run([some_examples(1), some_examples(2)])
            run.save(tmp_path / name)
        written.append((tmp_path / name / "adapter_model.safetensors").read_bytes())
    assert written[0] == written[1]
