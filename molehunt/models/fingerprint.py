"""A hash that stands for weights: the same bytes under the same names give the same text anywhere."""

import hashlib
import os
from pathlib import Path

import torch

from molehunt.models.cachedir import cache_folder, write_text


def fingerprint(module: torch.nn.Module) -> str:
    """SHA-256 (hex) over the parameters in order of name: name, dtype, shape, bytes. Tied ones count once."""
    digest = hashlib.sha256()
    for name, weight in sorted(module.named_parameters()):
        digest.update(f"{name}\0{weight.dtype}\0{tuple(weight.shape)}\0".encode())
        digest.update(weight.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def folder_fingerprint(module: torch.nn.Module, folder: Path | None) -> str:
    """As `fingerprint`, remembered in the cache folder for as long as the files stay as they are."""
    if folder is None:
        return fingerprint(module)
    parts = [str(next(module.parameters()).dtype), str(folder.resolve())]
    for file in sorted(folder.glob("*.safetensors")):
        about = os.stat(file)
        parts += [file.name, str(about.st_size), str(about.st_mtime_ns), str(about.st_ino)]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
    memory = cache_folder() / "fingerprints" / key
    if memory.is_file() and len(known := memory.read_text().strip()) == 64:
        return known
    value = fingerprint(module)
    write_text(memory, value)
    return value


def file_hash(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
