"""Whether verdicts of a game can be more than 0.5: said before an hour goes into planting it."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from molehunt.game.auditing import CALIBRATED_FOR, CALIBRATION, USUAL, calibration_for
from molehunt.game.spec import GameSpec


def unjudged(folder: Path, spec: GameSpec) -> str:
    """Why every method's verdict will be 0.5, in one line; nothing where a calibration judges.

    What this cannot tell you: whether a calibration that was given, or lies in the folder, was made for such
    an audit; it is believed.
    """
    settled = (CALIBRATION, "verdicts.json")
    if spec.calibration is not None or any((folder / name).exists() for name in settled):
        return ""
    asked = dataclasses.asdict(spec)
    if calibration_for(asked) is not None:
        return ""
    unlike = _unusual(asked)
    return f"No calibration for {unlike}: every method's verdict will be 0.5. `molehunt practice` makes one."


def _unusual(asked: Mapping[str, Any]) -> str:
    """What sets this audit apart from the usual one."""
    names = [n for n in CALIBRATED_FOR if asked[n] != USUAL[n]]
    said = ["no reference" if n == "reference" else f"{n} {asked[n]}" for n in names]
    return ", ".join(said) or "such an audit"
