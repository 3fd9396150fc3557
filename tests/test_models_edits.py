"""Edits do what their formula says, where they are told to, in one pass and across a cache's many."""

import pytest
import torch

from molehunt.core.errors import UserError
from molehunt.models.anatomy import anatomy
from molehunt.models.edits import add, clamp, project_out, replace
from molehunt.models.sample import sample_ids
from molehunt.models.score import token_logprobs
from molehunt.models.taps import activations, capture, edited, head_contribution, output_projection
from molehunt.models.tiny import D_MODEL, FAMILIES, tiny_model

IDS = [[5, 60, 61, 62, 63, 64], [7, 90, 91], [8]]
PUSH = torch.linspace(-3, 3, D_MODEL)
AT = "resid_post.0"


@pytest.mark.parametrize("family", FAMILIES)
def test_heads_sum_to_what_attention_writes(family):
    model = tiny_model(family)
    seen = capture(model, IDS, ["head_out.1", "attn_out.1"])
    bias = output_projection(anatomy(model.module), 1).bias
    parted = sum(head_contribution(model, seen.values["head_out.1"], 1, h) for h in range(4))
    whole = seen.values["attn_out.1"] - (0 if bias is None else bias)
    assert torch.allclose(parted, whole, atol=1e-5)
    assert not torch.allclose(head_contribution(model, seen.values["head_out.1"], 1, 0), whole, atol=1e-2)


