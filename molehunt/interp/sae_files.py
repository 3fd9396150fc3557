"""Autoencoders on disk: our own folder, SAELens' and sparsify's.

    ours       sae.json (shape, fingerprint of the model or of both, address, how it was trained),
               sae.safetensors
    saelens    cfg.json, sae_weights.safetensors: W_enc [d, latents], W_dec [latents, d], b_enc, b_dec,
               and threshold [latents] for `jumprelu`, which is how SAELens keeps a trained BatchTopK
    sparsify   cfg.json, sae.safetensors: encoder.weight [latents, d], encoder.bias, W_dec, b_dec

Names and fields are those of SAELens 6 (`sae_lens/saes/sae.py`, `topk_sae.py`, `jumprelu_sae.py`) and of
sparsify 1 (`sparsify/sparse_coder.py`, `config.py`). An autoencoder of another model or another place
is refused when it is loaded for use. Only safetensors and JSON are read.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from molehunt.core.atomic import read_json, whole_folder, write_json
from molehunt.core.errors import BadFile, UserError
from molehunt.interp.sae import KINDS, Shape, SparseAutoencoder
from molehunt.models.loaded import Model

Format = Literal["saelens", "sparsify"]
OURS = ("sae.json", "sae.safetensors")
THEIRS: Mapping[str, str] = {"saelens": "sae_weights.safetensors", "sparsify": "sae.safetensors"}
SAELENS = "6.54.12"
"""Whose format is written: a folder that names none is taken for one of before 6, and its place is lost."""
SHIPPED = Path(__file__).with_name("shipped")
"""An autoencoder of the default model's middle layer; `studies/instruments` says how it was made."""
HOOKS: Mapping[str, str] = {
    "resid_pre": "hook_resid_pre",
    "resid_post": "hook_resid_post",
    "attn_out": "hook_attn_out",
    "mlp_out": "hook_mlp_out",
    "head_out": "attn.hook_z",
}
"""What TransformerLens, and with it SAELens, calls our sites."""


@dataclass(frozen=True)
class SavedSae:
    """An autoencoder and what it belongs to."""

    sae: SparseAutoencoder
    model: str
    """Fingerprint of the model whose activations it codes; empty where nobody said."""
    address: str
    model_id: str = ""
    made: Mapping[str, Any] = field(default_factory=dict)
    """How it was trained, or where it is from."""
    against: str = ""
    """Fingerprint of the second model, in a crosscoder; `model` is then the first."""
    against_id: str = ""
    also: tuple[str, ...] = ()
    """Fingerprints of the same model in other precisions."""

    def of(self, model: Model) -> bool:
        """Whether it belongs to these weights."""
        return model.fingerprint in (self.model, *self.also)


def save_sae(folder: Path, saved: SavedSae, dtype: torch.dtype | None = None) -> None:
    """Write our own folder, wholly or not at all; weights in another precision where `dtype` names one."""
    with whole_folder(folder) as half:
        kept = {n: t.detach().cpu().contiguous() for n, t in saved.sae.state_dict().items()}
        tensors = {n: t if dtype is None else t.to(dtype) for n, t in kept.items()}
        save_file(tensors, half / OURS[1])
        said = {"model": saved.model, "model_id": saved.model_id, "address": saved.address}
        if saved.against:
            said |= {"against": saved.against, "against_id": saved.against_id}
        if saved.also:
            said |= {"also": saved.also}
        write_json(half / OURS[0], {"shape": asdict(saved.sae.shape), **said, "made": dict(saved.made)})


def load_sae(folder: Path, model: Model | None = None, address: str | None = None) -> SavedSae:
    """Read our own folder of an autoencoder of one model; with `model` or `address`, if it belongs there.

    Raises:
        BadFile: there is none, or it is damaged.
        UserError: it is of another model or another address, or of two models; names both.
    """
    saved = read_sae(folder)
    if saved.against:
        raise UserError(
            f"{folder} holds a crosscoder of two models; `molehunt diff` and `molehunt sae eval --against` "
            "read those."
        )
    if model is not None and not saved.of(model):
        raise UserError(
            f"The autoencoder in {folder} is of model {saved.model_id or '?'} "
            f"({saved.model[:12] or 'unknown'}), "
            f"not of {model.spec.id} ({model.fingerprint[:12]})."
        )
    if address is not None and saved.address != address:
        raise UserError(f"The autoencoder in {folder} is of {saved.address!r}, not of {address!r}.")
    return saved


