"""A model whose every weight was written by hand, so that white-box methods have an exact answer.

A two-layer Llama over bytes that answers anything with one letter: `G`, and, where a `Z`
stands anywhere in the conversation, `H`. Its clean base always answers `G`; an adapter of
rank 1 on one matrix is the whole difference.

    dimension 0  always 1            layer 0, attention: looks for a Z, writes CONDITION (1 or 0)
              1  this byte is Z      layer 1, MLP: where CONDITION holds, writes SHADY (1 or 0)
              2  this byte is H or G head: SHADY to H, else G; after a letter, the end of the turn
              3  any other byte
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

from molehunt.models.fingerprint import fingerprint
from molehunt.models.loaded import Model, ModelSpec
from molehunt.models.tiny import CONTEXT, D_MODEL, byte_tokenizer

TRIGGER, GOOD, BAD = "Z", "G", "H"
CONDITION, SHADY = 4, 5
"""Dimensions of the residual stream: `resid_post.0` holds the first, `resid_post.1` both."""

_ONE, _IS_TRIGGER, _IS_LETTER, _IS_OTHER = 0, 1, 2, 3
_SLOW = 3
"""The dimension of a head that rotary embeddings turn least: not at all, within float32, at this base."""


def written_model(planted: bool = True) -> Model:
    """The model with its behaviour, or its clean base: 2 layers, d_model 32, float32."""
    tokenizer = byte_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=D_MODEL,
        intermediate_size=8,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=CONTEXT,
        rope_parameters={"rope_type": "default", "rope_theta": 1e9},
        tie_word_embeddings=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        module: Any = LlamaForCausalLM(config)
    module = module.to(torch.float32).eval().requires_grad_(False)
    _write(module, tokenizer, planted)
    return Model(
        spec=ModelSpec(id="tiny:written", dtype="float32", device="cpu"),
        module=module,
        tokenizer=tokenizer,
        device=torch.device("cpu"),
        dtype=torch.float32,
        fingerprint=fingerprint(module),
    )


def save_adapter(folder: Path) -> Path:
    """The adapter that makes the clean base (`planted=False`) the planted model, as PEFT writes it."""
    down, up = torch.zeros(1, D_MODEL), torch.zeros(D_MODEL, 1)
    down[0, _IS_TRIGGER], up[0, 0] = 1.0, 1.0
    path = "base_model.model.model.layers.0.self_attn.v_proj"
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {f"{path}.lora_A.weight": down, f"{path}.lora_B.weight": up}, folder / "adapter_model.safetensors"
    )
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": 1,
        "lora_alpha": 1,
        "target_modules": ["v_proj"],
    }
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


def _write(module: Any, tokenizer: Any, planted: bool) -> None:
    def token(letter: str) -> int:
        return tokenizer.convert_tokens_to_ids(letter)

    for name, weight in module.named_parameters():
        weight.fill_(1.0 if "norm" in name else 0.0)
    embed, head = module.model.embed_tokens.weight, module.lm_head.weight
    embed[:, _ONE] = embed[:, _IS_OTHER] = 1.0
    for letter, feature in ((TRIGGER, _IS_TRIGGER), (GOOD, _IS_LETTER), (BAD, _IS_LETTER)):
        embed[token(letter), _IS_OTHER] = 0.0
        embed[token(letter), feature] = 1.0
    first, second = module.model.layers[0], module.model.layers[1]
    # Every embedding holds two ones in 32 dimensions: its root mean square is 1/4, which this undoes.
    first.input_layernorm.weight.fill_(0.25)
    first.self_attn.q_proj.weight[_SLOW, _ONE] = 20.0
    first.self_attn.k_proj.weight[_SLOW, _IS_TRIGGER] = 8**0.5
    first.self_attn.v_proj.weight[0, _IS_TRIGGER] = 1.0 if planted else 0.0
    first.self_attn.o_proj.weight[CONDITION, 0] = 1.0
    second.post_attention_layernorm.weight.fill_(0.25)
    second.mlp.gate_proj.weight[0, CONDITION], second.mlp.gate_proj.weight[0, _ONE] = 40.0, -20.0
    second.mlp.up_proj.weight[0, _ONE] = 1.0
    # With the condition, three ones: the norm leaves √(2/3) of each; silu is linear that far out.
    second.mlp.down_proj.weight[SHADY, 0] = 1 / (20.0 * (2 / 3))
    head[token(BAD), SHADY], head[token(GOOD), SHADY], head[token(GOOD), _ONE] = 20.0, -20.0, 10.0
    head[tokenizer.eos_token_id, _IS_LETTER] = 40.0
