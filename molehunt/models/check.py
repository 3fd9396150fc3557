"""What the rest of the lab relies on, proven on the model at hand and not assumed of its family.

Each proof is a claim, whether it holds, and the number that it was judged by. Tolerances:
float32 rounds at 6e-8 and a deep network adds up some thousand of those; bfloat16 rounds at
4e-3, so there the claims hold to a few per cent and tokens may differ: the share that agrees
is stated.
"""

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import transformers
from torch import Tensor

from molehunt.core.errors import ModelUnfit
from molehunt.models.anatomy import anatomy
from molehunt.models.cachedir import cache_folder, write_text
from molehunt.models.edits import add
from molehunt.models.loaded import Model
from molehunt.models.passes import prefill
from molehunt.models.prompts import text_ids
from molehunt.models.sample import sample_ids
from molehunt.models.taps import (
    ENDS,
    SITES,
    capture,
    edited,
    head_contribution,
    output_projection,
    pad_right,
    unembed,
)
from molehunt.models.tree import plan

TEXTS = (
    "The capital of France is",
    "The capital of Italy is the city of",
    "Water boils when",
    "The capital of France is a large city on a river, and",
    "1, 2, 3,",
    "Write a short letter to a friend who has moved to another country, and ask",
)


SUMMED = ("resid_pre", "attn_out", "mlp_out", "resid_post")
"""The sites of a layer of which the first three sum to the last."""


@dataclass(frozen=True)
class Proof:
    """One claim about a loaded model."""

    name: str
    """Short name that code relies on: `head`, `sum`, `heads`, `edit`, `padding`, `sharing`, `batch`."""
    claim: str
    holds: bool
    number: float
    unit: str


def prove(model: Model) -> tuple[Proof, ...]:
    """Every proof, on six short texts (some seconds on the default model and a CPU)."""
    with torch.inference_mode():
        ids = [text_ids(model.tokenizer, t) for t in TEXTS]
        inside = (_head(model, ids), _sum(model, ids), _heads(model, ids), _edit(model, ids))
    return (*inside, *prove_speech(model))


def prove_speech(model: Model) -> tuple[Proof, ...]:
    """The proofs of `prove` that sampling and scoring rest on: `padding`, `sharing`, `batch`."""
    with torch.inference_mode():
        ids = [text_ids(model.tokenizer, t) for t in TEXTS]
        return (*_padding(model, ids), _batch(model, ids))


def fit_to_speak(model: Model) -> Model:
    """The model, once it is proven that what it says depends on the prompt alone; remembered as in `proven`.

    Nothing is drawn from a global generator, and nothing stays on the model.

    Raises:
        ModelUnfit: padding, shared beginnings or the batch's size change what it says.
    """
    rely_on(proven(model, speech_only=True), "padding", "sharing", "batch")
    return model


def proven(model: Model, *, speech_only: bool = False) -> tuple[Proof, ...]:
    """As `prove`, remembered in the cache folder for these weights, versions, precision and device.

    With `speech_only`, as `prove_speech`.
    """
    parts = [
        *(["speech"] if speech_only else []),
        model.fingerprint,
        str(model.dtype),
        model.device.type,
        torch.__version__,
        transformers.__version__,
    ]
    parts += [path.read_text("utf-8") for path in sorted(Path(__file__).parent.glob("*.py"))]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
    memory = cache_folder() / "proofs" / f"{key}.json"
    if memory.is_file():
        with suppress(ValueError, TypeError):  # a spoilt note is no reason to stop: prove again
            return tuple(Proof(**row) for row in json.loads(memory.read_text("utf-8")))
    proofs = prove_speech(model) if speech_only else prove(model)
    with suppress(OSError):  # nor is a cache that can't be written: it is proven anew next time
        write_text(memory, json.dumps([asdict(p) for p in proofs]))
    return proofs


def rely_on(proofs: tuple[Proof, ...], *names: str) -> None:
    """Refuse to go on where one of these proofs failed.

    Raises:
        ModelUnfit: it names the claim and the number.
    """
    for proof in proofs:
        if proof.name in names and not proof.holds:
            raise ModelUnfit(
                f"This model failed a proof: {proof.claim} ({proof.number:.3g} {proof.unit}); "
                "`molehunt doctor --model` shows all of them: fetch it again, or take another model."
            )


def _head(model: Model, ids: list[list[int]]) -> Proof:
    last = f"resid_post.{len(anatomy(model.module).layers) - 1}"
    seen = capture(model, ids, [last])
    error = _error(unembed(model, seen.values[last])[seen.mask], _logits(model, ids)[seen.mask])
    claim = "the last residual through norm and head gives back the logits"
    return Proof("head", claim, *_within(model, error))


