"""Finds persona vectors and the assistant axis, places models and transcripts on them, shows what moved.

`extract` makes a vector from a trait (a name that ships, or a JSON file) or from a --contrast file; `axis`
that of the default assistant against roles; `project` places a model's own replies, or conversations of
--text, on --vectors; `shift` says which of them a second model (--to) moved toward. Each writes JSON and a
page into FOLDER; `extract` and `axis` also `persona.safetensors`, which `molehunt steer` can add.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tyro.conf import Positional

from molehunt.core.alone import alone
from molehunt.core.errors import UserError
from molehunt.verbs._screen import show, table

STOPPED = "Stopped; replies of whole voices are kept: run the same command again to go on."


@dataclass(frozen=True)
class Options:
    """What is found or placed, and on what."""

    what: Positional[Literal["extract", "axis", "project", "shift"]]
    """extract and axis make a vector; project places replies on vectors; shift compares two models."""
    folder: Positional[Path]
    """Folder for what is found."""
    trait: str = ""
    """Extract: malicious, sycophantic, confabulating, cheerful, or a JSON file of a trait."""
    contrast: Path | None = None
    """Extract: JSON lines with a question and two answers, in place of a trait."""
    rows: int = 200
    """Extract: questions of the contrast file that are read, drawn by seed; 0 takes all."""
    roles: Path | None = None
    """Axis: a JSON file of default prompts, roles and questions, in place of those that ship."""
    vectors: tuple[Path, ...] = ()
    """Project and shift: files that extract, axis or `molehunt diff` made."""
    to: str = ""
    """Shift: the second model, or the folder of an adapter of the first."""
    prompts: Path | None = None
    """Project and shift: what is asked, as JSON lines or a .txt file; else the questions that ship."""
    text: tuple[str, ...] = ()
    """Project: conversations to place in place of the model's own replies: files, folders, hf:NAME."""
    column: str = ""
    """Project: column of --text that holds conversations."""
    layers: tuple[int, ...] = ()
    """Extract and axis: layers that are tried; all where none are given."""
    bare: bool = False
    """Extract and axis: read replies without the system prompt that drew them out."""
    max_tokens: int = 48
    """Longest reply, in tokens."""
    samples: int = 1
    """Replies to each question under each prompt."""
    temperature: float = 1.0
    """0 takes the likeliest token every time."""
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
    """Seeds sampling, intervals and nulls."""
    json: bool = False
    """Print what was found as JSON."""


def run(options: Options) -> int:
    """Do it, and show numbers."""
    from molehunt.verbs._persona_use import project, shift

    _check(options)
    if options.dry_run:
        from molehunt.verbs._cost import persona_cost, show_cost

        return show_cost(persona_cost(options), options.json)
    steps = {"extract": _find, "axis": _find, "project": project, "shift": shift}
    with alone(options.folder):
        return steps[options.what](options)


def open_it(options: Options) -> Any:
    """The model of --model."""
    from molehunt.models.loaded import ModelSpec
    from molehunt.verbs._inside import open_inside

    return open_inside(ModelSpec(options.model, options.revision, options.adapter, options.dtype))


def facts_of(options: Options, model: Any) -> list[tuple[str, str]]:
    """What a page says of the model and the run."""
    return [
        ("model", options.model + (f" with {options.adapter}" if options.adapter else "")),
        ("weights", model.fingerprint[:12]),
        ("precision", str(model.dtype).removeprefix("torch.")),
        ("seed", str(options.seed)),
    ]


