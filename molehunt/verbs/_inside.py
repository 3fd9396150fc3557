"""Opens a model for an instrument, with what the instruments rely on proven."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from molehunt.core.plain_text import plain

if TYPE_CHECKING:
    from molehunt.models.loaded import Model, ModelSpec


def open_inside(spec: "ModelSpec", *needs: str) -> "Model":
    """The model, once padding and whatever else is needed is proven; what else is not is said.

    Args:
        needs: names of proofs (`models.check`) without which the instrument would be wrong.

    Raises:
        ModelUnfit: one of them failed. Others as `open_model`.
    """
    from molehunt.models.check import proven, rely_on
    from molehunt.models.load import open_model

    model = open_model(spec)
    proofs = proven(model)
    rely_on(proofs, "padding", *needs)
    for proof in proofs:
        if not proof.holds:
            said = f"Not proven of {spec.id}: {proof.claim} ({proof.number:.3g} {proof.unit})."
            print(plain(said), file=sys.stderr)
    return model


def look_at(specs: "Sequence[ModelSpec]") -> None:
    """Say what is wrong with any model's name before the first of them is loaded. Errors as `open_model`."""
    from molehunt.models.load import look

    for spec in specs:
        look(spec)
