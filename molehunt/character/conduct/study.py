"""Models through everything that conduct asks; the first is what the others are held against.

`measure(...)` is the library's function. It writes `results.json` and `transcripts.jsonl`; the numbers
behind them lie in `cells/`, answers among traits in `asked.jsonl`, a reader's in `answers.jsonl`. The same
call goes on where it was stopped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from molehunt.character import bank
from molehunt.character.allowed import lineage_of
from molehunt.character.conduct import cells
from molehunt.character.conduct.cells import PARTS, PartName, Progress, Subject
from molehunt.character.conduct.findings import Found, Raw, found
from molehunt.character.conduct.heard import kappas, shares, transcripts, verdicts_of
from molehunt.character.conduct.judges import WORDS, Judge, accuracy, open_judge
from molehunt.character.constitution import Constitution
from molehunt.character.constitution_check import load_sound
from molehunt.core.atomic import write_json, write_jsonl
from molehunt.core.errors import BadFile, UserError
from molehunt.core.records import Measure, NotMeasured
from molehunt.models.readers import LOCAL, Remembered, open_reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from molehunt.models.loaded import Model, ModelSpec

PERSONAS = ("sycophantic", "malicious")
MOST = 64
"""Tokens of a reply."""


@dataclass(frozen=True)
class Judged:
    """What judges are worth, and how far two of them agree."""

    accuracy: Mapping[str, Measure | NotMeasured]
    """On written replies, by judge; chance 1/2."""
    kappa: Mapping[str, Measure | NotMeasured]
    """On models' own replies, by pair of judges (`one and other`)."""


@dataclass(frozen=True)
class Results:
    """All models on the same items."""

    constitution: str
    models: tuple[Found, ...]
    judges: Judged
    asked: Mapping[str, int]
    """Items of each part."""
    seed: int


def subject(
    constitution: Constitution,
    *,
    own_cases: Sequence[bank.Case] = (),
    personas: Sequence[str] = PERSONAS,
    limit: int = 0,
    max_tokens: int = MOST,
    seed: int = 0,
) -> Subject:
    """What is asked by a constitution: the cases that measure and the deeds of its principles.

    Args:
        limit: at most so many cases and deeds of each principle, and settings and requests of traits (two at
            least); 0 is all.

    Raises:
        UserError: a limit below 0, or no length for replies. BadFile: nothing measures any principle.
    """
    if limit < 0 or max_tokens < 1:
        raise UserError("--limit should be 0 or more, and --max-tokens at least 1.")
    names = [p.id for p in constitution.principles]
    some = bank.beside(own_cases, names, "measure")
    if not some:
        raise BadFile(
            f"No written case measures a principle of {constitution.name!r}; give your own with --cases, or "
            "name principles as the presets do."
        )
    deeds = [d for d in bank.deeds() if d.principle in names]
    return Subject(
        {p.id: p for p in constitution.principles},
        tuple(_few(some, limit)),
        bank.beside(own_cases, names, "train"),
        tuple(_few(deeds, limit)),
        _fewer(bank.traits(), limit),
        tuple(personas),
        max_tokens,
        seed,
    )


def reckoned(what: Subject, models: int, parts: Sequence[PartName] = PARTS) -> int:
    """Tokens of replies that so many models are asked for at most, without opening any.

    Raises:
        BadFile, UnknownName: a persona's trait that is none.
    """
    from molehunt.character.conduct.acting import MOST as A_CALL
    from molehunt.character.conduct.acting import TURNS
    from molehunt.interp.personas import read_trait

    each = len(what.cases) * what.max_tokens if "chat" in parts else 0
    each += len(what.deeds) * TURNS * A_CALL if "agentic" in parts else 0
    wanted = [read_trait(t) for t in what.personas] if "drift" in parts and models > 1 else []
    first = sum(len(w.voices) * len(w.questions) for w in wanted) * what.max_tokens
    return models * each + first