def _sum(model: Model, ids: list[list[int]]) -> Proof:
    layers = range(len(anatomy(model.module).layers))
    seen = capture(model, ids, [f"{site}.{layer}" for layer in layers for site in SUMMED])
    worst = 0.0
    for layer in layers:
        before, attention, mlp, after = (seen.values[f"{site}.{layer}"][seen.mask] for site in SUMMED)
        worst = max(worst, _error(before + attention + mlp, after))
    claim = "a layer adds what its attention and its MLP write, and no more"
    return Proof("sum", claim, *_within(model, worst))


def _heads(model: Model, ids: list[list[int]]) -> Proof:
    """Heads against attention's projection, which in Gemma 2 and 3 is not yet what the layer adds."""
    parts = anatomy(model.module)
    heads = range(model.module.config.get_text_config().num_attention_heads)
    worst = 0.0
    for layer in range(len(parts.layers)):
        seen = capture(model, ids[:1], [f"head_out.{layer}"]).values[f"head_out.{layer}"]
        projection = output_projection(parts, layer)
        whole = projection(seen)
        if projection.bias is not None:
            whole = whole - projection.bias
        parted = sum(head_contribution(model, seen, layer, h).float() for h in heads)
        assert isinstance(parted, Tensor)
        worst = max(worst, _error(parted, whole))
    return Proof("heads", "what the heads of a layer write sums to its attention", *_within(model, worst))


def _edit(model: Model, ids: list[list[int]]) -> Proof:
    n_layers = len(anatomy(model.module).layers)
    plain = _logits(model, ids)
    layered = [f"{site}.{layer}" for site in SITES for layer in range(n_layers)]
    nothing = add(torch.ones(1), 0.0)
    error = 0.0
    for change in (_same, nothing):
        with edited(model, dict.fromkeys([*layered, *ENDS], change)):
            error = max(error, _error(_logits(model, ids), plain))
    claim = "an empty edit at every address changes nothing"
    return Proof("edit", claim, error == 0, error, "of the largest logit")


def _padding(model: Model, ids: list[list[int]]) -> tuple[Proof, Proof]:
    """Last-token logits alone, against padded left, right, and with shared beginnings."""
    parts = anatomy(model.module)
    alone = torch.cat([_logits(model, [s])[:, -1] for s in ids])
    right = _logits(model, ids)[torch.arange(len(ids)), torch.tensor([len(s) - 1 for s in ids])]

    def by_plan(share: bool) -> Tensor:
        many = ids * 3 if share else ids  # Few and short texts are worth sharing only when they repeat.
        layout = plan(many, [1] * len(many), share=share)
        ends = torch.cat([h[:, -1] for _, _, h in prefill(model, layout)])
        back = torch.tensor(layout.order).argsort()
        return parts.logits(ends[back.to(ends.device)])[: len(ids)]

    padded = max(_error(right, alone), _error(by_plan(False), alone))
    return (
        Proof("padding", "neither padding nor its side matters", *_within(model, padded)),
        Proof("sharing", "sharing beginnings changes nothing", *_within(model, _error(by_plan(True), alone))),
    )


def _batch(model: Model, ids: list[list[int]]) -> Proof:
    one = sample_ids(model, ids, max_tokens=8, batch=1)
    all_ = sample_ids(model, ids, max_tokens=8)
    same = sum(a == b for x, y in zip(one, all_, strict=True) for a, b in zip(x, y, strict=False))
    total = sum(max(len(x), len(y)) for x, y in zip(one, all_, strict=True))
    rate = same / total if total else 1.0
    # In 16 bits near ties fall either way and what follows differs: there the rate is stated, not required.
    holds = rate == 1.0 if model.dtype == torch.float32 else rate > 0.5
    return Proof("batch", "batch size does not change the tokens", holds, rate, "of tokens agree")


def _within(model: Model, error: float) -> tuple[bool, float, str]:
    allowed = 1e-4 if model.dtype == torch.float32 else 5e-2
    return error <= allowed, error, "of the largest value"


def _logits(model: Model, ids: list[list[int]]) -> Tensor:
    tokens, mask = pad_right(ids, model.device)
    return model.module(input_ids=tokens, attention_mask=mask, use_cache=False).logits.float()


def _error(found: Tensor, wanted: Tensor) -> float:
    """The largest difference as a share of the largest value; infinite where one is no number."""
    worst = float((found.float() - wanted.float()).abs().max() / wanted.float().abs().max().clamp_min(1e-12))
    return worst if worst == worst else float("inf")


def _same(value: Tensor) -> Tensor:
    return value
