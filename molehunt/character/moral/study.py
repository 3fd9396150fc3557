"""Models through the dilemmas, one after another: what is asked, and what it comes to.

`moral(...)` is the library's function: it asks, keeps every answer, and writes `choices.parquet` and
`results.json`. The same call goes on where it was stopped (`asking.py`).
"""

import io
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from molehunt.character.moral import tradeoffs, updating
from molehunt.character.moral.apart import Seen, changes, furthest
from molehunt.character.moral.choices import Choice, chosen
from molehunt.character.moral.forms import Posed, Question, questions
from molehunt.character.moral.judging import Judged, judged_by_form, without_rules
from molehunt.character.moral.people import Split, beside, judged_people, read_people
from molehunt.character.moral.sampling import INSPECT, Answered, Sampler, ask_by_samples
from molehunt.character.moral.tradeoffs import Curve
from molehunt.character.moral.updating import Updating
from molehunt.core.atomic import refuse_foreign, write_bytes, write_json
from molehunt.core.errors import BadFile, UserError
from molehunt.core.records import Measure, NotMeasured
from molehunt.core.stats import DRAWS
from molehunt.corpus import series
from molehunt.corpus.dilemmas import Dilemma, dilemmas, read_dilemmas, read_moralchoice
from molehunt.corpus.dilemmas import held_out as never_taught

if TYPE_CHECKING:
    from molehunt.models.loaded import Model, ModelSpec

Part = Literal["dilemmas", "tradeoffs", "evidence"]
PARTS: tuple[Part, ...] = get_args(Part)
BUILTIN = "builtin"
"""Our own dilemmas."""
CHOICES, RESULTS = "choices.parquet", "results.json"
Changes = Mapping[str, Measure | NotMeasured]
Asked = Mapping[str, tuple[Choice, ...]]
"""Choices by part."""
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Materials:
    """What is asked."""

    dilemmas: tuple[Dilemma, ...] = ()
    tradeoffs: tuple[series.Tradeoff, ...] = ()
    stories: tuple[series.Story, ...] = ()
    scenes: int | None = None
    """Scenes of each trade-off that are asked; all where None."""

    def questions(self) -> dict[str, tuple[Question, ...]]:
        """Every question, by part."""
        posed: dict[str, list[Posed]] = {
            "dilemmas": [Posed(d.id, d.context, d.actions) for d in self.dilemmas],
            "tradeoffs": [p for t in self.tradeoffs for p in tradeoffs.posed(t, self.scenes)],
            "evidence": [p for s in self.stories for p in updating.posed(s)],
        }
        return {part: questions(some) for part, some in posed.items() if some}


@dataclass(frozen=True)
class Found:
    """One model's measures; `judged` is None without dilemmas, `updating` without evidence."""

    name: str
    fingerprint: str
    judged: Judged | None
    curves: tuple[Curve, ...]
    updating: Updating | None
    people: Mapping[str, Measure | NotMeasured]
    """How near it is to people, where a file of theirs was given."""
    changes: Mapping[str, Measure | NotMeasured] = field(default_factory=dict)
    """Measures on dilemmas less the first model's, dilemma by dilemma; empty for the first."""
    answered: Answered | None = None
    """Of a model that was sampled; None of one that gave likelihoods."""


@dataclass(frozen=True)
class Results:
    """All models on the same items, and people where their choices are known."""

    models: tuple[Found, ...]
    people: Judged | None
    items: str
    asked: Mapping[str, int]
    """Questions by part."""
    seed: int
    shown: tuple[Seen, ...] = ()
    """Dilemmas in which the models lie furthest apart."""


