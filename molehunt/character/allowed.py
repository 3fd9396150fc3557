"""Whether a model of this machine may teach, prefer or judge, or be trained further: asked of a lineage.

A version that has not passed the gate may not shape the next (`core/lineage.py`). Where no folder is named,
the lineage in `HOME`, where `molehunt gate` records, is asked if there is one. Models behind an API have no
weights here to be found by, and are not asked.
"""

from pathlib import Path

from molehunt.core.errors import UserError
from molehunt.core.lineage import FILE, HOME, why_not_good, why_not_judge
from molehunt.models.checkpoint import checkpoint_of
from molehunt.models.loaded import Model

UNGATED = "No lineage was asked whether these models may shape the next one (--ungated)."


def lineage_of(named: str | Path | None, ungated: bool = False) -> Path | None:
    """The folder of the lineage that is asked; None where nobody is.

    Raises:
        UserError: one is named, and none is to be asked.
    """
    if ungated:
        if named is not None:
            raise UserError("--ungated asks no lineage; leave it out, or --lineage.")
        return None
    return Path(named) if named is not None else (HOME if (HOME / FILE).is_file() else None)


def allowed(model: Model, lineage: Path | None) -> Model:
    """The model itself, if it may label, judge or train others.

    Raises:
        UserError: the lineage in this folder says that these weights may not, and why.
        BadFile: the lineage cannot be read.
    """
    if lineage is not None and (why := why_not_judge(checkpoint_of(model, lineage), lineage)):
        raise _refused("judge", why, lineage)
    return model


def good(model: Model, lineage: Path | None) -> Model:
    """The model itself, if it may be trained further. Errors as `allowed`."""
    if lineage is not None and (why := why_not_good(checkpoint_of(model, lineage), lineage)):
        raise _refused("be trained further", why, lineage)
    return model


def _refused(what: str, why: str, lineage: Path) -> UserError:
    return UserError(f"This version may not {what}. {why} Asked of {lineage}; --ungated asks nobody.")
