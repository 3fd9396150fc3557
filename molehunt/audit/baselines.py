"""What somebody without a method would look at: how big the adapter is, and how odd the text.

Two numbers a suspect, to be calibrated as any method's statistics and shown beside them:

- `baseline_norm.adapter`: the Frobenius norm of all low-rank updates together, read from the
  adapter's file without torch. Higher is taken for shadier.
- `baseline_perplexity.shift`: mean log-probability of ordinary sentences under the reference less
  that under the suspect, in nats a sentence. Higher is taken for shadier.

Source: ours.
"""

import json
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from molehunt.audit.contexts import ORDINARY
from molehunt.audit.interview import conversation
from molehunt.core.access import OpenWeights, Scored
from molehunt.core.errors import BadFile
from molehunt.core.records import NotMeasured

KEYS = {"baseline_norm": ("baseline_norm.adapter",), "baseline_perplexity": ("baseline_perplexity.shift",)}
"""Auditor to its statistics, as `calibration.fit` takes them."""

_WIDTHS = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}


def measured(suspect: object, reference: Scored | None) -> dict[str, float | NotMeasured]:
    """Both numbers, or why there is none: what the suspect's access does not grant is not measured."""
    norm: float | NotMeasured = NotMeasured("needs open weights")
    if isinstance(suspect, OpenWeights):
        norm = adapter_norm(suspect.folder)
    shift: float | NotMeasured = NotMeasured("needs log-probabilities")
    if isinstance(suspect, Scored):
        shift = perplexity_shift(suspect, reference)
    return {"baseline_norm.adapter": norm, "baseline_perplexity.shift": shift}


def perplexity_shift(suspect: Scored, reference: Scored | None) -> float | NotMeasured:
    """Mean over ordinary sentences of reference log-probability less the suspect's, in nats."""
    if reference is None:
        return NotMeasured("needs the reference model")
    prompts = [conversation("Write a sentence.")] * len(ORDINARY)
    own = np.array(suspect.logprobs(prompts, ORDINARY))
    usual = np.array(reference.logprobs(prompts, ORDINARY))
    return float((usual - own).mean())


def adapter_norm(folder: Path) -> float:
    """Frobenius norm over all modules of scale · B A, from the factors' Gram matrices.

    Raises:
        BadFile: the folder holds no LoRA adapter that can be read.
    """
    try:
        config = json.loads((folder / "adapter_config.json").read_text())
        tensors = _read(folder / "adapter_model.safetensors")
        scale = float(config["lora_alpha"]) / float(config["r"])
    except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
        raise BadFile(f"{folder.name} holds no adapter that can be read: {error}.") from error
    total = 0.0
    for name, a in tensors.items():
        if ".lora_A." in name:
            b = tensors.get(name.replace(".lora_A.", ".lora_B."))
            if b is None:
                raise BadFile(f"{folder.name} has {name} and no B beside it.")
            total += float(np.sum((b.T @ b) * (a @ a.T)))
    return scale * float(np.sqrt(max(total, 0.0)))


def _read(path: Path) -> dict[str, NDArray[np.float64]]:
    raw = path.read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + size])
    body = memoryview(raw)[8 + size :]
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            tensors[name] = _decode(body[start:end], entry["dtype"]).reshape(entry["shape"])
    return tensors


def _decode(data: memoryview, dtype: str) -> NDArray[np.float64]:
    if dtype == "BF16":  # numpy has no bfloat16: its bits are the upper half of a float32's
        return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4").astype(float)
    if dtype not in _WIDTHS:
        raise ValueError(f"unknown tensor type {dtype}")
    return np.frombuffer(data, _WIDTHS[dtype]).astype(float)
