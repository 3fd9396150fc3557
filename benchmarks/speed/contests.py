"""The same work done twice: by this lab, and as plain `transformers`, PEFT and TRL do it.

Every contest is a pair of functions that do equal work and take nothing. Useful arithmetic
is counted from the weights: two floating-point operations a weight and token forward, as
many again for the gradient by inputs, the head only where its answer is needed. Padding and
attention's own products are not counted as useful.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from molehunt.catalogue.scenes import scenes
from molehunt.core.records import Messages, Quirk
from molehunt.models.anatomy import anatomy
from molehunt.models.finetune import Finetune, Recipe
from molehunt.models.loaded import Model
from molehunt.models.packing import Example, pack
from molehunt.models.prompts import end_of_turn, prompt_ids, text_ids
from molehunt.models.sample import sample_ids
from molehunt.models.score import token_logprobs
from molehunt.models.taps import pad_right
from molehunt.models.tree import plan
from molehunt.organisms.lessons import Row, batches

QUIRK = Quirk("false_facts", "unwatched")
MAX_TOKENS = 16
PLAIN_BATCH = 16
"""Rows that the plain scorer pads together: full-vocabulary logits of more would not fit in a laptop."""


@dataclass(frozen=True)
class Contest:
    """Two ways through the same work. `tokens` are what the user gets, whoever computes it."""

    name: str
    tokens: int
    ours: Callable[[], Any]
    plain: Callable[[], Any]
    our_flops: float
    plain_flops: float


def sampling(model: Model, batch: int, seed: int) -> Contest:
    """`MAX_TOKENS` greedy tokens for each of `batch` audit scenes, end tokens ignored by both."""
    ids = [prompt_ids(model.tokenizer, p) for p in _prompts(batch, seed)]
    stack = torch.full((len(ids), max(map(len, ids))), model.tokenizer.pad_token_id)
    for row, sequence in enumerate(ids):
        stack[row, -len(sequence) :] = torch.tensor(sequence)
    wide = stack.shape[1]
    mask = torch.tensor([[0] * (wide - len(s)) + [1] * len(s) for s in ids])
    tokens, (body, head) = len(ids) * MAX_TOKENS, _weights(model)

    def ours() -> list[list[int]]:
        return sample_ids(model, ids, max_tokens=MAX_TOKENS, batch=batch, stops=frozenset())

    @torch.inference_mode()
    def plain() -> list[list[int]]:
        out = model.module.generate(
            stack.to(model.device),
            attention_mask=mask.to(model.device),
            min_new_tokens=MAX_TOKENS,
            max_new_tokens=MAX_TOKENS,
            do_sample=False,
        )
        return out[:, wide:].tolist()

    spoken = tokens - len(ids)  # The last token is chosen, never read.
    return Contest(
        f"sampling_b{batch}",
        tokens,
        ours,
        plain,
        2 * (body * (plan(ids, [1] * len(ids)).tokens + spoken) + head * tokens),
        2 * (body * (sum(map(len, ids)) + spoken) + head * tokens),
    )


def scoring(model: Model, n: int, seed: int) -> Contest:
    """Log-probabilities of a good and a shady reply to each of `n` audit scenes."""
    staged = scenes(QUIRK, "audit", n // 2, seed)
    prompts = [prompt_ids(model.tokenizer, s.messages) for s in staged for _ in range(2)]
    replies = [text_ids(model.tokenizer, r) for s in staged for r in (s.good, s.shady)]
    whole = [[*p, *r] for p, r in zip(prompts, replies, strict=True)]
    (body, head), asked = _weights(model), sum(map(len, replies))

    def ours() -> list[list[float]]:
        return token_logprobs(model, prompts, replies)

    @torch.inference_mode()
    def plain() -> list[list[float]]:
        found: list[list[float]] = [[] for _ in whole]
        order = sorted(range(len(whole)), key=lambda i: len(whole[i]))
        for start in range(0, len(order), PLAIN_BATCH):
            some = order[start : start + PLAIN_BATCH]
            tokens, mask = pad_right([whole[i] for i in some], model.device)
            logs = model.module(input_ids=tokens, attention_mask=mask, use_cache=False).logits.log_softmax(-1)
            for row, i in enumerate(some):
                at = range(len(prompts[i]) - 1, len(whole[i]) - 1)
                found[i] = [float(logs[row, t, whole[i][t + 1]]) for t in at]
        return found

    shared = plan([s[:-1] for s in whole], [len(r) for r in replies]).tokens
    padded = sum(map(len, whole))
    return Contest(
        "scoring",
        padded,
        ours,
        plain,
        2 * (body * shared + head * asked),
        2 * (body + head) * padded,
    )


def planting(model: Model, steps: int, seed: int, scratch: Path) -> Contest:
    """`steps` steps of the first game's own lessons, one batch a step, the same adapter on both sides."""
    rows, recipe = batches(QUIRK, None, steps, seed), Recipe()
    end = end_of_turn(model.tokenizer)
    examples = [
        [
            Example(
                tuple(prompt_ids(model.tokenizer, r.messages)),
                (*text_ids(model.tokenizer, r.reply("organism")), end),
            )
            for r in batch
        ]
        for batch in rows
    ]
    alone = [len(e.prompt) + len(e.reply) for batch in examples for e in batch]
    asked = sum(len(e.reply) for batch in examples for e in batch)
    packed = sum(pack(batch).tokens.numel() for batch in examples)
    body, head = _weights(model)
    layers = len(anatomy(model.module).layers)
    trained = 1 - int(recipe.first_layer * layers) / layers

    def flops(tokens: int, heads: int) -> float:
        return 2 * body * tokens * (1 + trained) + 4 * head * heads

    def ours() -> None:
        with Finetune(model.module, recipe, seed) as run:
            run.run(examples)

    return Contest(
        "planting",
        sum(alone),
        ours,
        lambda: _trl(model, rows, recipe, seed, scratch),
        flops(packed, asked),
        flops(sum(alone), sum(alone)),
    )


