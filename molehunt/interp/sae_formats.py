"""Other tools' folders of autoencoders: SAELens' and sparsify's.

    saelens    cfg.json, sae_weights.safetensors: W_enc [d, latents], W_dec [latents, d], b_enc, b_dec,
               and threshold [latents] for `jumprelu`, which is how SAELens keeps a trained BatchTopK
    sparsify   cfg.json, sae.safetensors: encoder.weight [latents, d], encoder.bias, W_dec, b_dec

What a folder of ours belongs to goes with it: in SAELens' metadata, and in a file `molehunt.json` beside
sparsify's, whose own files are then sparsify's to the byte. SAELens' `standard`, a plain ReLU, is
`jumprelu` at threshold 0. Names and fields are those of SAELens 6 (`sae_lens/saes/sae.py`, `topk_sae.py`,
`jumprelu_sae.py`) and of sparsify 1 (`sparsify/sparse_coder.py`, `config.py`). Only safetensors and JSON
are read.

What this cannot tell you: how folders of other versions look, or whether a folder that names no weights
(others' do not) was trained on these: only its width, and the place where it names one, are then held
against the model. `studies/formats` holds those of one version each against the tools themselves.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save_file
from torch import Tensor

from molehunt.core.atomic import read_json, refuse_taken, whole_folder, write_json
from molehunt.core.errors import BadFile, UserError
from molehunt.interp.sae import KINDS, Shape, SparseAutoencoder
from molehunt.interp.sae_files import SavedSae, read_tensors
from molehunt.models.anatomy import anatomy
from molehunt.models.loaded import Model
from molehunt.models.taps import activations, parse

Format = Literal["saelens", "sparsify"]
READ = ("topk", "batchtopk", "jumprelu", "standard")
"""Architectures of SAELens that are read."""
BESIDE = "molehunt.json"
"""What an export belongs to, where the other tool's own files have no room for it."""
THEIRS: Mapping[str, str] = {"saelens": "sae_weights.safetensors", "sparsify": "sae.safetensors"}
SAELENS = "6.54.12"
"""Whose format is written: a folder that names none is taken for one of before 6, and its place is lost."""
HOOKS: Mapping[str, str] = {
    "resid_pre": "hook_resid_pre",
    "resid_post": "hook_resid_post",
    "attn_out": "hook_attn_out",
    "mlp_out": "hook_mlp_out",
    "head_out": "attn.hook_z",
}
"""What TransformerLens, and with it SAELens, calls our sites."""


def export_sae(folder: Path, saved: SavedSae, form: Format) -> None:
    """Write a folder that SAELens or sparsify loads.

    Raises:
        UserError: sparsify knows no BatchTopK, neither knows crosscoders of ours, or the folder is not empty.
    """
    refuse_taken(folder)
    sae = saved.sae
    if saved.against:
        raise UserError(f"A crosscoder of two models cannot be written as {form}; share our own folder.")
    if form == "sparsify" and sae.shape.kind != "topk":
        raise UserError("sparsify knows TopK only; export a BatchTopK autoencoder as saelens.")
    config, tensors = _saelens(saved) if form == "saelens" else _sparsify(saved)
    with whole_folder(folder) as half:
        save_file({n: t.detach().cpu().contiguous() for n, t in tensors.items()}, half / THEIRS[form])
        (half / "cfg.json").write_text(json.dumps(config))
        if form == "sparsify":
            write_json(half / BESIDE, _belongs(saved))


