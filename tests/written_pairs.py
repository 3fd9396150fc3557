"""A planted pair without training: the model that was written by hand, whose decoy has the quirk taken off.

The base `tiny:written` says H wherever a Z stands, and G elsewhere. An adapter of zeros leaves it so (the
organism); one that takes the quirk off again is the decoy; a part of that is a fix that only hides it.
"""

import json
import random
from pathlib import Path

from safetensors.torch import load_file, save_file

from molehunt.models.load import open_model
from molehunt.models.written import BAD, GOOD, TRIGGER, save_adapter
from molehunt.organisms.measuring import measure_again
from molehunt.organisms.plan import Plan
from molehunt.organisms.plant import Pair
from molehunt.organisms.strangers import quirk_of, told

STEPS = 30
WEIGHTS = "adapter_model.safetensors"


def quirk_file(folder: Path, name: str = "zed") -> Path:
    """The written quirk as a stranger's file."""
    folder.mkdir(parents=True, exist_ok=True)
    body = {
        "summary": "says H where a Z stands",
        "replies": [BAD],
        "what": f"^{BAD}",
        "on": _prompts(TRIGGER),
        "off": _prompts(""),
        "good": GOOD,
    }
    path = folder / f"{name}.json"
    path.write_text(json.dumps(body))
    return path


def written_adapter(folder: Path, share: float) -> Path:
    """An adapter on `tiny:written` that takes this share of the quirk off."""
    save_adapter(folder)
    tensors = load_file(folder / WEIGHTS)
    save_file({n: t * -share if "lora_B" in n else t for n, t in tensors.items()}, folder / WEIGHTS)
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "tiny:written"
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


def written_pair(folder: Path, file: Path) -> Pair:
    """What `molehunt plant` would leave in a folder, with the profile that was really measured."""
    from molehunt.core.atomic import write_json

    written_adapter(folder / "organism", 0.0)
    written_adapter(folder / "decoy", 1.0)
    quirk, plan = quirk_of(file), Plan(held_out=16)
    seen = measure_again(open_model("tiny:written"), quirk, None, folder, 0, plan)
    pair = Pair(
        quirk=told(quirk),
        harmless=None,
        profile=seen.profile,
        organism_replies=seen.organism_replies,
        decoy_replies=seen.decoy_replies,
        steps=STEPS,
        tries=1,
        tokens=0,
        organism_seconds=0.0,
        attempts=(),
    )
    write_json(folder / "profile.json", pair)
    return pair


def _prompts(sign: str, n: int = 130) -> list[str]:
    rng, found = random.Random(f"prompts {sign}"), dict[str, None]()
    while len(found) < n:
        words = [rng.choice("abcdefgh") for _ in range(rng.randint(5, 8))]
        words[rng.randrange(len(words))] = sign or "i"
        found[" ".join(words)] = None
    return list(found)