def materials(
    items: str = BUILTIN,
    parts: Sequence[Part] = PARTS,
    limit: int = 0,
    seed: int = 0,
    held_out: bool = False,
) -> Materials:
    """Dilemmas of `items` (`builtin`, MoralChoice's folder, or a file of JSON lines), and our series.

    Args:
        limit: dilemmas of each ambiguity (drawn by seed), scenes of each trade-off, and stories; 0 is all.
        held_out: of the built-in dilemmas only those that no training here teaches.

    Raises:
        BadFile: no such file or folder, or not what it should be. UserError: a limit below 0, no part, or
            `held_out` of other dilemmas than ours.
    """
    if held_out and items != BUILTIN:
        raise UserError("--held-out is for the built-in dilemmas; no training here teaches others.")
    if limit < 0 or not parts:
        raise UserError("--limit should be 0 or more, and --parts should name at least one part.")
    met: tuple[Dilemma, ...] = ()
    if "dilemmas" in parts:
        every = _items(items)
        met = _some(never_taught(every) if held_out else every, limit, seed)
    return Materials(
        met,
        series.tradeoffs() if "tradeoffs" in parts else (),
        (series.stories()[: limit or None]) if "evidence" in parts else (),
        limit or None,
    )


def found(
    asked: Asked,
    what: Materials,
    name: str,
    fingerprint: str = "",
    *,
    people: Mapping[str, Split] | None = None,
    seed: int = 0,
    draws: int = DRAWS,
) -> Found:
    """Every measure of one chooser, from its choices alone."""
    said = asked.get("dilemmas", ())
    told = asked.get("evidence", ())
    return Found(
        name,
        fingerprint,
        judged_by_form(what.dilemmas, asked.get("dilemmas", ()), seed=seed, draws=draws)
        if what.dilemmas
        else None,
        tuple(tradeoffs.curve(t, asked.get("tradeoffs", ())) for t in what.tradeoffs),
        updating.updating(what.stories, told, seed=seed, draws=draws) if what.stories else None,
        beside(chosen(said), people, seed=seed) if people else {},
    )


def moral(
    models: Sequence["str | ModelSpec | Sampler"],
    folder: str | Path,
    *,
    items: str = BUILTIN,
    parts: Sequence[Part] = PARTS,
    limit: int = 0,
    held_out: bool = False,
    human: str | Path | None = None,
    seed: int = 0,
    progress: Progress = lambda name, share: None,
    opener: "Callable[[ModelSpec], Model] | None" = None,
) -> Results:
    """Ask every model, measure, and write `choices.parquet` and `results.json` into `folder`.

    Args:
        models: names as `open_model` takes them, specs, or samplers of models behind an API.
        held_out: leave out the built-in dilemmas that `train(...)` toward an uncertainty teaches.
        human: a file of people's choices (`people.py`).
        opener: opens a model; `open_model` where None.

    Raises:
        UserError: no model, the same one twice, a file that cannot be used, or a folder with other results.
    """
    from molehunt.character.moral.asking import ASKED, ask
    from molehunt.models.load import open_model
    from molehunt.models.loaded import ModelSpec

    specs = [ModelSpec(m) if isinstance(m, str) else m for m in models]
    names = [f"{INSPECT}{s.name}" if isinstance(s, Sampler) else s.adapter or s.id for s in specs]
    if not names or len(set(names)) < len(names):
        raise UserError("Name at least one model, and each only once.")
    what, folder = materials(items, parts, limit, seed, held_out), Path(folder)
    refuse_foreign(folder, (ASKED, CHOICES), (CHOICES, RESULTS, "moral.html"))
    people = read_people(Path(human)) if human is not None else None
    if people is not None and not {d.id for d in what.dilemmas} & set(people):
        raise BadFile(f"{human} speaks of none of the dilemmas that are asked; its items are their ids.")
    asked_of: dict[str, Asked] = {}
    made = []
    put = what.questions()
    for name, spec in zip(names, specs, strict=True):
        if isinstance(spec, Sampler):
            asked_of[name], one = _sampled(spec, what, name, folder, people, seed, progress)
            made.append(one)
            continue
        model = (opener or open_model)(spec)
        asked: dict[str, tuple[Choice, ...]] = {}
        for part, some in put.items():
            bar = f"{part}, {Path(name).name}"
            asked[part] = ask(model, some, folder, lambda i, n, bar=bar: progress(bar, i / n))
        progress(f"fitting, {Path(name).name}", 0.1)
        made.append(found(asked, what, name, model.fingerprint, people=people, seed=seed))
        progress(f"fitting, {Path(name).name}", 1.0)
        asked_of[name] = asked
        del model
    decided = [chosen(asked_of[name].get("dilemmas", ())) for name in names]
    if what.dilemmas:
        made[1:] = [
            replace(m, changes=_alike(m, made[0], changes(what.dilemmas, own, decided[0], seed=seed)))
            for m, own in zip(made[1:], decided[1:], strict=True)
        ]
    results = Results(
        tuple(made),
        judged_people(what.dilemmas, people, seed=seed) if people else None,
        f"{items}, held out" if held_out else items,
        {part: len(some) for part, some in put.items()},
        seed,
        furthest(what.dilemmas, decided),
    )
    write_choices(folder / CHOICES, asked_of)
    write_json(folder / RESULTS, results)
    return results


