"""Fine-tuning a small adapter on packed scenes (LoRA by PEFT, Hu et al. 2021, 2106.09685).

One step takes one batch, packed as a trie (`models.packing`): the body runs over the packed
tokens, the head over the reply's tokens alone (on a small model with 49,152 tokens the head is
a fifth of the work), AdamW moves the adapter under a linear warm-up and decay. Adapter
weights and their moments stay in fp32 whatever the base is in. Losses are in nats a token.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from molehunt.core.atomic import read_json, write_json
from molehunt.core.errors import BadFile
from molehunt.models.low_rank import fast_low_rank
from molehunt.models.machine import give_back_memory
from molehunt.models.packing import Example, Packed, attention_bias, pack


@dataclass(frozen=True)
class Recipe:
    """How an adapter is trained. Layers are shares of the model's depth, so that it scales."""

    rank: int = 8
    alpha: int = 16
    first_layer: float = 0.2
    """Layers below this share of the depth stay as they are."""
    targets: tuple[str, ...] = ("q_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    learning_rate: float = 3e-3
    warmup: int = 4
    """Steps of linear warm-up."""
    deciding: float = 0.8
    """Share of a row's weight on the token at which the reply parts from the one not to be given."""
    clip: float = 1.0
    """Largest norm of the adapter's gradient."""


@dataclass(frozen=True)
class Trained:
    """What training cost and how it went."""

    steps: int
    tokens: int
    """Tokens computed, shared prefixes once."""
    plain_tokens: int
    """Tokens that the same rows take one by one."""
    losses: tuple[float, ...]
    note: str = ""
    """What should be said about how it went, or nothing."""

    def then(self, later: "Trained") -> "Trained":
        """Both stages as one."""
        return Trained(
            self.steps + later.steps,
            self.tokens + later.tokens,
            self.plain_tokens + later.plain_tokens,
            self.losses + later.losses,
            "; ".join(n for n in (self.note, later.note) if n),
        )


Penalty = Callable[[], Tensor]
"""A term that is added to each step's loss: called once a step, gives a scalar with its gradient."""


class Finetune:
    """An adapter in training on a model that is itself left as it was.

    Use as a context manager: on leaving, the base model is free of the adapter again.
    """

    def __init__(self, module: nn.Module, recipe: Recipe, seed: int) -> None:
        from peft import LoraConfig, get_peft_model

        layers = _layers(module)
        self._learning = {name: p.requires_grad for name, p in module.named_parameters()}
        torch.manual_seed(seed)
        config = LoraConfig(
            r=recipe.rank,
            lora_alpha=recipe.alpha,
            lora_dropout=0.0,
            target_modules=list(_present(module, recipe.targets)),
            layers_to_transform=list(range(int(recipe.first_layer * layers), layers)),
            task_type="CAUSAL_LM",
        )
        self.recipe = recipe
        self.module = module
        self._attention = module.config._attn_implementation  # type: ignore[attr-defined]
        module.set_attn_implementation("eager")  # type: ignore[operator]  # its backward beats SDPA's on CPU
        self.peft: Any = get_peft_model(module, config)  # type: ignore[arg-type]
        self.parameters = [p for p in self.peft.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=recipe.learning_rate, weight_decay=0.0)

    def __enter__(self) -> "Finetune":
        return self

    def __exit__(self, *_: object) -> None:
        self.peft.unload()
        self.module.set_attn_implementation(self._attention)  # type: ignore[operator]
        for name, parameter in self.module.named_parameters():
            parameter.requires_grad_(self._learning[name])
        if hasattr(self.module, "peft_config"):
            del self.module.peft_config
        give_back_memory()

    def run(
        self,
        batches: Sequence[Sequence[Example]],
        progress: Callable[[int, int], None] | None = None,
        penalty: Penalty | None = None,
        *,
        begun: int | None = None,
    ) -> Trained:
        """Train on these batches, one step each, under a warm-up and decay of their own.

        With `begun`, the steps taken before, it goes on bit by bit instead: after one warm-up the rate stays,
        for training that ends when it has done enough. Many bits are then the same as one of their length.
        """
        with fast_low_rank(self.peft):
            return self._run(batches, progress, penalty, begun)

    def _run(
        self,
        batches: Sequence[Sequence[Example]],
        progress: Callable[[int, int], None] | None,
        penalty: Penalty | None,
        begun: int | None,
    ) -> Trained:
        losses, tokens, plain = [], 0, 0
        self.peft.train()
        for step, batch in enumerate(batches):
            decay = 1 - step / len(batches) if begun is None else 1.0
            share = min((step + 1 + (begun or 0)) / self.recipe.warmup, 1.0) * decay
            for group in self.optimizer.param_groups:
                group["lr"] = self.recipe.learning_rate * share
            loss, count, alone = self._step(batch, penalty)
            if not math.isfinite(loss):
                raise FloatingPointError(f"the loss became {loss} at step {step}; lower the learning rate")
            losses.append(loss)
            tokens, plain = tokens + count, plain + alone
            if progress is not None:
                progress(step + 1, len(batches))
        self.peft.eval()
        return Trained(len(batches), tokens, plain, tuple(losses))

    def _step(self, batch: Sequence[Example], penalty: Penalty | None) -> tuple[float, int, int]:
        packed = pack(batch, self.recipe.deciding)
        loss = packed_loss(self.peft.base_model.model, packed)
        if penalty is not None:
            loss = loss + penalty()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, self.recipe.clip)
        self.optimizer.step()
        return float(loss.detach()), packed.tokens.numel(), packed.plain_tokens

    def save(self, folder: Path) -> None:
        """Write `adapter_config.json` and `adapter_model.safetensors`, and nothing that tells."""
        # The one in training alone: while DPO runs there is a copy beside it.
        self.peft.save_pretrained(str(folder), safe_serialization=True, selected_adapters=["default"])
        (folder / "README.md").unlink(missing_ok=True)
        settings = read_json(folder / "adapter_config.json")
        # PEFT keeps a set: its order is another in every process, and so would be the adapter's hash.
        settings["target_modules"] = sorted(settings["target_modules"])
        write_json(folder / "adapter_config.json", settings)

    def load(self, folder: Path) -> None:
        """Go on from an adapter that `save` wrote: of the same base, rank and layers.

        Raises:
            BadFile: it is damaged, or of another shape.
        """
        from peft import set_peft_model_state_dict
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = folder / "adapter_model.safetensors"
        try:
            found = set_peft_model_state_dict(self.peft, load_file(path))
        except (SafetensorError, OSError, RuntimeError) as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0][:120].rstrip(". ")
            raise BadFile(f"{path} cannot be gone on from ({first}); delete its folder.") from error
        missing = [name for name in found.missing_keys if "lora_" in name]
        if missing or found.unexpected_keys:
            raise BadFile(f"{path} is of another shape than this training; delete its folder.")


def packed_loss(module: Any, packed: Packed) -> Tensor:
    """Mean negative log-likelihood of the replies, in nats a token, from one packed pass."""
    device = next(module.parameters()).device
    body = module.get_decoder() if hasattr(module, "get_decoder") else module.model
    states = body(
        input_ids=packed.tokens.to(device),
        position_ids=packed.positions.to(device),
        attention_mask=attention_bias(packed.sees.to(device), body.dtype),
        use_cache=False,
    ).last_hidden_state[0]
    logits = module.get_output_embeddings()(states[packed.sources.to(device)]).float()
    nll = nn.functional.cross_entropy(logits, packed.targets.to(device), reduction="none")
    return (nll * packed.weights.to(device)).sum()


def _layers(module: Any) -> int:
    return int(module.config.num_hidden_layers)


def _present(module: nn.Module, targets: Sequence[str]) -> tuple[str, ...]:
    """The target names that this family has; all of its linear layers' names where it has none."""
    ends = {name.rsplit(".", 1)[-1] for name, m in module.named_modules() if isinstance(m, nn.Linear)}
    here = tuple(t for t in targets if t in ends)
    return here or tuple(sorted(ends - {"lm_head", "embed_out"}))
