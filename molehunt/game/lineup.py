"""A lineup of adapters that others made: suspects whose truth is known to nobody here.

The folder is a packed lineup (`game/packed.py`) without commitments: `molehunt audit` takes it as it is,
with no key, vault or log, and there is no envelope to open or score.

What this cannot tell you: odds come from practice on quirks that were planted on purpose, and don't carry
over to what real training does to real models. Read the evidence, not the probability.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from molehunt.core.atomic import whole_folder, write_json
from molehunt.core.errors import UserError
from molehunt.core.seal import new_run_id
from molehunt.game.packed import MARK
from molehunt.game.planting import FILES
from molehunt.game.play import versions
from molehunt.game.spec import GameSpec, public_half
from molehunt.game.watch import Watch

SOURCES = "sources.json"
"""Where each suspect comes from, at which commit, and the hash of its weights."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")

CARD = """# A suspect from elsewhere

This LoRA adapter was not made here: `sources.json` of the lineup says where it comes from. What it does is
not known. It lies here to be audited; its own licence and card hold.
"""
README = """# A lineup of published adapters

{count} adapters on the base model `{model}`. Nobody here knows the truth about them: nothing is sealed, and
no verdict can be scored.

    molehunt audit {name}

looks at them. Odds come from practice on quirks that were planted on purpose; for adapters that were not,
read the evidence rather than the probability.
"""


def line_up(
    folder: Path,
    suspects: Mapping[str, str],
    spec: GameSpec,
    watch: Watch | None = None,
    *,
    other_base: bool = False,
    endpoint: str | None = None,
) -> Path:
    """Write the lineup: each suspect's name to a folder or Hub id. `spec.suspects` is theirs to say.

    Raises:
        UserError: the folder holds something, a name can't be one, an adapter cannot be had.
        BadFile: one is no LoRA adapter in safetensors, or does not fit the base.
    """
    from molehunt.models.adapters import adapter_hash
    from molehunt.models.hub_adapters import find_adapter, fits
    from molehunt.models.load import open_model
    from molehunt.models.loaded import ModelSpec

    watch = watch or Watch(None)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is not empty, or no folder; choose a new one.")
    named(suspects)
    spec = spec.checked()
    found = {}
    for i, (name, source) in enumerate(suspects.items()):
        watch.bar("suspects", i / (2 * len(suspects)), f"finding {name}")
        found[name] = find_adapter(source, endpoint)
    model = open_model(ModelSpec(spec.model, spec.revision))
    sources = {}
    with whole_folder(folder) as half:
        for i, (name, one) in enumerate(found.items(), len(found)):
            watch.bar("suspects", i / (2 * len(found)), f"checking {name}")
            fits(one, model, other_base)
            target = half / "suspects" / name
            target.mkdir(parents=True)
            config = json.loads((one.folder / FILES[0]).read_text("utf-8"))
            write_json(target / FILES[0], {**config, "base_model_name_or_path": spec.model})
            shutil.copyfile(one.folder / FILES[1], target / FILES[1])
            (target / "README.md").write_text(CARD, "utf-8")
            sources[name] = {
                "source": one.source, "commit": one.commit, "adapter": adapter_hash(one.folder),
            }  # fmt: skip
        write_json(half / SOURCES, sources)
        write_json(half / "spec.json", {**public_half(spec), "run_id": new_run_id(), "versions": versions()})
        text = README.format(count=len(found), model=spec.model, name=folder.name)
        (half / "README.md").write_text(text, "utf-8")
        files = sorted(p for p in half.rglob("*") if p.is_file())
        hashes = {str(p.relative_to(half)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
        write_json(half / MARK, hashes)
    watch.bar("suspects", 1.0, "done")
    return folder


def named(suspects: Mapping[str, str]) -> None:
    """Check what suspects are called.

    Raises:
        UserError: there are none, or a name is none that a folder and a page can carry.
    """
    if not suspects:
        raise UserError("Name at least one suspect, as --suspects NAME=FOLDER_OR_HUB_ID.")
    for name in suspects:
        if not _NAME.fullmatch(name):
            raise UserError(
                f"A suspect can't be called {name[:60]!r}; take up to 40 letters, digits, - and _."
            )
    if len({n.lower() for n in suspects}) < len(suspects):
        raise UserError("Two suspects have names that differ in case alone; rename one.")