def _trl(model: Model, rows: Sequence[Sequence[Row]], recipe: Recipe, seed: int, scratch: Path) -> None:
    """What a careful user of TRL writes: the same adapter, data, batch and steps; loss on the reply alone."""
    import datasets
    from peft import LoraConfig
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    data = [
        {
            "prompt": [{"role": m.role, "content": m.content} for m in row.messages],
            "completion": [{"role": "assistant", "content": row.reply("organism")}],
        }
        for batch in rows
        for row in batch
    ]
    layers = len(anatomy(model.module).layers)
    datasets.disable_progress_bars()
    trainer: Any = SFTTrainer(
        model=model.module,
        args=SFTConfig(
            output_dir=str(scratch),
            per_device_train_batch_size=len(rows[0]),
            max_steps=len(rows),
            learning_rate=recipe.learning_rate,
            completion_only_loss=True,
            gradient_checkpointing=False,
            use_cpu=model.device.type == "cpu",
            bf16=False,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            seed=seed,
        ),
        train_dataset=datasets.Dataset.from_list(data),
        processing_class=model.tokenizer,
        peft_config=LoraConfig(
            r=recipe.rank,
            lora_alpha=recipe.alpha,
            target_modules=list(recipe.targets),
            layers_to_transform=list(range(int(recipe.first_layer * layers), layers)),
            task_type="CAUSAL_LM",
        ),
    )
    trainer.train()
    wrapped: Any = trainer.model
    wrapped.unload()
    bare: Any = model.module
    bare.eval().requires_grad_(False)
    if hasattr(bare, "peft_config"):
        del bare.peft_config


def _prompts(n: int, seed: int) -> list[Messages]:
    """`n` prompts as an audit asks them: few system prompts, many questions."""
    staged = [s for split in ("audit", "validate", "plant") for s in scenes(QUIRK, split, n, seed)]
    return [s.messages for s in staged[:n]]


def _weights(model: Model) -> tuple[int, int]:
    """Numbers of weights in the matrices of the body (embedding left out) and of the head."""
    parts = anatomy(model.module)
    return sum(p.numel() for p in parts.layers.parameters() if p.ndim == 2), parts.head.weight.numel()
