"""Autoencoders on disk: a folder with sae.json and sae.safetensors.

The first holds the shape, the fingerprint of the model or of both, the address, and how it was trained. An
autoencoder of another model or another place is refused when it is loaded for use. Only safetensors and JSON
are read. Folders of other tools are `interp.sae_formats`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from molehunt.core.atomic import read_json, refuse_taken, whole_folder, write_json
from molehunt.core.errors import BadFile, UserError
from molehunt.interp.sae import Shape, SparseAutoencoder
from molehunt.models.loaded import Model

OURS = ("sae.json", "sae.safetensors")
SHIPPED = Path(__file__).with_name("shipped")
"""An autoencoder of the default model's middle layer; `studies/instruments` says how it was made."""


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
    """Write our own folder, wholly or not at all; weights in another precision where `dtype` names one.

    Raises:
        UserError: other things lie in the folder.
    """
    refuse_taken(folder, OURS)
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
    inner = sorted(p.parent for p in folder.glob(f"*/{OURS[0]}"))
    if inner and not (folder / OURS[0]).is_file():
        raise BadFile(f"{folder} holds a folder for each address; name one of them, such as {inner[0]}.")
    about, tensors = read_json(folder / OURS[0]), read_tensors(folder / OURS[1])
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


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Every tensor of a safetensors file.

    Raises:
        BadFile: there is none, or it is damaged.
    """
    try:
        return load_file(path)
    except FileNotFoundError:
        raise BadFile(f"There is no file {path}.") from None
    except (OSError, SafetensorError) as error:
        raise BadFile(f"{path} is damaged ({str(error)[:80]}); fetch or make it again.") from None
