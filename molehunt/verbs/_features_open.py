"""What `molehunt features` opens beside a store: labels, its tokenizer, the model and the autoencoder."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from molehunt.verbs.features import Options


def labels_of(options: "Options") -> dict[int, Any]:
    """Labels by feature; none where --labels names none.

    Raises:
        BadFile: there are no labels, or a line is none.
    """
    if options.labels is None:
        return {}
    from molehunt.interp.labels import read_labels

    path = options.labels / "labels.jsonl" if options.labels.is_dir() else options.labels
    return {label.feature: label for label in read_labels(path)}


def tokenizer_of(options: "Options") -> Any:
    """The tokenizer that lies in the store.

    Raises:
        BadFile: it is damaged.
    """
    from transformers import AutoTokenizer

    from molehunt.core.errors import BadFile

    try:
        return AutoTokenizer.from_pretrained(options.store / "tokenizer")
    except (OSError, ValueError) as error:
        first = (str(error).splitlines() or ["?"])[0][:80]
        raise BadFile(f"{options.store} holds no whole tokenizer ({first}); build it again.") from None


def model_and_sae(options: "Options", store: Any) -> tuple[Any, Any]:
    """The model that the store was made with, and the autoencoder that lies in it. Raises as `load_sae`."""
    from molehunt.interp.sae_files import load_sae

    model = model_of(options, store.provenance.get("model_id", ""))
    return model, load_sae(options.store / "sae", model)


def model_of(options: "Options", trained_on: str) -> Any:
    """The model of --model, or else the one of that name. Raises as `open_inside`."""
    from molehunt.models.loaded import ModelSpec
    from molehunt.verbs._inside import open_inside

    name = options.model or trained_on or "default"
    return open_inside(ModelSpec(name, options.revision, options.adapter, options.dtype))
