"""A model as it speaks now, merged adapter and all, as a folder that names nothing it came from."""

import json
import warnings
from pathlib import Path

from transformers.utils import logging as transformers_logging

from molehunt.models.loaded import Model

_LINEAGE = ("_name_or_path", "name_or_path", "_commit_hash")


def save_whole(model: Model, folder: Path) -> None:
    """Write weights, configuration and tokenizer; `open_model` reads the folder like any other."""
    folder.mkdir(parents=True, exist_ok=True)
    transformers_logging.disable_progress_bar()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # transformers' news for its own developers
        model.module.save_pretrained(str(folder), max_shard_size="1000GB")
    model.tokenizer.save_pretrained(str(folder))
    for name in ("config.json", "tokenizer_config.json"):
        path = folder / name
        kept = {k: v for k, v in json.loads(path.read_text("utf-8")).items() if k not in _LINEAGE}
        path.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", "utf-8")
