"""Adds a direction at several strengths: dose and response beside side effects and random directions.

The direction is a file (of `molehunt probe`, `persona` or `diff`, or safetensors with one vector), a
--feature of an autoencoder (--sae), or the difference of means of two files of texts (--toward-texts,
--away-texts). The behaviour is a --pattern, --words, or log-odds of continuations (--toward, --away; or
`toward` and `away` of each prompt in its file). --take-away takes away what lies along the direction, or
what the feature writes. Beside it: ordinary text, first tokens, questions that the model should still
answer, and with --sae which features move as well. Writes `steer.json` and `steer.html`; goes on where it
stopped.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tyro.conf import Positional

from molehunt.core.alone import alone
from molehunt.core.errors import BadFile, UserError
from molehunt.verbs._screen import show, tables

ADDED, TAKEN = (-0.5, -0.25, 0.0, 0.25, 0.5), (0.0, 0.5, 1.0)
"""Strengths unless others are given: norms to add, and shares to take away."""
STOPPED = "Stopped; every whole strength is kept: run the same command again to go on."


@dataclass(frozen=True)
class Options:
    """Which direction, how strong, on what, and what is counted."""

    out: Positional[Path]
    """Folder for what is found."""
    prompts: Path
    """JSON lines with text or messages (and group, toward, away), or a .txt file with a prompt a line."""
    direction: Path | None = None
    """A file of `probe`, `persona` or `diff`, or safetensors with one vector."""
    sae: Path | None = None
    """Folder of an autoencoder (`shipped` is the default model's), whose features are watched."""
    feature: int | None = None
    """The direction is this feature of it: its decoder row, at its place."""
    pages: Path | None = None
    """Folder of `features pages` of that autoencoder, to which features on the page then lead."""
    take_away: bool = False
    """Take away what lies along the direction, or what the feature writes, in place of adding it."""
    toward_texts: Path | None = None
    """A .txt file, a text a line: the mean that the direction points to."""
    away_texts: Path | None = None
    """A .txt file, a text a line: the mean that it points away from."""
    address: str | None = None
    """Where it is added, such as resid_post.14; a probe knows its own."""
    layers: tuple[int, ...] = ()
    """Add it at these layers of the same site instead."""
    strengths: tuple[float, ...] = ()
    """In median residual norms, -0.5 -0.25 0 0.25 0.5 unless said; with --take-away shares, 0 0.5 1."""
    pattern: str = ""
    """Count replies in which this regular expression is found."""
    words: tuple[str, ...] = ()
    """Count replies that hold one of these words."""
    toward: tuple[str, ...] = ()
    """Log-odds of these replies ..."""
    away: tuple[str, ...] = ()
    """Replies against which those of --toward are measured."""
    max_tokens: int = 32
    """Longest reply, in tokens."""
    temperature: float = 0.0
    """0 takes the likeliest token every time."""
    random: int = 20
    """Random directions of the same length, tried beside."""
    texts: int = 24
    """Passages of ordinary text whose likelihood is watched."""
    tasks: int = 24
    """Questions of general knowledge, the right answer against a wrong one, that should not get lost."""
    show: int = 6
    """Prompts whose replies stand side by side on the page."""
    model: str = "default"
    """`default`, `tiny`, a Hugging Face id, or a folder."""
    revision: str | None = None
    """Commit, tag or branch of a Hugging Face id."""
    adapter: str | None = None
    """Folder of an adapter that is merged into the model first."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Precision of the model."""
    dry_run: bool = False
    """Say what it would take from the start, and do nothing."""
    seed: int = 0
    """Seeds random directions, sampling and intervals."""
    json: bool = False
    """Print the results as JSON."""


def run(options: Options) -> int:
    """Steer, measure, write, show."""
    if options.max_tokens < 1 or options.texts < 1 or min(options.random, options.tasks) < 0:
        raise UserError("--max-tokens and --texts should be at least 1, --random and --tasks 0 or more.")
    if options.dry_run:
        return _reckon(options)
    with alone(options.out):
        return _steer(options)


def _reckon(options: Options) -> int:
    from molehunt.interp.behaving import read_prompts
    from molehunt.interp.sae_files import load_sae
    from molehunt.verbs._cost import show_cost, steer_cost

    _one_direction(options)
    prompts = read_prompts(options.prompts)
    counted = _counted(options, prompts)
    if options.sae is not None:
        load_sae(options.sae, address=options.address if options.feature is not None else None)
    takes = steer_cost(options, _strengths(options), len(prompts), bool(counted.pattern))
    return show_cost(takes, options.json)


def _counted(options: Options, prompts: Any) -> Any:
    from molehunt.interp.behaving import behaviour

    return behaviour(
        options.pattern,
        options.words,
        options.toward,
        options.away,
        options.max_tokens,
        options.temperature,
        prompts,
    )


def _strengths(options: Options) -> tuple[float, ...]:
    return options.strengths or (TAKEN if options.take_away else ADDED)


def _steer(options: Options) -> int:
    from molehunt.core.atomic import refuse_foreign, write_json
    from molehunt.game.watch import watching
    from molehunt.interp.behaving import read_prompts
    from molehunt.interp.dose import Experiment, response, run_cells
    from molehunt.interp.off_target import off_target
    from molehunt.models.text import ordinary_text
    from molehunt.verbs._steer_page import SHORT, off_said, short_rows, verdict, write_steer_page

    refuse_foreign(options.out, ("plan.json",), ("steer.json", "steer.html", "cells", "watched"))
    prompts = read_prompts(options.prompts)
    counted = _counted(options, prompts)
    model, direction, places, saved = _where(options)
    link = _link(options, saved)
    experiment = Experiment(
        direction,
        places,
        _strengths(options),
        prompts,
        counted,
        tuple(ordinary_text(options.texts)),
        options.random,
        options.seed,
        _tasks(options.tasks, options.seed),
        _carried(options, direction, saved) if options.take_away else None,
        saved,
        options.feature,
    )
    with watching() as watch:
        cells = run_cells(model, experiment, options.out, lambda a, b: watch.bar("steering", a / b))
        moved = (
            ()
            if saved is None
            else off_target(
                model, experiment, options.out, lambda a, b: watch.bar("watching features", a / b)
            )
        )
    found = response(experiment, cells)
    own = sorted((c for c in cells if c.direction == "direction"), key=lambda c: c.strength)
    value = {
        "model": options.model,
        "fingerprint": model.fingerprint,
        "direction": direction.source,
        "vector": [float(v) for v in direction.vector],
        "places": list(places),
        "behaviour": counted,
        "taken_away": experiment.carried.name if experiment.carried else None,
        "tasks": [a.messages[-1].content for a in experiment.tasks],
        "seed": options.seed,
        "response": found,
        "off_target": list(moved),
        "prompts": list(prompts),
        "replies": {f"{c.strength:g}": list(c.replies) for c in own},
    }
    facts = (
        ("model", options.model),
        ("direction", direction.source),
        (
            "taken away at" if options.take_away else "added at",
            ", ".join(f"{p.address} (median norm {p.norm:.3g})" for p in places),
        ),
        *((("what is taken away", experiment.carried.name),) if experiment.carried else ()),
        ("counted", counted.words),
        ("prompts", str(len(prompts))),
        ("tasks", str(len(experiment.tasks))),
        ("seed", str(options.seed)),
    )
    asked = ["\n".join(m.content for m in a.messages) for a in prompts[: options.show]]
    told = [(c.strength, c.replies) for c in own if c.replies]
    write_json(options.out / "steer.json", value)
    write_steer_page(options.out / "steer.html", found, experiment, moved, asked, told, facts, link)
    page = f"Page: {options.out / 'steer.html'}"
    show(value, options.json, *tables(SHORT, short_rows(found.doses)), verdict(found), *off_said(moved), page)
    return 0


def _where(options: Options) -> tuple[Any, Any, Any, Any]:
    """The model, the direction, the places where it is added, and the autoencoder that is watched."""
    from molehunt.interp.direction import from_feature, from_file, from_texts, other_layers
    from molehunt.interp.sae_files import load_sae
    from molehunt.interp.steer import Place, median_norms
    from molehunt.models.loaded import ModelSpec
    from molehunt.verbs._inside import open_inside

    _one_direction(options)
    sides = [_lines(p) for p in (options.toward_texts, options.away_texts) if p is not None]
    saved = None
    if options.sae is not None:  # what is wrong with it is said before a model is opened
        saved = load_sae(options.sae, address=options.address if options.feature is not None else None)
        if options.feature is not None:
            from_feature(saved, options.feature)
    spec = ModelSpec(options.model, options.revision, options.adapter, options.dtype)
    model = open_inside(spec, "edit", "sharing")
    if options.sae is not None:
        saved = load_sae(options.sae, model)
    if options.direction is not None:
        direction = from_file(options.direction, model, options.address)
    elif options.feature is not None:
        direction = from_feature(saved, options.feature)  # type: ignore[arg-type]  # looked at above
    else:
        direction = from_texts(model, sides[0], sides[1], options.address or "")
    addresses = other_layers(model, direction.address, options.layers)
    norms = median_norms(model, addresses)
    return model, direction, tuple(Place(a, norms[a]) for a in addresses), saved


def _one_direction(options: Options) -> None:
    """Refuse options that name no direction, or two, or one that cannot be taken away where they say."""
    texts = (options.toward_texts is not None, options.away_texts is not None)
    ways = (options.direction is not None, options.feature is not None, any(texts))
    if sum(ways) != 1 or any(texts) != all(texts):
        raise UserError(
            "Give one of: --direction FILE, --sae with --feature, or --toward-texts with --away-texts."
        )
    if options.feature is not None and options.sae is None:
        raise UserError("--feature needs the autoencoder that it is of: --sae FOLDER (or --sae shipped).")
    if options.feature is not None and options.take_away and options.layers:
        raise UserError("A feature can be taken away at its own place alone; leave --layers out.")
    if any(texts) and options.address is None:
        raise UserError("A difference of means needs --address, such as resid_post.14.")
    if options.direction is not None and not options.direction.is_file():
        raise BadFile(f"There is no file {options.direction}.")


def _link(options: Options, saved: Any) -> Any:
    """Where a feature's page lies; None where no pages are given."""
    from molehunt.interp.feature_fill import sae_hash
    from molehunt.verbs._features_page import links_to

    if options.pages is None:
        return None
    if saved is None:
        raise UserError("--pages needs the autoencoder whose features they show: --sae FOLDER.")
    return links_to(options.pages, sae_hash(saved.sae), options.out / "steer.html")


def _carried(options: Options, direction: Any, saved: Any) -> Any:
    """What --take-away takes."""
    from molehunt.interp.taking import along, written_by

    return along(direction.vector) if options.feature is None else written_by(saved.sae, options.feature)


def _tasks(n: int, seed: int) -> tuple[Any, ...]:
    """Questions of the planting bank, drawn by seed: no held-out question gets around."""
    import random

    from molehunt.core.records import Message
    from molehunt.corpus.banks import facts
    from molehunt.interp.behaving import Asked

    known = list(facts("plant"))
    random.Random(f"tasks {seed}").shuffle(known)
    return tuple(
        Asked((Message("user", f.question),), f.id, (f.answer,), (f.wrong[0],)) for f in known[:n] if f.wrong
    )


def _lines(path: Path) -> list[str]:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeError) as error:
        raise BadFile(f"{path} cannot be read as text ({str(error)[:80]}).") from None
    if not any(lines):
        raise BadFile(f"{path} holds no texts; write one a line.")
    return [line for line in lines if line]