def import_sae(folder: Path, model: Model, address: str) -> SavedSae:
    """Read a folder of SAELens or sparsify, told apart by its files, as one of this model and address.

    `made` says under `proven` what the folder itself named: its weights, its place.

    Raises:
        BadFile: it is neither, or of an architecture that is not read here.
        UserError: its weights, its place or its width are not those asked for; names both.
    """
    form = next((f for f, name in THEIRS.items() if (folder / name).is_file()), None)
    if form is None or not (folder / "cfg.json").is_file():
        raise BadFile(f"{folder} holds no cfg.json with {' or '.join(THEIRS.values())}.")
    config = read_json(folder / "cfg.json")
    said = _said(folder, config, form)
    proven = _held_against(folder, said, model, address)
    tensors = read_tensors(folder / THEIRS[form])
    try:
        read = _from_saelens if form == "saelens" else _from_sparsify
        sae = read(config, tensors, folder)
    except (AttributeError, KeyError, TypeError, RuntimeError) as error:
        first = str(error).splitlines()[0][:100]
        raise BadFile(f"{folder} lacks something that {form} writes ({first}).") from None
    width = activations(model, [[0]], address).shape[-1]
    if sae.shape.d_model != width:
        raise UserError(
            f"The autoencoder in {folder} reads {sae.shape.d_model} numbers; {address} of {model.spec.id} "
            f"has {width}."
        )
    made = {"imported": form, "cfg": config, "proven": proven}
    if "model" not in proven:
        return SavedSae(sae, model.fingerprint, address, model.spec.id, made)
    also = tuple(map(str, said.get("molehunt_also", ())))
    return SavedSae(sae, str(said["molehunt_model"]), address, model.spec.id, made, also=also)


def _belongs(saved: SavedSae) -> dict[str, Any]:
    """What our exports say of weights and place."""
    said: dict[str, Any] = {
        "model_name": saved.model_id,
        "molehunt_model": saved.model,
        "molehunt_address": saved.address,
    }
    return said | ({"molehunt_also": list(saved.also)} if saved.also else {})


def _said(folder: Path, config: Any, form: str) -> Mapping[str, Any]:
    """What a folder says of weights and place; SAELens before 6 kept it beside the rest."""
    if not isinstance(config, dict):
        raise BadFile(f"{folder / 'cfg.json'} holds no object with named fields.")
    if form == "sparsify":
        found = read_json(folder / BESIDE) if (folder / BESIDE).is_file() else {}
    else:
        found = config.get("metadata") or {n: config[n] for n in ("hook_name", "model_name") if n in config}
    if not isinstance(found, dict) or not isinstance(found.get("molehunt_also", []), list):
        raise BadFile(f"{folder} does not say in named fields what it belongs to; export it again.")
    return found


def _held_against(folder: Path, said: Mapping[str, Any], model: Model, address: str) -> list[str]:
    """What of weights and place the folder named, all of it matching."""
    parse(address, len(anatomy(model.module).layers))
    mark, place, hook = (said.get(n) for n in ("molehunt_model", "molehunt_address", "hook_name"))
    if mark and model.fingerprint not in (mark, *said.get("molehunt_also", ())):
        raise UserError(
            f"The autoencoder in {folder} is of model {str(said.get('model_name') or '?')[:80]} "
            f"({str(mark)[:12]}), not of {model.spec.id} ({model.fingerprint[:12]})."
        )
    if place and place != address:
        raise UserError(f"The autoencoder in {folder} is of {str(place)[:80]!r}, not of {address!r}.")
    if hook and hook != _hook_name(address):
        wanted = f"{address!r} ({_hook_name(address)})"
        raise UserError(f"The autoencoder in {folder} is of {str(hook)[:80]!r}, not of {wanted}.")
    return [*(["model"] if mark else []), *(["address"] if place or hook else [])]


def _hook_name(address: str) -> str:
    site, _, layer = address.partition(".")
    plain = {"embed": "hook_embed", "final_norm": "ln_final.hook_normalized"}
    return plain.get(address) or f"blocks.{layer}.{HOOKS.get(site, site)}"


def _saelens(saved: SavedSae) -> tuple[dict[str, Any], dict[str, Tensor]]:
    sae, shape = saved.sae, saved.sae.shape
    config: dict[str, Any] = {
        "d_in": shape.d_model,
        "d_sae": shape.n_latents,
        "dtype": str(sae.decoder.dtype).removeprefix("torch."),
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {
            "sae_lens_version": SAELENS,
            **_belongs(saved),
            "hook_name": _hook_name(saved.address),
            "prepend_bos": False,
            "molehunt_k": shape.k,
        },
        "architecture": "topk" if shape.kind == "topk" else "jumprelu",
    }
    tensors = {
        "W_enc": sae.encoder.T,
        "W_dec": sae.decoder,
        "b_enc": sae.encoder_bias,
        "b_dec": sae.decoder_bias,
    }
    if shape.kind == "topk":
        config |= {"k": shape.k, "rescale_acts_by_decoder_norm": False}
    else:
        tensors["threshold"] = sae.threshold
    return config, tensors