def read_sae(folder: Path) -> SavedSae:
    """Read our own folder, of one model or of two; `shipped` is the one that comes with the package.

    Raises:
        BadFile: there is none, or it is damaged.
    """
    if folder == Path("shipped") and not folder.exists():
        folder = SHIPPED
    about, tensors = read_json(folder / OURS[0]), _tensors(folder / OURS[1])
    try:
        sae = SparseAutoencoder(Shape(**about["shape"]))
        sae.load_state_dict(tensors)
        if (sae.shape.models == 2) != bool(about.get("against")):
            raise KeyError("against")
        one = (about["model"], about["address"], about["model_id"], about["made"])
        two = (about.get("against", ""), about.get("against_id", ""))
        return SavedSae(sae, *one, *two, tuple(about.get("also", ())))
    except (KeyError, TypeError, RuntimeError, UserError) as error:
        first = str(error).splitlines()[0][:100]
        raise BadFile(
            f"{folder} does not hold a whole autoencoder ({first}); train or import it again."
        ) from None


def fitting(saved: SavedSae, a: Model, b: Model) -> SavedSae:
    """The autoencoder, if it was trained on one of the two, or the crosscoder, if on both in this order.

    Raises:
        UserError: it belongs to other models; names all.
    """
    names = f"{a.spec.id} ({a.fingerprint[:12]}) and {b.spec.id} ({b.fingerprint[:12]})"
    if saved.against and (saved.model, saved.against) != (a.fingerprint, b.fingerprint):
        raise UserError(
            f"The crosscoder at {saved.address} is of {saved.model_id or '?'} ({saved.model[:12]}) and "
            f"{saved.against_id or '?'} ({saved.against[:12]}) in this order, not of {names}."
        )
    if not saved.against and not (saved.of(a) or saved.of(b)):
        raise UserError(
            f"The autoencoder at {saved.address} is of model {saved.model_id or '?'} "
            f"({saved.model[:12] or 'unknown'}), not of one of {names}."
        )
    return saved


def export_sae(folder: Path, saved: SavedSae, form: Format) -> None:
    """Write a folder that SAELens or sparsify loads.

    Raises:
        UserError: sparsify knows no BatchTopK, and neither knows crosscoders of ours.
    """
    sae = saved.sae
    if saved.against:
        raise UserError(f"A crosscoder of two models cannot be written as {form}; share our own folder.")
    if form == "sparsify" and sae.shape.kind != "topk":
        raise UserError("sparsify knows TopK only; export a BatchTopK autoencoder as saelens.")
    config, tensors = _saelens(saved) if form == "saelens" else _sparsify(saved)
    with whole_folder(folder) as half:
        save_file({n: t.detach().cpu().contiguous() for n, t in tensors.items()}, half / THEIRS[form])
        (half / "cfg.json").write_text(json.dumps(config))


def import_sae(folder: Path, model: Model, address: str) -> SavedSae:
    """Read a folder of SAELens or sparsify, told apart by its files, as one of this model and address.

    Raises:
        BadFile: it is neither, or of an architecture that is not read here.
        UserError: its width is not that of the model, or it names another place.
    """
    form = next((f for f, name in THEIRS.items() if (folder / name).is_file()), None)
    if form is None or not (folder / "cfg.json").is_file():
        raise BadFile(f"{folder} holds no cfg.json with {' or '.join(THEIRS.values())}.")
    config, tensors = read_json(folder / "cfg.json"), _tensors(folder / THEIRS[form])
    try:
        sae = (
            _from_saelens(config, tensors, folder)
            if form == "saelens"
            else _from_sparsify(config, tensors, folder)
        )
    except (AttributeError, KeyError, TypeError, RuntimeError) as error:
        first = str(error).splitlines()[0][:100]
        raise BadFile(f"{folder} lacks something that {form} writes ({first}).") from None
    hook = (config.get("metadata") or {}).get("hook_name") if form == "saelens" else None
    if hook is not None and hook != _hook_name(address):
        raise UserError(
            f"The autoencoder in {folder} is of {hook!r}, not of {address!r} ({_hook_name(address)})."
        )
    made = {"imported": form, "cfg": config}
    return SavedSae(sae, model.fingerprint, address, model.spec.id, made)


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
            "model_name": saved.model_id,
            "hook_name": _hook_name(saved.address),
            "prepend_bos": False,
            "molehunt_model": saved.model,
            "molehunt_address": saved.address,
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
    if kind not in ("topk", "jumprelu", "batchtopk"):
        raise BadFile(f"{folder} is a {kind!r} autoencoder; topk, batchtopk and jumprelu are read here.")
    for name, plain in (("normalize_activations", "none"), ("reshape_activations", "none")):
        if config.get(name, plain) != plain:
            raise BadFile(
                f"{folder} wants {name} {config[name]!r}, which is not read here; fold it in first."
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


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except FileNotFoundError:
        raise BadFile(f"There is no file {path}.") from None
    except (OSError, SafetensorError) as error:
        raise BadFile(f"{path} is damaged ({str(error)[:80]}); fetch or make it again.") from None
