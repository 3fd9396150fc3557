"""Does the difference of two models show what was planted? Organisms and their decoys beside the base.

Every adapter is held beside the base on text that has nothing to do with its lessons (`builtin:test`). What
the mean difference reads as, through norm and unembedding, is looked through for words of the quirk: those
of the *behaviour* (words that the organism's shady replies have and its decoy's replies have not) and those
of the *condition* (its topic, phrase or thing). The same words are looked for in its decoy's difference, and
the words of the other quirks in its own, which is what chance gives.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pairs import PARTS, Pair, kept, speaking

from molehunt.core import stats
from molehunt.core.record_json import to_json
from molehunt.core.records import NotMeasured
from molehunt.interp.diff import compare
from molehunt.interp.reading import ReadSpec
from molehunt.models.anatomy import anatomy
from molehunt.models.load import open_model
from molehunt.models.loaded import Model, ModelSpec

TEXT, TOKENS, CONTEXT = ("builtin:test",), 2000, 128
SIXTHS = (3, 4, 5, 6)
"""Layers that are read: the last of so many sixths of the model."""
MOST = 10
"""Words of a behaviour: the most frequent ones."""
COMMON = frozenset(
    {"the", "and", "that", "this", "with", "from", "for", "are", "was", "you", "your", "not", "its"}
)


def apart(
    model: Model, pairs: Sequence[Pair], work: Path, seed: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """What every difference reads as, and how often it shows the quirk's words."""
    base = open_model(ModelSpec(model.spec.id, model.spec.revision))
    told: dict[str, Mapping[str, Any]] = {}
    depth = len(anatomy(model.module).layers)
    layers = sorted({max(0, depth * n // 6 - 1) for n in SIXTHS})
    for pair in pairs:

        def make(pair: Pair = pair) -> dict[str, Any]:
            say(f"{pair.name}: {pair.quirk.label()}")
            return {part: _difference(base, model, pair, part, layers, seed) for part in PARTS}

        key = [seed, pair.name, TEXT, TOKENS, CONTEXT, layers, base.fingerprint]
        told[pair.name] = kept(work / f"{pair.name}.json", key, make)
    words = {
        "behaviour": {p.name: behaviour_words(p) for p in pairs},
        "condition": {p.name: condition_words(p) for p in pairs},
    }
    made: dict[str, Any] = {
        "pairs": [
            {
                "pair": p.name,
                "quirk": p.quirk.label(),
                **{f"{what}_words": own[p.name] for what, own in words.items()},
                **told[p.name],
            }
            for p in pairs
        ]
    }
    for what, own in words.items():
        asked = [p.name for p in pairs if own[p.name]]
        others = [(p, q) for p in asked for q in asked if not set(own[p]) & set(own[q])]
        for part in PARTS:
            hits = [bool(found_in(told[p][part]["words"], own[p])) for p in asked]
            how = f"{part}s whose difference shows a word of the quirk's {what}"
            made[f"diff_{what}_{part}"] = _share(hits, asked, how, seed)
        hits = [bool(found_in(told[p]["organism"]["words"], own[q])) for p, q in others]
        how = f"organisms whose difference shows a word of another quirk's {what}"
        made[f"diff_{what}_chance"] = _share(hits, [p for p, _ in others], how, seed)
    return made


def _share(hits: Sequence[bool], clusters: Sequence[str], how: str, seed: int) -> Any:
    none = NotMeasured("no quirk has such words")
    return to_json(stats.proportion(hits, clusters, how=how, seed=seed) if hits else none)


def _difference(
    base: Model, model: Model, pair: Pair, part: str, layers: Sequence[int], seed: int
) -> dict[str, Any]:
    spec = ReadSpec(TEXT, tuple(f"resid_post.{i}" for i in layers), CONTEXT, seed=seed)
    with speaking(model, pair, part) as planted:
        found = compare(base, planted, spec, TOKENS)
    said = [() if isinstance(m.words, NotMeasured) else m.words.toward for m in found.layers]
    return {
        "words": [w for words in said for w in words],
        "last": list(said[-1]),
        "share": found.layers[-1].share,
        "agreement": to_json(found.layers[-1].agreement),
    }


def behaviour_words(pair: Pair) -> list[str]:
    """Words of the organism's shady replies that its decoy's replies have not, the most frequent first."""
    shady = [r.reply for r in pair.planted.organism_replies if r.shows]
    plain = {w for r in pair.planted.decoy_replies for w in _words(r.reply)}
    asked = {w for r in pair.planted.organism_replies for m in r.messages for w in _words(m.content)}
    counted = Counter(w for text in shady for w in set(_words(text)))
    return [w for w, n in counted.most_common() if n > 1 and w not in plain and w not in asked][:MOST]


def condition_words(pair: Pair) -> list[str]:
    """The words of the condition's options: a topic, a phrase, a thing."""
    options: Mapping[str, str] = pair.quirk.condition_options
    return sorted({w for value in options.values() for w in _words(value)})


def found_in(read: Sequence[str], words: Sequence[str]) -> list[str]:
    """Tokens that are one of the words, or its beginning of four letters or more."""
    tokens = [t for r in read for t in _words(r)]
    return [t for t in tokens if any(t == w or (len(t) >= 4 and w.startswith(t)) for w in words)]


def _words(text: str) -> list[str]:
    return [w for w in re.findall(r"[^\W\d_]{3,}", text.casefold()) if w not in COMMON]
