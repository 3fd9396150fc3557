"""Tiny models, made in memory in milliseconds, so that whole games run in a test.

Random weights in six families, two layers each, over a tokenizer that reads bytes and
knows the ChatML marks. They say nothing sensible; they exercise everything.
"""

from typing import Any, Literal, get_args

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers import models as token_models
from transformers import (
    AutoModelForCausalLM,
    GemmaConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    PreTrainedTokenizerFast,
    Qwen3Config,
)

from molehunt.core.errors import UnknownName
from molehunt.models.fingerprint import fingerprint
from molehunt.models.loaded import Model, ModelSpec

Family = Literal["llama", "qwen3", "gemma", "mistral", "gpt_neox", "gpt2"]
FAMILIES: tuple[str, ...] = get_args(Family)
D_MODEL, N_LAYERS, CONTEXT = 32, 2, 4096

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def tiny_model(
    family: str = "llama", seed: int = 0, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> Model:
    """A random model of one of `FAMILIES`: 2 layers, d_model 32.

    Raises:
        UnknownName: there is no such family.
    """
    if family not in FAMILIES:
        raise UnknownName("tiny model", family, FAMILIES)
    tokenizer = byte_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = AutoModelForCausalLM.from_config(_config(family, tokenizer), dtype=torch.float32)
    module = module.to(device, dtype).eval().requires_grad_(False)
    return Model(
        spec=ModelSpec(id=f"tiny:{family}", dtype=str(dtype).removeprefix("torch."), device=device),
        module=module,
        tokenizer=tokenizer,
        device=torch.device(device),
        dtype=dtype,
        fingerprint=fingerprint(module),
    )


def byte_tokenizer() -> Any:
    """One token a byte, and three marks: end of text, start and end of a turn."""
    marks = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    words = marks + sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(token_models.BPE(vocab={w: i for i, w in enumerate(words)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)  # type: ignore[assignment]
    core.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHATML
    return tokenizer


def _config(family: str, tokenizer: Any) -> Any:
    shared: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": D_MODEL,
        "num_hidden_layers": N_LAYERS,
        "num_attention_heads": 4,
        "max_position_embeddings": CONTEXT,
        # Large enough that the head tells tokens apart: ties would make replies a matter of rounding.
        "initializer_range": 0.15,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    grouped: dict[str, Any] = {"num_key_value_heads": 2, "head_dim": 8, "intermediate_size": 64}
    if family == "llama":
        return LlamaConfig(**shared, **grouped, tie_word_embeddings=True)
    if family == "qwen3":
        return Qwen3Config(**shared, **grouped)
    if family == "gemma":
        # Gemma multiplies embeddings by √d_model; its layers need larger weights to be heard beside them.
        return GemmaConfig(**{**shared, "initializer_range": 0.5}, **grouped)
    if family == "mistral":
        return MistralConfig(**shared, **grouped, sliding_window=None)
    if family == "gpt_neox":
        return GPTNeoXConfig(**shared, intermediate_size=64)
    return GPT2Config(**shared)
