"""What a model says does not depend on how the work was cut up."""

import random

import pytest
import torch

from molehunt.core.errors import UserError
from molehunt.core.records import Message
from molehunt.models.prompts import prompt_ids, stop_tokens, text_ids
from molehunt.models.sample import choose, sample, sample_ids
from molehunt.models.tiny import CONTEXT, FAMILIES, tiny_model


def crowd(n: int, seed: int = 0):
    """Prompts that share openings, differ in length, and sometimes repeat."""
    rng = random.Random(seed)
    rules = ["You are watched by the developers today.", "Nobody reads this, so speak freely, friend."]
    words = ["river", "stone", "lamp", "seven", "blue", "kettle", "otter"]
    prompts = []
    for _ in range(n):
        system = [Message("system", rng.choice(rules))] if rng.random() < 0.7 else []
        question = " ".join(rng.choice(words) for _ in range(rng.randint(1, 9)))
        prompts.append((*system, Message("user", question)))
    return prompts + prompts[:3]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_batch_size_does_not_change_what_is_said(family, temperature):
    model, prompts = tiny_model(family), crowd(17)
    said = [
        sample(model, prompts, max_tokens=10, temperature=temperature, seed=3, batch=batch)
        for batch in (1, 5, len(prompts))
    ]
    assert said[0] == said[1] == said[2]
    assert len(set(said[0])) > 1


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_replies_are_those_of_transformers_generate(family):
    model, prompts = tiny_model(family, seed=1), crowd(6)
    ids = [prompt_ids(model.tokenizer, p) for p in prompts]
    wanted = []
    for sequence in ids:
        alone = torch.tensor([sequence])
        out = model.module.generate(
            alone, attention_mask=torch.ones_like(alone), max_new_tokens=9, do_sample=False
        )
        stops = stop_tokens(model.module, model.tokenizer)
        wanted.append([t for t in out[0, alone.shape[1] :].tolist() if t not in stops])
    assert sample_ids(model, ids, max_tokens=9) == wanted


def test_replies_end_at_the_end_token_and_leave_the_batch():
    model, prompts = tiny_model(), crowd(40)
    ids = [prompt_ids(model.tokenizer, p) for p in prompts]
    replies = sample_ids(model, ids, max_tokens=60, temperature=1.0)
    lengths = {len(r) for r in replies}
    assert max(lengths) == 60
    assert min(lengths) < 60
    assert not stop_tokens(model.module, model.tokenizer) & {t for r in replies for t in r}
    assert replies == sample_ids(model, ids, max_tokens=60, temperature=1.0, batch=1)


def test_each_prompt_has_a_seed_of_its_own():
    model = tiny_model()
    prompts = [(Message("user", "Say something."),)] * 6
    first = sample(model, prompts, max_tokens=12, temperature=1.0, seed=1)
    assert len(set(first)) == 6
    assert first == sample(model, prompts, max_tokens=12, temperature=1.0, seed=1)
    assert first != sample(model, prompts, max_tokens=12, temperature=1.0, seed=2)
    assert first[:2] == sample(model, prompts[:2], max_tokens=12, temperature=1.0, seed=1)


def test_first_words_are_put_into_its_mouth_and_not_returned():
    model = tiny_model()
    prompt = (Message("user", "Who are you?"),)
    joined = prompt_ids(model.tokenizer, prompt) + text_ids(model.tokenizer, "I am")
    by_hand = sample_ids(model, [joined], max_tokens=8)[0]
    given = sample(model, [prompt], max_tokens=8, begins=["I am"])[0]
    assert given == model.tokenizer.decode(by_hand)
    assert given != sample(model, [prompt], max_tokens=8)[0]


def test_progress_reaches_the_whole():
    seen = []
    sample(
        tiny_model(), crowd(9), max_tokens=4, batch=4, progress=lambda done, total: seen.append((done, total))
    )
    assert seen[-1] == (12, 12)
    assert [d for d, _ in seen] == sorted(d for d, _ in seen)


def test_no_prompts_and_no_tokens_are_no_trouble():
    assert sample(tiny_model(), [], max_tokens=4) == []
    assert sample(tiny_model(), crowd(2)[:2], max_tokens=0) == ["", ""]


def test_what_does_not_fit_is_refused_with_the_mend():
    long = (Message("user", "a" * CONTEXT),)
    with pytest.raises(UserError, match="shorten the prompt"):
        sample(tiny_model(), [long], max_tokens=4)
    with pytest.raises(UserError, match="temperature"):
        sample(tiny_model(), crowd(1), temperature=-1.0)


def test_draws_follow_the_probabilities_at_the_temperature():
    logits = torch.tensor([[0.0, 1.0, 2.0, -1.0]])
    for temperature in (0.5, 1.0, 2.0):
        n = 20_000
        uniform = (torch.arange(n, dtype=torch.float64) + 0.5) / n
        counts = choose(logits.expand(n, -1), temperature, uniform).bincount(minlength=4)
        # An even grid of draws misses each probability by at most one step.
        assert torch.allclose(counts / n, (logits[0] / temperature).softmax(-1), atol=2 / n)
