"""A model that speaks as the record of a version: what a lineage keeps, and what `may_judge` takes."""

import os
from collections.abc import Mapping
from pathlib import Path

import molehunt
from molehunt.core.records import Checkpoint
from molehunt.models.adapter_files import adapter_hash
from molehunt.models.loaded import Model
from molehunt.models.local import LocalModel


def checkpoint_of(
    model: LocalModel | Model, home: Path, made_by: Mapping[str, str] | None = None, parent: str = ""
) -> Checkpoint:
    """The record of a version that lies beside the lineage in `home`.

    Args:
        model: a model as it speaks; one with its adapter merged has the same fingerprint as both apart.
        made_by: hashes of what made it: recipe, rows, code.
        parent: fingerprint of the version that it was made from.
    """
    whole = model.model if isinstance(model, LocalModel) else model
    merged = Path(whole.spec.adapter) if whole.spec.adapter else None
    adapter = model.adapter if isinstance(model, LocalModel) and model.adapter else merged
    own = {} if adapter is None else {"adapter": adapter_hash(adapter)}
    return Checkpoint(
        base=whole.spec.id,
        base_fingerprint=whole.fingerprint if merged is None else "",
        adapter="" if adapter is None else os.path.relpath(adapter, home),
        made_by={"molehunt": molehunt.__version__, **own, **(made_by or {})},
        fingerprint=model.fingerprint,
        parent=parent,
        revision=whole.spec.revision or "",
    )