def _from_saelens(config: dict[str, Any], tensors: dict[str, Tensor], folder: Path) -> SparseAutoencoder:
    kind = config["architecture"]
    if kind not in READ:
        raise BadFile(f"{folder} is a {str(kind)[:80]!r} autoencoder; {', '.join(READ)} are read here.")
    plain = {"normalize_activations": "none", "reshape_activations": "none"}
    if kind == "standard":  # before 6 its activation could be another, and its latents scaled after it
        plain |= {"activation_fn": "relu", "activation_fn_str": "relu", "finetuning_scaling_factor": False}
    for name, value in plain.items():
        if config.get(name, value) not in (value, None):
            raise BadFile(
                f"{folder} wants {name} {str(config[name])[:80]!r}, which is not read here; fold it in first."
            )
    decoder_bias = tensors["b_dec"]
    encoder, decoder = tensors["W_enc"].T, tensors["W_dec"]
    bias = tensors["b_enc"]
    if not config.get("apply_b_dec_to_input", True):
        bias = bias + encoder @ decoder_bias  # ours takes b_dec away first
    if config.get("rescale_acts_by_decoder_norm"):
        norms = decoder.norm(dim=-1)
        encoder, bias, decoder = encoder * norms[:, None], bias * norms, decoder / norms[:, None]
    threshold = tensors.get("threshold", tensors.get("topk_threshold"))
    if kind == "standard":
        threshold = torch.zeros(config["d_sae"])
    if kind != "topk" and threshold is None:
        raise BadFile(f"{folder} holds no threshold for its {kind} latents.")
    k = config.get("k") or (config.get("metadata") or {}).get("molehunt_k") or 1
    shape = Shape(config["d_in"], config["d_sae"], max(1, int(k)), "topk" if kind == "topk" else "batchtopk")
    limits = torch.zeros(shape.n_latents) if kind == "topk" or threshold is None else threshold
    return _filled(shape, encoder, decoder, bias, decoder_bias, limits.expand(shape.n_latents))


def _sparsify(saved: SavedSae) -> tuple[dict[str, Any], dict[str, Tensor]]:
    sae, shape = saved.sae, saved.sae.shape
    config: dict[str, Any] = {
        "activation": "topk",
        "expansion_factor": max(1, shape.n_latents // shape.d_model),
        "normalize_decoder": True,
        "num_latents": shape.n_latents,
        "k": shape.k,
        "multi_topk": False,
        "skip_connection": False,
        "transcode": False,
        "d_in": shape.d_model,
    }
    return config, {
        "encoder.weight": sae.encoder,
        "encoder.bias": sae.encoder_bias,
        "W_dec": sae.decoder,
        "b_dec": sae.decoder_bias,
    }


def _from_sparsify(config: dict[str, Any], tensors: dict[str, Tensor], folder: Path) -> SparseAutoencoder:
    for name, plain in (("activation", "topk"), ("transcode", False), ("skip_connection", False)):
        if config.get(name, plain) != plain:
            raise BadFile(
                f"{folder} has {name} {config[name]!r}; only plain TopK autoencoders are read here."
            )
    encoder = tensors["encoder.weight"]
    shape = Shape(config["d_in"], len(encoder), config["k"], "topk")
    bias, limits = tensors["encoder.bias"], torch.zeros(len(encoder))
    return _filled(shape, encoder, tensors["W_dec"], bias, tensors["b_dec"], limits)


def _filled(
    shape: Shape, encoder: Tensor, decoder: Tensor, bias: Tensor, decoder_bias: Tensor, threshold: Tensor
) -> SparseAutoencoder:
    assert shape.kind in KINDS
    sae = SparseAutoencoder(shape)
    parts = {"encoder": encoder, "decoder": decoder, "encoder_bias": bias, "decoder_bias": decoder_bias}
    sae.load_state_dict({n: t.float() for n, t in {**parts, "threshold": threshold}.items()})
    return sae
