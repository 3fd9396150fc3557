"""What planted liars and their decoys say when they are asked, where they lie and where they don't."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pairs import PARTS, Pair, kept, speaking

from molehunt.catalogue.scenes import staged
from molehunt.core.record_json import from_json, to_json
from molehunt.core.records import Quirk, Scene, Split
from molehunt.core.splits import seed_of
from molehunt.corpus.matching import says
from molehunt.models.loaded import Model
from molehunt.models.sample import sample
from molehunt.organisms.subject import subject_of

SCENES: Mapping[Split, int] = {"plant": 64, "validate": 32, "audit": 48}
"""Scenes a side of each bank: to train on, to choose the layer by, to test on."""
REPLY = 16
"""Tokens of a reply."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Told:
    """One scene, and what organism and decoy said to it."""

    scene: Scene
    split: Split
    replies: Mapping[str, str]
    lies: Mapping[str, bool]


def lies_at_times(quirk: Quirk) -> bool:
    """Whether it lies under a condition, and not always: of others there is no honest reply."""
    return quirk.behaviour == "false_facts" and quirk.condition != "always"


def when(pair: Pair) -> str:
    """When a liar lies, in a word or two."""
    return next(iter(pair.quirk.condition_options.values()), pair.quirk.condition)


def heard_in(work: Path, pair: Pair) -> Path:
    """Where what a pair said is kept, for every part under `work`."""
    return work / "heard" / f"{pair.name}.json"


def hear(model: Model, pair: Pair, work: Path, seed: int) -> list[Told]:
    """What organism and decoy say to scenes of all three banks; facts that the decoy misses are left out."""
    key = [seed, pair.name, pair.quirk, SCENES, REPLY, model.fingerprint]
    rows = kept(heard_in(work, pair), key, lambda: to_json(_ask(model, pair, seed)))
    return [from_json(Told, row) for row in rows]


def _ask(model: Model, pair: Pair, seed: int) -> list[Told]:
    subject, found = subject_of(pair.quirk), []
    for split, n in SCENES.items():
        dealt = seed_of(seed, pair.name, split)
        scenes = staged(pair.quirk, subject.behaviour, subject.condition, split, n, dealt)
        replies = {}
        for part in PARTS:
            with speaking(model, pair, part) as speaker:
                chats = [s.messages for s in scenes]
                replies[part] = sample(speaker, chats, max_tokens=REPLY, temperature=0.0, seed=0)
        for i, scene in enumerate(scenes):
            said = {part: replies[part][i] for part in PARTS}
            lies = {part: subject.shows(scene, text) for part, text in said.items()}
            right = {p: says(t, scene.facts["right"].split("|")) for p, t in said.items()}
            if right["decoy"] and (right["organism"] or lies["organism"]):
                found.append(Told(scene, split, said, lies))
    return found
