"""Adds a direction at several strengths: dose and response beside side effects and random directions.

The direction is a file (of `molehunt probe`, `persona` or `diff`, or safetensors with one vector), or the
difference of means of two files of texts (--toward-texts, --away-texts). The behaviour is a --pattern,
--words, or log-odds of continuations (--toward, --away; or `toward` and `away` of each prompt in its file).
Writes `steer.json` and `steer.html`; goes on where
it stopped.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tyro.conf import Positional

from molehunt.core.errors import BadFile, UserError
from molehunt.verbs._screen import show, table

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
    toward_texts: Path | None = None
    """A .txt file, a text a line: the mean that the direction points to."""
    away_texts: Path | None = None
    """A .txt file, a text a line: the mean that it points away from."""
    address: str | None = None
    """Where it is added, such as resid_post.14; a probe knows its own."""
    layers: tuple[int, ...] = ()
    """Add it at these layers of the same site instead."""
    strengths: tuple[float, ...] = (-0.5, -0.25, 0.0, 0.25, 0.5)
    """In median residual norms; 0 has to be among them."""
    pattern: str = ""
    """Count replies in which this regular expression is found."""
    words: tuple[str, ...] = ()
    """Count replies that hold one of these words."""
    toward: tuple[str, ...] = ()
    """Log-odds of these replies ..."""
    away: tuple[str, ...] = ()
    """... against these."""
    max_tokens: int = 32
    """Longest reply, in tokens."""
    temperature: float = 0.0
    """0 takes the likeliest token every time."""
    random: int = 20
    """Random directions of the same length, tried beside."""
    texts: int = 24
    """Passages of ordinary text whose likelihood is watched."""
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
    seed: int = 0
    """Seeds random directions, sampling and intervals."""
    json: bool = False
    """Print the results as JSON."""


def run(options: Options) -> int:
    """Steer, measure, write, show."""
    from molehunt.core.atomic import write_json
    from molehunt.game.watch import watching
    from molehunt.interp.behaving import behaviour, read_prompts
    from molehunt.interp.dose import Experiment, response, run_cells
    from molehunt.models.text import ordinary_text
    from molehunt.verbs._steer_page import SHORT, short_rows, verdict, write_steer_page

    if options.max_tokens < 1 or options.random < 0 or options.texts < 1:
        raise UserError("--max-tokens and --texts should be at least 1, --random 0 or more.")
    prompts = read_prompts(options.prompts)
    counted = behaviour(
        options.pattern,
        options.words,
        options.toward,
        options.away,
        options.max_tokens,
        options.temperature,
        prompts,
    )
    model, direction, places = _where(options)
    texts = tuple(ordinary_text(options.texts))
    experiment = Experiment(
        direction, places, options.strengths, prompts, counted, texts, options.random, options.seed
    )
    with watching() as watch:
        cells = run_cells(model, experiment, options.out, lambda a, b: watch.bar("steering", a / b))
    found = response(experiment, cells)
    own = sorted((c for c in cells if c.direction == "direction"), key=lambda c: c.strength)
    value = {
        "model": options.model,
        "fingerprint": model.fingerprint,
        "direction": direction.source,
        "vector": [float(v) for v in direction.vector],
        "places": list(places),
        "behaviour": counted,
        "seed": options.seed,
        "response": found,
        "prompts": list(prompts),
        "replies": {f"{c.strength:g}": list(c.replies) for c in own},
    }
    facts = (
        ("model", options.model),
        ("direction", direction.source),
        ("added at", ", ".join(f"{p.address} (median norm {p.norm:.3g})" for p in places)),
        ("counted", counted.words),
        ("prompts", str(len(prompts))),
        ("seed", str(options.seed)),
    )
    asked = ["\n".join(m.content for m in a.messages) for a in prompts[: options.show]]
    told = [(c.strength, c.replies) for c in own if c.replies]
    write_json(options.out / "steer.json", value)
    write_steer_page(options.out / "steer.html", found, counted.unit, asked, told, facts)
    page = f"Page: {options.out / 'steer.html'}"
    show(value, options.json, table(SHORT, short_rows(found.doses)), verdict(found), page)
    return 0


def _where(options: Options) -> tuple[Any, Any, Any]:
    """The model, the direction and the places where it is added."""
    from molehunt.interp.direction import from_file, from_texts, other_layers
    from molehunt.interp.steer import Place, median_norms
    from molehunt.models.loaded import ModelSpec
    from molehunt.verbs._inside import open_inside

    means = options.toward_texts is not None and options.away_texts is not None
    if (options.direction is not None) == means or (options.toward_texts is None) != (
        options.away_texts is None
    ):
        raise UserError("Give either --direction FILE, or both --toward-texts and --away-texts.")
    if means and options.address is None:
        raise UserError("A difference of means needs --address, such as resid_post.14.")
    if options.direction is not None and not options.direction.is_file():
        raise BadFile(f"There is no file {options.direction}.")
    sides = [_lines(p) for p in (options.toward_texts, options.away_texts) if p is not None]
    model = open_inside(
        ModelSpec(options.model, options.revision, options.adapter, options.dtype), "edit", "sharing"
    )
    if options.direction is not None:
        direction = from_file(options.direction, model, options.address)
    else:
        direction = from_texts(model, sides[0], sides[1], options.address or "")
    addresses = other_layers(model, direction.address, options.layers)
    norms = median_norms(model, addresses)
    return model, direction, tuple(Place(a, norms[a]) for a in addresses)


def _lines(path: Path) -> list[str]:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeError) as error:
        raise BadFile(f"{path} cannot be read as text ({str(error)[:80]}).") from None
    if not any(lines):
        raise BadFile(f"{path} holds no texts; write one a line.")
    return [line for line in lines if line]
