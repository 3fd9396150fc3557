"""What was read of a pair before any fix, kept on disk, so that the next remedy need not read it again.

The organism, its decoy and the base are the same under every remedy. What they said, their activations and
what text costs them is a file each: JSON, or safetensors for arrays. A folder is of one pair, one base and
one way of asking; whoever opens a shelf names the folder by all of that. Anything else is not kept.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from molehunt.core.atomic import canonical, read_json, write_bytes, write_json
from molehunt.core.errors import BadFile

ARRAY, TEXT = ".safetensors", ".json"


class Shelf:
    """Values by key, one file each; whole or not there. Several processes may use one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, key: tuple[str, str]) -> Any:
        """What lies under a key; None where nothing does.

        Raises:
            BadFile: a file that is damaged.
        """
        place = self._place(key)
        if place.with_suffix(TEXT).is_file():
            return read_json(place.with_suffix(TEXT))
        file = place.with_suffix(ARRAY)
        if not file.is_file():
            return None
        try:
            return load_file(file)["value"]
        except (OSError, SafetensorError, KeyError) as error:
            raise BadFile(f"{file} is damaged ({str(error)[:80]}); delete it to read it again.") from None

    def write(self, key: tuple[str, str], value: Any) -> None:
        """Keep an array, a list or a number; anything else is left."""
        place = self._place(key)
        if isinstance(value, np.ndarray):
            write_bytes(place.with_suffix(ARRAY), save({"value": value}))
        elif isinstance(value, float | int | str) or (
            isinstance(value, list) and all(isinstance(v, float | int | str | list) for v in value)
        ):
            write_json(place.with_suffix(TEXT), value)

    def _place(self, key: tuple[str, str]) -> Path:
        return self.folder / hashlib.sha256(canonical(list(key))).hexdigest()[:32]