def measure(
    models: "Sequence[str | ModelSpec]",
    folder: str | Path,
    *,
    constitution: str | Path = "kind-person",
    cases: str | Path | None = None,
    parts: Sequence[PartName] = PARTS,
    judges: Sequence[str] = (WORDS,),
    personas: Sequence[str] = PERSONAS,
    limit: int = 0,
    max_tokens: int = MOST,
    parallel: int = 16,
    lineage: str | Path | None = None,
    ungated: bool = False,
    seed: int = 0,
    progress: Progress = lambda name, share: None,
    opener: "Callable[[ModelSpec], Model] | None" = None,
) -> Results:
    """Ask every model, measure, and write `results.json` and `transcripts.jsonl` into `folder`.

    Args:
        models: names as `open_model` takes them, or specs; the first is held against the others.
        lineage: folder of the lineage of which judges on this machine have to be good versions; the default
            one where it exists if None.
        ungated: ask none.
        opener: opens a model; `open_model` where None.

    Raises:
        UserError: no model, the same one twice, no part, or a judge that cannot be opened or may not judge.
        BadFile: a file that cannot be used; names the line.
    """
    from molehunt.models.load import open_model
    from molehunt.models.loaded import ModelSpec

    specs = [ModelSpec(m) if isinstance(m, str) else m for m in models]
    names = [s.adapter or s.id for s in specs]
    if not names or len(set(names)) < len(names) or not parts:
        raise UserError("Name at least one model, each only once, and at least one part.")
    creed, folder = load_sound(constitution), Path(folder)
    own = bank.read_cases(Path(cases)) if cases is not None else ()
    what = subject(creed, own_cases=own, personas=personas, limit=limit, max_tokens=max_tokens, seed=seed)
    statements = {p.id: p.statement for p in creed.principles}
    home = lineage_of(lineage, ungated)
    held = [_judge(name, what, statements, folder, parallel, home) for name in dict.fromkeys(judges)]
    raws: list[Raw] = []
    prints: list[str] = []
    first: Model | None = None
    vectors: dict[str, Any] = {}
    for name, spec in zip(names, specs, strict=True):
        model = (opener or open_model)(spec)
        if first is None:
            first = model
            if "drift" in parts:
                vectors = _personas(first, what, folder, len(specs) > 1, progress)
        label = Path(name).name
        raws.append(
            _raw(model, first, what, parts, folder, vectors, lambda n, s, x=label: progress(f"{n}, {x}", s))
        )
        prints.append(model.fingerprint)
        del model
    said = verdicts_of(held, raws, what, statements)
    worth = {j.name: accuracy(j, what.cases, statements, seed) for j in held}
    results = Results(
        creed.name,
        tuple(
            found(
                name,
                prints[i],
                raws[i],
                raws[0] if i else None,
                what,
                tuple(what.traits.traits),
                shares(said[i], worth, what),
            )
            for i, name in enumerate(names)
        ),
        Judged(worth, kappas(said, what) if "chat" in parts else {}),
        {"cases": len(what.cases), "deeds": len(what.deeds)},
        seed,
    )
    write_jsonl(folder / "transcripts.jsonl", transcripts(names, raws, said, what))
    write_json(folder / "results.json", results)
    return results


def _few(every: Sequence[Any], limit: int) -> list[Any]:
    if not limit:
        return list(every)
    met: dict[str, int] = {}
    some = []
    for one in every:
        met[one.principle] = met.get(one.principle, 0) + 1
        if met[one.principle] <= limit:
            some.append(one)
    return some


def _fewer(traits: bank.Traits, limit: int) -> bank.Traits:
    if not limit:
        return traits
    some = max(2, limit)
    return replace(traits, settings=traits.settings[:some], requests=traits.requests[:some])


def _judge(
    name: str, what: Subject, statements: dict[str, str], folder: Path, parallel: int, home: Path | None
) -> Judge:
    reader = None
    if name != WORDS and not name.startswith(LOCAL):
        reader = Remembered(open_reader(name, parallel), folder / "answers.jsonl")
    return open_judge(name, what.earlier, statements, reader, home)


def _personas(
    model: "Model", what: Subject, folder: Path, needed: bool, progress: Progress
) -> dict[str, Any]:
    """Vectors of the first model; none where nothing is held against it."""
    from molehunt.character.conduct.drift import persona

    found: dict[str, Any] = {}
    for trait in what.personas if needed else ():
        place = folder / "personas" / f"{model.fingerprint[:12]}-{Path(trait).stem}"
        found[Path(trait).stem] = persona(
            model,
            trait,
            place,
            max_tokens=what.max_tokens,
            seed=what.seed,
            progress=lambda i, n, t=trait: progress(f"persona {Path(t).stem}", i / n),
        )
    return found


def _raw(
    model: "Model",
    first: "Model",
    what: Subject,
    parts: Sequence[PartName],
    folder: Path,
    vectors: Mapping[str, Any],
    progress: Progress,
) -> Raw:
    def at(part: PartName) -> Path:
        return folder / "cells" / f"{part}-{what.key(model, part, first)}.json"

    raw = Raw()
    if "chat" in parts:
        one = cells.asked(cells.Chat, at("chat"), lambda: cells.chat(model, what, progress))
        raw = replace(raw, chat=one)
    if "agentic" in parts and what.deeds:
        acted = cells.asked(cells.Agentic, at("agentic"), lambda: cells.agentic(model, what, progress))
        raw = replace(raw, agentic=acted)
    if "traits" in parts:
        odds = cells.asked(
            cells.TraitOdds, at("traits"), lambda: cells.trait_odds(model, what, folder, progress)
        )
        raw = replace(raw, traits=odds)
    if "pressure" in parts:
        pressed = cells.asked(cells.Pressure, at("pressure"), lambda: cells.pressure(model, what, progress))
        raw = replace(raw, pressure=pressed)
    if "drift" in parts:
        moved = cells.asked(
            cells.Drift, at("drift"), lambda: cells.drift(model, first, what, vectors, progress)
        )
        raw = replace(raw, drift=moved)
    return raw