def _alike(one: Found, first: Found, changed: Changes) -> Changes:
    """What can be held against each other: counts of few answers are noise where likelihoods are none."""
    counts = [m.answered.samples if m.answered else None for m in (one, first)]
    if counts[0] == counts[1]:
        return changed
    why = NotMeasured("one of the two was sampled, or both by other numbers of answers")
    return {name: number if name == "low_accuracy" else why for name, number in changed.items()}


def _sampled(
    sampler: Sampler,
    what: Materials,
    name: str,
    folder: Path,
    people: Mapping[str, Split] | None,
    seed: int,
    progress: Progress,
) -> tuple[Asked, Found]:
    """All but evidence, in one go: of a service that fails nothing is told part by part."""
    put = replace(what, stories=()).questions()
    every = [q for some in put.values() for q in some]
    bar = f"asking, {Path(name).name}"
    choices, answered = ask_by_samples(sampler, every, folder, lambda i, n: progress(bar, i / n))
    items = {part: {q.item for q in some} for part, some in put.items()}
    asked = {part: tuple(c for c in choices if c.item in of) for part, of in items.items()}
    one = found(asked, replace(what, stories=()), name, people=people, seed=seed)
    return asked, replace(one, judged=one.judged and without_rules(one.judged), answered=answered)


def write_choices(path: Path, asked_of: Mapping[str, Asked]) -> None:
    """One row a question and model: model, part, item, form, order, log_odds."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [(m, part, c) for m, asked in asked_of.items() for part, some in asked.items() for c in some]
    table = pa.table(
        {
            "model": pa.array([m for m, _, _ in rows], pa.string()),
            "part": pa.array([p for _, p, _ in rows], pa.string()),
            "item": pa.array([c.item for _, _, c in rows], pa.string()),
            "form": pa.array([c.form for _, _, c in rows], pa.string()),
            "order": pa.array([c.order for _, _, c in rows], pa.int8()),
            "log_odds": pa.array([c.log_odds for _, _, c in rows], pa.float64()),
        }
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    write_bytes(path, buffer.getvalue())


def _items(items: str) -> tuple[Dilemma, ...]:
    if items == BUILTIN:
        return dilemmas()
    path = Path(items).expanduser()
    if path.is_dir():
        return read_moralchoice(path)
    if path.is_file():
        return read_dilemmas(path)
    raise BadFile(f"There is no {path}; give `builtin`, MoralChoice's folder, or a file of JSON lines.")


def _some(every: Sequence[Dilemma], limit: int, seed: int) -> tuple[Dilemma, ...]:
    if not limit:
        return tuple(every)
    kept: set[str] = set()
    for level in ("high", "low"):
        ids = [d.id for d in every if d.ambiguity == level]
        kept |= set(random.Random(f"{seed} {level}").sample(ids, min(limit, len(ids))))
    return tuple(d for d in every if d.id in kept)