@pytest.mark.parametrize("family", FAMILIES)
def test_silencing_a_head_takes_away_its_contribution(family):
    model = tiny_model(family)
    plain = capture(model, IDS, ["head_out.0", "attn_out.0"])
    kept = plain.values["head_out.0"].clone()
    kept[..., 8:16] = 0
    with edited(model, {"head_out.0": replace(kept)}):
        changed = activations(model, IDS, "attn_out.0")
    gone = head_contribution(model, plain.values["head_out.0"], 0, 1)
    lost = plain.values["attn_out.0"] - changed
    assert torch.allclose(lost[plain.mask], gone[plain.mask], atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_ends_are_the_embedding_and_what_the_head_reads(family):
    model = tiny_model(family)
    seen = capture(model, IDS[:1], ["final_norm", "embed", "resid_pre.0"])
    logits = model.module(torch.tensor(IDS[:1])).logits
    assert torch.allclose(anatomy(model.module).logits(seen.values["final_norm"]), logits, atol=1e-5)
    table = model.module.get_input_embeddings()(torch.tensor(IDS[:1]))
    assert torch.equal(seen.values["embed"], table)
    if family in ("llama", "qwen3", "mistral", "gpt_neox"):
        assert torch.equal(seen.values["embed"], seen.values["resid_pre.0"])


def test_reading_the_embedding_runs_no_layer():
    model = tiny_model()
    anatomy(model.module).layers[0].register_forward_pre_hook(lambda *_: pytest.fail("a layer ran"))
    assert activations(model, IDS, "embed").shape == (3, 6, D_MODEL)


def test_there_are_only_so_many_heads():
    with pytest.raises(UserError, match="no head 4"):
        head_contribution(tiny_model(), torch.zeros(1, D_MODEL), 0, 4)


def test_edits_are_their_formulas():
    x, u = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(1)), torch.randn(8)
    unit = u / u.norm()
    assert torch.allclose(add(u, 2.0)(x), x + 2 * u)
    assert torch.allclose(project_out(u)(x) @ unit, torch.zeros(2, 3), atol=1e-6)
    assert torch.allclose(project_out(u, 2.0)(x) @ unit, -(x @ unit), atol=1e-6)
    assert torch.allclose(clamp(u, 1.5)(x) @ unit, torch.full((2, 3), 1.5), atol=1e-6)
    rest = clamp(u, 1.5)(x) - x
    assert torch.allclose(rest, (rest @ unit)[..., None] * unit, atol=1e-6)
    assert torch.equal(replace(u)(x), u.expand_as(x))
    assert torch.allclose(replace(u, 0.5)(x), (u + x) / 2, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_strength_of_nothing_is_bit_identical_to_no_edit(family, dtype):
    model = tiny_model(family, dtype=dtype)
    edits = [add(PUSH, 0.0), project_out(PUSH, 0.0), clamp(PUSH, 9.0, 0.0), replace(PUSH, 0.0, at="last")]
    plain = activations(model, IDS, "resid_post.1")
    for edit in edits:
        with edited(model, {"embed": edit, AT: edit, "final_norm": edit}):
            assert torch.equal(activations(model, IDS, "resid_post.1"), plain)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_last_token_is_each_rows_own(family):
    model = tiny_model(family)
    plain = capture(model, IDS, [AT, "resid_pre.1"])
    with edited(model, {AT: add(PUSH, at="last")}):
        moved = activations(model, IDS, "resid_pre.1") - plain.values["resid_pre.1"]
    for row, ids in enumerate(IDS):
        felt = moved[row, : len(ids)].abs().amax(-1) > 0
        assert felt.tolist() == [False] * (len(ids) - 1) + [True]


def test_a_mask_chooses_rows_and_positions():
    model = tiny_model()
    mask = torch.zeros(3, 6, dtype=torch.bool)
    mask[0, 2], mask[1, 1], mask[2, 4] = True, True, True  # the last of them is padding
    plain = activations(model, IDS, "resid_pre.1")
    with edited(model, {AT: add(PUSH, at=mask)}):
        moved = activations(model, IDS, "resid_pre.1") - plain
    mask[2, 4] = False
    assert torch.equal(moved.abs().amax(-1) > 0, mask)


def greedily(model, ids, n):
    """What a model says token by token, each from a pass of its own over everything so far."""
    said = []
    for _ in range(n):
        with torch.no_grad():
            said.append(int(model.module(torch.tensor([[*ids, *said]])).logits[0, -1].argmax()))
    return said


@pytest.mark.parametrize("family", FAMILIES)
def test_sampling_with_a_cache_feels_edits_where_a_bare_loop_does(family):
    model = tiny_model(family)
    mask = torch.tensor([False, True, False, False, False, True, True, False])
    many = [[*IDS[0], 70 + i] for i in range(9)]  # shared beginnings are worth computing once
    for edit in (add(PUSH), add(PUSH, at=mask), clamp(PUSH, 20.0)):
        with edited(model, {AT: edit}):
            wanted = [greedily(model, ids, 5) for ids in many]
            assert sample_ids(model, many, max_tokens=5, stops=frozenset()) == wanted
    assert wanted != sample_ids(model, many, max_tokens=5, stops=frozenset())


def test_the_last_token_while_sampling_is_the_prompts_and_then_each_new_one():
    model = tiny_model()
    many = [[*IDS[0], 70 + i] for i in range(9)]
    from_there = torch.arange(16) >= len(many[0]) - 1
    with edited(model, {AT: add(PUSH, at="last")}):
        last = sample_ids(model, many, max_tokens=6, stops=frozenset())
    with edited(model, {AT: add(PUSH, at=from_there)}):
        assert sample_ids(model, many, max_tokens=6, stops=frozenset()) == last
    assert sample_ids(model, many, max_tokens=6, stops=frozenset()) != last


def test_scoring_feels_an_edit_at_positions():
    model = tiny_model()
    mask = torch.tensor([False, False, True])
    prompts, replies = [IDS[0]] * 3, [[70, 71], [72], [73, 74, 75]]
    with edited(model, {AT: add(PUSH, at=mask)}):
        scored = token_logprobs(model, prompts, replies)
        for prompt, reply, row in zip(prompts, replies, scored, strict=True):
            logits = model.module(torch.tensor([[*prompt, *reply]])).logits[0].log_softmax(-1)
            alone = [float(logits[len(prompt) - 1 + i, t]) for i, t in enumerate(reply)]
            assert row == pytest.approx(alone, abs=1e-4)
    assert token_logprobs(model, prompts, replies)[1] != scored[1]


def test_gradients_reach_direction_and_strength():
    model = tiny_model()
    direction, strength = PUSH.clone().requires_grad_(), torch.tensor(0.0, requires_grad=True)
    with edited(model, {AT: add(direction, strength, at="last")}):
        logit = model.module(torch.tensor([IDS[0]])).logits[0, -1, 40]
        logit.backward()
    with torch.no_grad():
        eps = 1e-3
        with edited(model, {AT: add(PUSH, eps, at="last")}):
            up = model.module(torch.tensor([IDS[0]])).logits[0, -1, 40]
        with edited(model, {AT: add(PUSH, -eps, at="last")}):
            down = model.module(torch.tensor([IDS[0]])).logits[0, -1, 40]
    assert float(strength.grad) == pytest.approx(float((up - down) / (2 * eps)), rel=2e-2)
    assert torch.equal(direction.grad, torch.zeros(D_MODEL))  # at strength 0 nothing depends on it


def test_what_cannot_be_an_edit_is_said():
    model = tiny_model()
    for bad in (torch.zeros(D_MODEL), torch.full((D_MODEL,), torch.nan), torch.ones(2, D_MODEL)):
        with pytest.raises(UserError, match="direction"):
            add(bad)
    with pytest.raises(UserError, match="does not fit"), edited(model, {AT: add(torch.ones(7))}):
        activations(model, IDS, "resid_post.1")
    with pytest.raises(UserError, match="only inside"):
        add(PUSH, at="last")(torch.zeros(1, 1, D_MODEL))
    rows = torch.ones(3, 6, dtype=torch.bool)
    with pytest.raises(UserError, match="mask"), edited(model, {AT: add(PUSH, at=rows)}):
        sample_ids(model, IDS, max_tokens=2)
