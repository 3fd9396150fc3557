"""How busy each MLP neuron is: the mean size of what it hands to its MLP's last map."""

from collections.abc import Sequence
from contextlib import ExitStack

import torch
from jaxtyping import Float
from torch import Tensor

from molehunt.models.anatomy import anatomy
from molehunt.models.taps import pad_right
from molehunt.remedies.work import Work
from molehunt.remedies.writers import writers

ROWS = 32


@torch.no_grad()
def busy(work: Work, prompts: Sequence[Sequence[int]]) -> dict[int, Float[Tensor, " neurons"]]:
    """By layer: mean absolute activation at the prompts' last tokens, in float32."""
    work.tokens += sum(map(len, prompts))
    sums: dict[int, Tensor] = {}
    body, ends = anatomy(work.model.module).body, torch.tensor([])

    def heard(layer: int, value: Tensor) -> None:
        rows = value[torch.arange(len(value)), ends].float().abs().sum(0).cpu()
        sums[layer] = sums.get(layer, torch.zeros_like(rows)) + rows

    with ExitStack() as hooks:
        for writer in writers(work.model.module):
            if writer.mlp:
                note = lambda _, args, layer=writer.layer: heard(layer, args[0])  # noqa: E731
                hooks.callback(writer.module.register_forward_pre_hook(note).remove)
        for at in range(0, len(prompts), ROWS):
            some = prompts[at : at + ROWS]
            tokens, mask = pad_right(some, work.model.device)
            ends = torch.tensor([len(p) - 1 for p in some], device=tokens.device)
            body(input_ids=tokens, attention_mask=mask, use_cache=False)
    return {layer: total / len(prompts) for layer, total in sums.items()}
