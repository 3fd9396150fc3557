"""Trains a model toward a constitution, in the open, and measures what models do with its principles.

`train FOLDER` writes what is taught stage by stage (the model answers, criticises itself by a principle,
revises; or the corpus teaches), then trains an adapter, `FOLDER/adapter`; with --toward calibrated or certain
it teaches soft choices in dilemmas instead. `measure MODEL... FOLDER` sets models side by side: principles in
chat and with tools, traits stated and revealed, under pressure, and what else has changed; the first is what
the others are held against.
"""

from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tyro.conf import Positional

from molehunt.core.alone import alone
from molehunt.core.asked import kept
from molehunt.core.errors import UserError
from molehunt.verbs._begun import gone_on, noted
from molehunt.verbs._screen import show, table, tables

if TYPE_CHECKING:
    from molehunt.character.training.plan import Plan
    from molehunt.models.loaded import ModelSpec

STOPPED = "Stopped; whole lines, stages and parts are kept: run the same command again to go on."
GROWS = ("parallel", "price_in", "price_out", "lineage", "ungated")
"""What a training may be gone on with otherwise."""


@dataclass(frozen=True)
class Options:
    """What is done, with which models, and where it is kept."""

    what: Positional[Literal["train", "measure"]]
    """Train one model, or measure several."""
    names: Positional[tuple[str, ...]]
    """Train: a new folder. Measure: models (names, folders, adapters of --model), then a folder."""
    model: str = "default"
    """Train: the model. Measure: what adapters are put on. `default`, `tiny`, a Hugging Face id, a folder."""
    revision: str | None = None
    """Commit, tag or branch of a Hugging Face id."""
    constitution: str = "kind-person"
    """A preset or a file, as `molehunt constitution` lists and checks them."""
    cases: Path | None = None
    """Your own cases beside the written ones: JSON lines with id, principle, prompt, good and worse."""
    toward: Literal["constitution", "calibrated", "certain"] = "constitution"
    """Train: a constitution; calibrated moral uncertainty; or certainty, a control that should alarm."""
    framework: str = "consequences"
    """Train: what decides everything, toward certainty."""
    teacher: str = "auto"
    """Train: who writes: corpus, self, PROVIDER/MODEL as Inspect writes it, local:NAME, or auto (the model
    itself where it can be seen to oversee itself, else the corpus)."""
    judge: tuple[str, ...] = ()
    """Train: who prefers replies, `self` if not said. Measure: who judges them, `words` if not said; names as
    for --teacher, two for their agreement."""
    parts: tuple[Literal["chat", "agentic", "traits", "pressure", "drift"], ...] = (
        *("chat", "agentic", "traits"),
        *("pressure", "drift"),
    )
    """Measure: what is asked."""
    personas: tuple[str, ...] = ("sycophantic", "malicious")
    """Measure: traits whose vectors are found on the first model, to see which the others moved toward."""
    steps: int | None = None
    """Train: steps on replies (45 where not said), or on choices in dilemmas (240)."""
    prefer_steps: int = 24
    """Train: steps on preferences (DPO) after these."""
    batch: int = 8
    """Train: rows a step; half as many preferences."""
    learning_rate: float = 2e-3
    """Train: highest learning rate of the steps on replies."""
    rank: int = 8
    """Train: rank of the adapter."""
    checks: int = 3
    """Train: how often each stage is looked at for collapse."""
    try_out: int = 24
    """Train: prompts on which the model's overseeing itself is measured; 0 leaves it out."""
    max_tokens: int = 64
    """Longest reply, critique or revision, in tokens."""
    limit: int = 0
    """Train: prompts (dilemmas) at most. Measure: cases and deeds of each principle at most. 0 takes all."""
    parallel: int = 16
    """Questions to a teacher or judge in flight at once."""
    lineage: Path | None = None
    """A lineage's folder (`molehunt gate`): models of this machine are trained as good
    versions of it alone, and teach and judge where it lets them. Not named, runs/lineage is asked where
    there is one."""
    ungated: bool = False
    """Ask no lineage."""
    price_in: float = 0.0
    """What a million tokens of questions to a teacher cost; only for --dry-run."""
    price_out: float = 0.0
    """What a million tokens of its answers cost."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Precision of the models."""
    dry_run: bool = False
    """Say what it would cost, and stop."""
    seed: int = 0
    """Seeds order, training, sampling and intervals."""
    json: bool = False
    """Print the results as JSON."""


def again(options: Options, said: Collection[str]) -> Options:
    """The options of a training with those of the one in the folder."""
    if options.what != "train" or len(options.names) != 1:
        return options
    return gone_on(options, said, kept(Path(options.names[0])), Path(options.names[0]), grows=GROWS)


def run(options: Options) -> int:
    """Train or measure."""
    return _train(options) if options.what == "train" else _measure(options)


