"""Where the parts of a causal language model are, by family.

Llama, Qwen, Gemma, Mistral and their like share one layout; GPT-NeoX and GPT-2 have their
own. What is found here by name is proven at load by `models.check`.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from molehunt.core.errors import ModelUnfit


@dataclass(frozen=True)
class Anatomy:
    """The modules of one model. `layers[i]` adds to the residual stream what `attention` and `mlp` write."""

    body: Any
    """Token ids to normed hidden states."""
    layers: Any
    norm: Any
    """The last norm, between the residual stream and the head."""
    head: Any
    """The unembedding, a linear map."""
    attention: str
    """Name of the attention module inside a layer."""
    mlp: str
    softcap: float | None
    """Logits are squashed to ± this by tanh (Gemma 2), where the configuration says so."""
    scale: float
    """Logits are multiplied by this (Cohere, Granite)."""

    def logits(self, normed: Float[Tensor, "... d_model"]) -> Float[Tensor, "... vocab"]:
        """What the head makes of normed hidden states."""
        logits = self.head(normed)
        if self.scale != 1.0:
            logits = logits * self.scale
        return torch.tanh(logits / self.softcap) * self.softcap if self.softcap else logits


def anatomy(module: Any) -> Anatomy:
    """The parts of a `transformers` causal LM, also inside a PEFT wrapper.

    Raises:
        ModelUnfit: the layout is none of those known here.
    """
    module = module.get_base_model() if hasattr(module, "get_base_model") else module
    body = module.base_model
    head = module.get_output_embeddings()
    config = module.config
    softcap = getattr(config, "final_logit_softcapping", None)
    divided = getattr(config, "logits_scaling", None) or 1.0
    scale = (getattr(config, "logit_scale", None) or 1.0) / divided
    for layers, norm, attention, mlp in (
        ("layers", "norm", "self_attn", "mlp"),
        ("layers", "final_layer_norm", "attention", "mlp"),
        ("h", "ln_f", "attn", "mlp"),
    ):
        if hasattr(body, layers) and hasattr(body, norm) and head is not None:
            found = getattr(body, layers)
            if len(found) and hasattr(found[0], attention) and hasattr(found[0], mlp):
                return Anatomy(body, found, getattr(body, norm), head, attention, mlp, softcap, scale)
    raise ModelUnfit(
        f"{type(module).__name__} is laid out like none of Llama, GPT-NeoX and GPT-2; "
        "its parts cannot be addressed."
    )


def sliding_window(module: Any) -> int | None:
    """The width of the narrowest attention window in tokens, or None where every layer sees all."""
    config = module.config
    kinds = getattr(config, "layer_types", None)
    if kinds is not None and "sliding_attention" not in kinds:
        return None
    return getattr(config, "sliding_window", None)
