"""A published adapter's two files: a folder on this machine, or an id on the Hugging Face Hub.

    some/folder, /some/folder      as it lies there
    owner/name, owner/name@REV     fetched into the Hub's cache, at one commit

Only `adapter_config.json` and `adapter_model.safetensors` are fetched, after their sizes were looked at.
Nothing here says that they fit a base: `read_adapter` and a merge do (`fits`).
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from molehunt.core.errors import BadFile, ModelUnfit, UserError
from molehunt.models.adapter_files import CONFIG, WEIGHTS
from molehunt.models.adapters import attach, using
from molehunt.models.check import prove_speech, rely_on
from molehunt.models.loaded import Model
from molehunt.models.stock import HUB_ID, stock_name

MOST_BYTES = {CONFIG: 1 << 20, WEIGHTS: 2 << 30}
"""Larger files are refused before they are fetched or read."""
_HUB = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")


@dataclass(frozen=True)
class Published:
    """An adapter's files on this machine."""

    source: str
    """Where it comes from, as given."""
    folder: Path
    commit: str
    """On the Hub; empty for a folder."""


def find_adapter(source: str, endpoint: str | None = None) -> Published:
    """The adapter that a folder or a Hub id means; `endpoint` is another Hub.

    Raises:
        BadFile: it holds no PEFT LoRA adapter in safetensors. UserError: it cannot be had.
    """
    folder = Path(source).expanduser()
    hub = _HUB.fullmatch(source)
    if folder.is_dir() or hub is None or source.startswith((".", "~")):
        if not folder.is_dir():
            raise BadFile(f"There is no folder {source!r}; give an adapter's folder, or a Hub id owner/name.")
        found = Published(source, folder, "")
        _has(source, {p.name: p.stat().st_size for p in folder.iterdir() if p.is_file()})
    else:
        found = _fetched(source, hub[1], hub[2], endpoint)
    kind = _config(found).get("peft_type")
    if kind != "LORA":
        raise BadFile(f"The adapter {source!r} is of peft_type {str(kind)[:40]!r}; only LORA is taken.")
    return found


def fits(found: Published, model: Model, other_base: bool = False) -> None:
    """Prove that an adapter can be merged into a base, and that what comes of it speaks.

    Raises:
        BadFile: it names another base (unless `other_base`), its shapes are not the base's, or merged into it
            the base no longer gives numbers that an audit could rest on.
    """
    named, base = _config(found).get("base_model_name_or_path"), model.spec.id
    if named and not other_base and _known_as(str(named)) != _known_as(base):
        raise BadFile(
            f"The adapter {found.source!r} was made on {str(named)[:120]!r} and not on {base!r}; give its "
            "own base as --model, or --other-base where both are the same weights."
        )
    try:
        with using(model, attach(model, found.folder)):
            rely_on(prove_speech(model), "padding", "sharing", "batch")
    except ModelUnfit as error:
        raise BadFile(
            f"The adapter {found.source!r} spoils the base {base!r}; leave it out of the lineup. {error}"
        ) from error
    except BadFile as error:
        raise BadFile(f"The adapter {found.source!r} does not fit the base {base!r}: {error}") from error


def _config(found: Published) -> dict[str, Any]:
    try:
        config = json.loads((found.folder / CONFIG).read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadFile(f"{CONFIG} of the adapter {found.source!r} is not readable as JSON.") from error
    if not isinstance(config, dict):
        raise BadFile(f"{CONFIG} of the adapter {found.source!r} is no object.")
    return config


def _has(source: str, sizes: dict[str, int]) -> None:
    """Whether both files are there and of a size that can be read."""
    for name, most in MOST_BYTES.items():
        if name not in sizes:
            pickled = any(n.endswith((".bin", ".pt", ".pth", ".pkl", ".ckpt")) for n in sizes)
            why = " (pickled weights are never read)" if pickled and name == WEIGHTS else ""
            raise BadFile(f"The adapter {source!r} holds no {name}{why}; it takes PEFT's two files.")
        if sizes[name] > most:
            raise BadFile(f"{name} of the adapter {source!r} has {sizes[name]:,} bytes; {most:,} are read.")


def _fetched(source: str, repo: str, revision: str | None, endpoint: str | None) -> Published:
    from huggingface_hub import HfApi, hf_hub_download

    try:
        about = HfApi(endpoint=endpoint).model_info(repo, revision=revision, files_metadata=True)
        _has(source, {s.rfilename: s.size or 0 for s in about.siblings or ()})
        commit = str(about.sha)
        paths = [hf_hub_download(repo, name, revision=commit, endpoint=endpoint) for name in MOST_BYTES]
    except UserError:
        raise
    except Exception as error:
        raise _refused(source, error) from error
    return Published(source, Path(paths[0]).parent, commit)


def _refused(source: str, error: Exception) -> Exception:
    """What to tell the user of a failed fetch; `error` itself where that is a mistake of ours."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return UserError(f"{source!r} is gated: ask for access on the Hub, then `hf auth login`.")
    if isinstance(
        error, (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.HFValidationError)
    ):
        return BadFile(f"The Hub has no model {source!r}, and there is no such folder.")
    if isinstance(error, (OSError, errors.HfHubHTTPError)) or type(error).__module__.startswith("http"):
        return UserError(f"{source!r} could not be fetched from the Hub; check the connection and run again.")
    return error


def _known_as(base: str) -> str:
    """One name for one base: `default` is a Hub id, and the folder that it was unpacked into too."""
    if base == "default" or Path(base).name == stock_name():
        return HUB_ID.lower()
    if Path(base).is_dir():
        return str(Path(base).resolve())
    return "tiny:llama" if base == "tiny" else base.rstrip("/").lower()