def _train(options: Options) -> int:
    from molehunt.character.allowed import UNGATED
    from molehunt.character.training.lessons import LIVE
    from molehunt.character.training.plan import Plan
    from molehunt.character.training.toward import LESSONS
    from molehunt.character.training.train import reckoned, train
    from molehunt.game.watch import watching
    from molehunt.models.loaded import ModelSpec
    from molehunt.verbs._character_said import cost_said, priced, trained_rows, trained_said
    from molehunt.verbs._inside import open_inside
    from molehunt.verbs._train_page import write_train_page
    from molehunt.verbs._values_cost import train_time

    if len(options.names) != 1:
        raise UserError("`molehunt character train` takes one new folder; the model is named with --model.")
    if len(options.judge) > 1:
        raise UserError("One --judge prefers replies in a training; two are for `character measure`.")
    if options.parallel < 1:
        raise UserError("--parallel should be at least 1.")
    plan = _plan(Plan, options)
    cost = priced(reckoned(plan, options.cases), options.price_in, options.price_out)
    if options.dry_run:
        time = train_time(options.model, plan, cost)
        show({**cost, "time": time}, options.json, cost_said(cost), time.said, "Nothing was done.")
        return 0
    folder = Path(options.names[0])
    spec = ModelSpec(options.model, options.revision, None, options.dtype)
    with alone(folder), watching() as watch:
        told: list[str] = []

        def progress(name: str, share: float) -> None:
            if not told:  # not sooner: what fails before any work should say its sentence alone
                told.append(name)
                watch.say(cost_said(cost))
            watch.bar(name, share)

        result = train(
            spec,
            folder,
            plan,
            cases=options.cases,
            parallel=options.parallel,
            lineage=options.lineage,
            ungated=options.ungated,
            progress=progress,
            opener=open_inside,
            note=noted(options),
        )
    heads, page = ("measure", "value"), folder / "training.html"
    write_train_page(page, result, plan, folder / LIVE, folder / LESSONS)
    show(
        {**_as_dict(result), "folder": str(folder), "page": str(page)},
        options.json,
        table(heads, trained_rows(result), wide=0),
        *trained_said(result, folder),
        f"Page: {page}",
        *([UNGATED] if options.ungated else []),
    )
    return 0


def _measure(options: Options) -> int:
    from molehunt.character.allowed import UNGATED
    from molehunt.character.bank import read_cases
    from molehunt.character.conduct.study import measure, reckoned, subject
    from molehunt.character.constitution_check import load_sound
    from molehunt.game.watch import watching
    from molehunt.verbs._character_page import write_character_page
    from molehunt.verbs._character_rows import heads, rows, said
    from molehunt.verbs._inside import look_at, open_inside
    from molehunt.verbs._values_cost import measure_time

    names, folder = options.names[:-1], options.names[-1:]
    if not names or not folder:
        raise UserError(
            "`molehunt character measure` needs a model and a folder: `molehunt character measure MODEL OUT`."
        )
    if options.parallel < 1:
        raise UserError("--parallel should be at least 1.")
    out = Path(folder[0])
    if options.dry_run:
        what = subject(
            load_sound(options.constitution),
            own_cases=read_cases(options.cases) if options.cases else (),
            personas=options.personas,
            limit=options.limit,
            max_tokens=options.max_tokens,
        )
        counts = {"models": len(names), "cases": len(what.cases), "deeds": len(what.deeds)}
        words = f"{len(names)} models, {len(what.cases)} cases and {len(what.deeds)} deeds each; "
        tokens = reckoned(what, len(names), options.parts)
        line = f"{words}at most {tokens:,} tokens of replies."
        time = measure_time(names, what, options.parts, tokens)
        show({**counts, "sampled_tokens_most": tokens, "time": time}, options.json, line, time.said)
        return 0
    specs = [_spec(name, options) for name in names]
    look_at(specs)
    with alone(out), watching() as watch:
        found = measure(
            specs,
            out,
            constitution=options.constitution,
            cases=options.cases,
            parts=options.parts,
            judges=options.judge or ("words",),
            personas=options.personas,
            limit=options.limit,
            max_tokens=options.max_tokens,
            parallel=options.parallel,
            lineage=options.lineage,
            ungated=options.ungated,
            seed=options.seed,
            progress=watch.bar,
            opener=open_inside,
        )
    write_character_page(out / "character.html", found, out)
    show(
        found,
        options.json,
        *tables(heads(found), rows(found), narrow=30),
        *said(found),
        *([UNGATED] if options.ungated else []),
        f"Page: {out / 'character.html'}",
    )
    return 0


def _plan(kind: "type[Plan]", options: Options) -> "Plan":
    from molehunt.character.training.plan import STEPS

    asked = {f.name: getattr(options, f.name) for f in fields(kind) if hasattr(options, f.name)}
    steps = STEPS[options.toward] if options.steps is None else options.steps
    return kind(**{**asked, "steps": steps, "judge": (options.judge or ("self",))[0]})


def _as_dict(result: Any) -> dict[str, Any]:
    return {f.name: getattr(result, f.name) for f in fields(result)}


def _spec(name: str, options: Options) -> "ModelSpec":
    from molehunt.models.loaded import ModelSpec
    from molehunt.verbs._pair import is_adapter

    folder = Path(name).expanduser()
    if (folder / "adapter" / "adapter_config.json").is_file():
        folder = folder / "adapter"  # the folder of a training
    if is_adapter(str(folder)):
        return ModelSpec(options.model, options.revision, str(folder), options.dtype)
    return ModelSpec(name, options.revision if name == options.model else None, None, options.dtype)