def _check(options: Options) -> None:
    """Refuse options that do not belong together, before anything is loaded."""
    makes = options.what in ("extract", "axis")
    if options.what == "extract" and bool(options.trait) == (options.contrast is not None):
        raise UserError("`persona extract` needs either --trait NAME_OR_FILE or --contrast FILE.")
    if options.what != "extract" and (options.trait or options.contrast):
        raise UserError("--trait and --contrast are for `persona extract`.")
    if makes and (options.vectors or options.to or options.prompts or options.text):
        raise UserError(
            "--vectors, --to, --prompts and --text are for `persona project` and `persona shift`."
        )
    if not makes and not options.vectors:
        raise UserError(f"`persona {options.what}` needs --vectors FILE ..., which extract or axis made.")
    if (options.what == "shift") != bool(options.to):
        raise UserError("`persona shift` needs --to MODEL, and nothing else takes it.")
    if options.text and (options.what != "project" or options.prompts):
        raise UserError("--text is for `persona project`, in place of --prompts.")
    if options.max_tokens < 1 or options.samples < 1 or options.temperature < 0 or options.rows < 0:
        raise UserError(
            "--max-tokens and --samples should be at least 1, --temperature and --rows 0 or more."
        )


def _find(options: Options) -> int:
    """Make a vector from a trait, a contrast or roles."""
    from molehunt.core.atomic import write_json
    from molehunt.game.watch import watching
    from molehunt.interp.direction_file import Made, save_directions
    from molehunt.interp.persona_vector import fit_persona
    from molehunt.interp.personas import data_hash, read_contrast, read_roles, read_trait
    from molehunt.interp.replies import bare, draw_out, reply_means
    from molehunt.models.anatomy import anatomy
    from molehunt.models.taps import parse
    from molehunt.verbs._persona_page import VOICES, verdict, voice_rows, write_persona_page

    persona = None
    if options.what == "axis":
        persona = read_roles(options.roles)
    elif options.trait:
        persona = read_trait(options.trait)
    contrast = read_contrast(options.contrast, options.rows, options.seed) if options.contrast else ()
    with watching() as watch:
        model = open_it(options)
        depth = len(anatomy(model.module).layers)
        addresses = tuple(f"resid_post.{layer}" for layer in options.layers or range(depth))
        for address in addresses:
            parse(address, depth)
        told, left_out = contrast, 0
        if persona is not None:
            drawn = draw_out(
                model,
                persona.voices,
                persona.questions,
                options.folder / "replies",
                max_tokens=options.max_tokens,
                temperature=options.temperature,
                samples=options.samples,
                seed=options.seed,
                progress=lambda i, n: watch.bar("drawing replies", i / n),
            )
            told = tuple(t for t in drawn if t.reply.strip() and persona.kept(t))
            left_out = len(drawn) - len(told)
        reading = bare(told) if options.bare else told
        values = reply_means(
            model,
            [(t.messages, t.reply) for t in reading],
            addresses,
            lambda i, n: watch.bar("reading replies", i / n),
        )
        watch.bar("fitting", 0.1)
        made = Made(
            name=persona.name if persona else (options.contrast.stem if options.contrast else "")[:80],
            kind=persona.kind if persona else "contrast",
            chosen=addresses[0],
            addresses=addresses,
            model=options.model,
            fingerprints=(model.fingerprint,),
            dtype=str(model.dtype).removeprefix("torch."),
            data=persona.data if persona else data_hash(contrast),
            rows=0,
            seed=options.seed,
            toward=persona.toward if persona else "answers that match",
            away=persona.away if persona else "answers that do not",
        )
        found = fit_persona(values, told, made)
        watch.bar("fitting", 1.0)
    path = options.folder / "persona.safetensors"
    save_directions(path, found.found)
    value = {
        "persona": found.found.made,
        "layers": list(found.layers),
        "auroc": found.auroc,
        "null": found.null,
        "voices": list(found.voices),
        "component": found.component,
        "replies": len(told),
        "left_out": left_out,
        "bare": options.bare,
        "told": list(told),
    }
    facts = [
        *facts_of(options, model),
        ("kind", found.found.made.kind),
        ("replies", f"{len(told):,}" + (f", {left_out:,} left out" if left_out else "")),
        ("read", "without the system prompt" if options.bare else "as they were given"),
    ]
    write_json(options.folder / "persona.json", value)
    write_persona_page(options.folder / "persona.html", found, told, facts)
    show(
        value,
        options.json,
        table(VOICES, voice_rows(found.voices)),
        verdict(found),
        f"Vectors for `molehunt steer` and `persona project`: {path}",
        f"Page: {options.folder / 'persona.html'}",
    )
    return 0
