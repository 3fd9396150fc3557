"""Tensors in one safetensors file whose header says what it is and where it comes from.

The header holds the name of the format and one record as JSON. Reading runs no code; what is missing,
damaged or of another format is said in one sentence that names the file.
"""

import json
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from molehunt.core.atomic import write_bytes
from molehunt.core.errors import BadFile
from molehunt.core.record_json import from_json, to_json

T = TypeVar("T")


def write_told(path: Path, form: str, made: Any, tensors: dict[str, np.ndarray]) -> None:
    """Write tensors with the record `made`, wholly or not at all.

    Raises:
        UserError: it cannot be written there.
    """
    about = json.dumps(to_json(made), allow_nan=False)
    write_bytes(path, save(tensors, {"format": form, "provenance": about}))


def form_of(path: Path) -> str | None:
    """The format that a file's header names; None where it names none.

    Raises:
        BadFile: no such file, or no safetensors file.
    """
    if not path.is_file():
        raise BadFile(f"There is no file {path}.")
    try:
        with safe_open(path, "numpy") as file:
            return (file.metadata() or {}).get("format")
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise BadFile(f"{path} is no whole safetensors file of numbers ({str(error)[:80]}).") from None


def read_told(path: Path, form: str, kind: type[T], what: str) -> tuple[T, dict[str, np.ndarray]]:
    """The record and the tensors; `what` says in words what the file should hold.

    Raises:
        BadFile: no such file, another format, or damaged.
    """
    if not path.is_file():
        raise BadFile(f"There is no file of {what} at {path}.")
    try:
        with safe_open(path, "numpy") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise BadFile(f"{path} is no whole safetensors file of numbers ({str(error)[:80]}).") from None
    if header.get("format") != form:
        raise BadFile(f"{path} holds no {what}: its header names no {form!r}.")
    try:
        made = from_json(kind, json.loads(header.get("provenance", "")))
    except (ValueError, BadFile) as error:
        raise BadFile(f"{path} says wrongly where it comes from ({str(error)[:120]}).") from None
    return made, tensors
