"""Whether a model of this machine may teach, prefer or judge: asked of a lineage, where one is named.

A version that has not passed the gate may not shape the next (`core/lineage.py`). Models behind an API have
no weights here to be found by, and are not asked.
"""

from pathlib import Path

from molehunt.core.lineage import refuse_judge
from molehunt.models.checkpoint import checkpoint_of
from molehunt.models.loaded import Model


def allowed(model: Model, lineage: Path | None) -> Model:
    """The model itself.

    Raises:
        UserError: the lineage in this folder says that these weights may not judge, and why.
        BadFile: the lineage cannot be read.
    """
    if lineage is not None:
        refuse_judge(checkpoint_of(model, lineage), lineage)
    return model
