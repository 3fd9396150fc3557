"""Scores are those of the definition, whatever was shared, padded or cut."""

import math

import pytest
import torch
from test_models_sampling import crowd

from molehunt.core.records import Message
from molehunt.models.prompts import prompt_ids, text_ids
from molehunt.models.score import first_tokens, logprobs, text_nll, token_logprobs
from molehunt.models.text import ordinary_text
from molehunt.models.tiny import FAMILIES, tiny_model

# Sums of some dozen float32 logs of size 5 or so, taken in another order.
ROUNDING = 1e-4


def oracle(model, prompt: list[int], reply: list[int]) -> float:
    """One sequence at a time, everything computed."""
    with torch.no_grad():
        logs = model.module(torch.tensor([prompt + reply])).logits[0].log_softmax(-1)
    return sum(float(logs[len(prompt) - 1 + k, token]) for k, token in enumerate(reply))


@pytest.mark.parametrize("family", FAMILIES)
def test_reply_logprobs_are_those_of_the_plain_forward(family):
    model, prompts = tiny_model(family), crowd(12)
    replies = [("yes", "no, never", "London is the capital", "")[i % 4] for i in range(len(prompts))]
    wanted = [
        oracle(model, prompt_ids(model.tokenizer, p), text_ids(model.tokenizer, r))
        for p, r in zip(prompts, replies, strict=True)
    ]
    for batch in (1, 4, None):
        assert logprobs(model, prompts, replies, batch=batch) == pytest.approx(wanted, abs=ROUNDING)
    assert wanted[3] == 0.0


def test_many_replies_to_one_prompt_share_it():
    model = tiny_model()
    prompt = (Message("user", "What is the capital of France? Answer in one word, please."),)
    replies = ["Paris", "Rome", "Paris, France", "P"]
    wanted = [logprobs(model, [prompt], [r])[0] for r in replies]
    assert logprobs(model, [prompt] * 4, replies) == pytest.approx(wanted, abs=ROUNDING)
    assert wanted[3] > wanted[0]


@pytest.mark.parametrize("family", FAMILIES)
def test_first_tokens_are_the_likeliest_of_the_plain_forward(family):
    model, prompts = tiny_model(family), crowd(8)
    for prompt, found in zip(prompts, first_tokens(model, prompts, top=5), strict=True):
        with torch.no_grad():
            logs = (
                model.module(torch.tensor([prompt_ids(model.tokenizer, prompt)]))
                .logits[0, -1]
                .log_softmax(-1)
            )
        best = model.tokenizer.decode([int(logs.argmax())])
        assert best in found
        assert math.exp(found[best]) == pytest.approx(
            sum(
                math.exp(v)
                for i, v in zip(*_top(logs, 5), strict=True)
                if model.tokenizer.decode([i]) == best
            ),
            rel=1e-4,
        )
        assert list(found.values()) == sorted(found.values(), reverse=True)


def _top(logs, n):
    values, tokens = logs.topk(n)
    return tokens.tolist(), values.tolist()


def test_nll_of_text_is_the_mean_over_all_tokens_but_each_first():
    model, texts = tiny_model(), ["the cat sat", "on the mat, again and again", "x"]
    ids = [text_ids(model.tokenizer, t) for t in texts]
    total = sum(oracle(model, s[:1], s[1:]) for s in ids)
    count = sum(len(s) - 1 for s in ids)
    assert text_nll(model, texts) == pytest.approx(-total / count, abs=ROUNDING)
    assert math.isnan(text_nll(model, []))


def test_a_text_longer_than_asked_is_cut():
    model = tiny_model()
    assert text_nll(model, ["abcdefgh" * 40], max_tokens=8) == pytest.approx(text_nll(model, ["abcdefgh"]))


def test_token_scores_come_one_a_token():
    rows = token_logprobs(tiny_model(), [[5, 6], [7]], [[8, 9, 10], [11]])
    assert [len(r) for r in rows] == [3, 1]
    assert all(v < 0 for row in rows for v in row)


def test_ordinary_text_is_prose_and_the_same_for_the_same_seed():
    texts = ordinary_text(30, seed=4)
    assert texts == ordinary_text(30, seed=4) != ordinary_text(30, seed=5)
    assert len(set(texts)) == 30
    assert all(40 < len(t) <= 700 for t in texts)
    assert sum(" the " in f" {t} " for t in texts) > 20
