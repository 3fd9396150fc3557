"""Trains, evaluates, imports and exports sparse autoencoders of a model's activations.

`train` learns one autoencoder an address, from a capture or from the model as it reads; with --against, a
crosscoder an address, one code for that model and a second one, which `molehunt diff --sae` reads. `eval`
measures either; `import` takes a folder of SAELens or sparsify, `export` writes one. An autoencoder is
refused where its model or address is not the one asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from tyro.conf import Positional

from molehunt.core.alone import alone
from molehunt.core.errors import UserError
from molehunt.game.watch import watching
from molehunt.verbs._chats import make_chats
from molehunt.verbs._sae_rows import clear, finished, open_one, open_pair, reading, rows_of
from molehunt.verbs._screen import measured, show, table

BOTH = "A crosscoder reads both models side by side; leave out --source."
STOPPED = "Stopped; the last checkpoint is kept: run the same command again to go on."


@dataclass(frozen=True)
class Options:
    """What is done with which autoencoder."""

    what: Positional[Literal["train", "eval", "import", "export"]]
    """train makes FOLDER; eval reads it; import makes it from --source; export writes it to --target."""
    folder: Positional[Path]
    """Folder of autoencoders: one an address in it after training; else one autoencoder's own."""
    source: Path | None = None
    """Train: a finished capture (else the model reads --text). Import: a SAELens or sparsify folder."""
    target: Path | None = None
    """Export: where to write."""
    form: Literal["saelens", "sparsify"] = "saelens"
    """Export: whose format."""
    addresses: tuple[str, ...] = ()
    """Train: where, by default all of the capture. Import and eval: where the autoencoder belongs."""
    text: tuple[str, ...] = ("builtin",)
    """What the model reads: builtin[:train|:test|:chats], files, run folders, hf:NAME[#CONFIG][:SPLIT]."""
    column: str = ""
    """Column of a dataset that holds text or messages, where it is called neither."""
    context: int = 256
    """Longest stretch that is read at once, in tokens."""
    latents: int = 4608
    """Train: latents of each autoencoder."""
    k: int = 32
    """Train: active latents of a row; of the average row for batchtopk."""
    kind: Literal["topk", "batchtopk"] = "batchtopk"
    """Train: how active latents are chosen."""
    tokens: int | None = None
    """Train: rows to learn from, 1,000,000 if not said. Eval: rows to measure on, 20,000 if not said."""
    batch: int = 1024
    """Train: rows a step."""
    learning_rate: float = 0.0
    """Train: highest learning rate; 0 chooses by width."""
    dead_after: int = 200_000
    """Train: rows without firing after which a latent counts as dead."""
    resample: bool = False
    """Train: set dead latents to badly explained rows instead of using the auxiliary loss."""
    half: bool = False
    """Train: compute the encoder's product in bfloat16."""
    model: str = "default"
    """`default`, `tiny`, a Hugging Face id, or a folder."""
    revision: str | None = None
    """Commit, tag or branch of a Hugging Face id."""
    against: str = ""
    """Train and eval: a second model, or the folder of an adapter of --model: a crosscoder of both."""
    against_revision: str | None = None
    """Commit, tag or branch of the second model."""
    base: str = ""
    """What an adapter's folder is merged into; the other of the two models where not said."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Precision of the models; autoencoders are trained in float32 whatever it is."""
    device: str = "auto"
    """Where it is computed: cpu, cuda, cuda:1, or auto: a GPU where there is one."""
    dry_run: bool = False
    """Say what a training would take from the start, and do nothing."""
    seed: int = 0
    """Seeds weights, shuffling and the order of built-in text."""
    json: bool = False
    """Print what came out as JSON."""


def run(options: Options) -> int:
    """Do it, and show numbers."""
    _checked(options)
    if options.dry_run:
        return _reckon(options)
    steps = {"train": _train, "eval": _eval, "import": _import, "export": _export}
    return steps[options.what](options)


def _checked(options: Options) -> None:
    """Refuse numbers that mean nothing, before anything is read."""
    if len(set(options.addresses)) < len(options.addresses):
        raise UserError("--addresses names one twice; name each once.")
    for name in ("tokens", "batch", "dead_after"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise UserError(f"--{name.replace('_', '-')} should be at least 1.")
    if not (isfinite(options.learning_rate) and options.learning_rate >= 0):
        raise UserError("--learning-rate should be a number of 0 or more.")


def _reckon(options: Options) -> int:
    from molehunt.verbs._cost import sae_cost, show_cost

    if options.what != "train":
        raise UserError(f"`sae {options.what}` has no dry run; leave out --dry-run.")
    if options.against and options.source is not None:
        raise UserError(BOTH)
    if options.source is None and not options.addresses:
        raise UserError("Name a capture with --source, or what to read with --addresses.")
    return show_cost(sae_cost(options), options.json)


def _train(options: Options) -> int:
    from molehunt.interp.sae_files import SavedSae, save_sae
    from molehunt.interp.sae_site import TrainSpec
    from molehunt.interp.sae_train import CHECKPOINT, train

    names = [f.name for f in fields(TrainSpec) if hasattr(options, f.name)]
    asked = {name: getattr(options, name) for name in names}
    spec = TrainSpec(**{name: value for name, value in asked.items() if value is not None})
    if options.against and options.source is not None:
        raise UserError(BOTH)
    seen: dict[str, dict[str, Any]] = {}
    clear(options.folder, options.addresses)
    with alone(options.folder), watching() as watch:
        rows = rows_of(options, watch)
        clear(options.folder, rows.flow.addresses)
        how = {
            "spec": {n: getattr(spec, n) for n in names},
            "text": list(rows.text),
            "read": rows.flow.origin,
        }

        def report(done: int, total: int, speed: float, shown: Any) -> None:
            first = next(iter(shown.values()))
            share = first.variance_explained
            said = f"{'—' if share is None else f'{share:.2f}'} explained, {first.dead:.1%} dead"
            watch.bar("training", done / total, f"{said}, {speed:,.0f} tokens/s" if speed else said)
            seen.update({a: {"tokens_per_second": speed or None, **vars(s)} for a, s in shown.items()})

        seen.update(finished(options.folder, rows, how))
        if not seen:
            made = train(rows.flow, spec, device=rows.device, checkpoint=options.folder, report=report)
            for address, sae in made.items():
                kept = {**how, "last": seen[address]}
                save_sae(
                    options.folder / address,
                    SavedSae(sae, address=address, made=kept, **rows.belongs),
                )
            (options.folder / CHECKPOINT).unlink(
                missing_ok=True
            )  # it holds what is whole now, and Adam's part
    found = [{"address": a, **s, "folder": str(options.folder / a)} for a, s in seen.items()]
    heads = ["address", "explained (last batch)", "L0", "dead", "folder"]
    cells = [
        (
            r["address"],
            "does not vary" if r["variance_explained"] is None else f"{r['variance_explained']:.3f}",
            f"{r['active']:.1f}",
            f"{r['dead']:.1%}",
            r["folder"],
        )
        for r in found
    ]
    show({"trained": found}, options.json, table(heads, cells))
    return 0


def _eval(options: Options) -> int:
    from dataclasses import replace

    from molehunt.core.records import Measure
    from molehunt.interp.corpora import overlap
    from molehunt.interp.crosscoder import evaluate_pair
    from molehunt.interp.sae_eval import evaluate
    from molehunt.interp.sae_files import fitting, load_sae, read_sae

    asked, tokens = next(iter(options.addresses), None), 20_000 if options.tokens is None else options.tokens
    with watching() as watch:

        def bar(what: str) -> Callable[[float], None]:
            return lambda share: watch.bar("measuring", share, what)

        if options.against:
            saved = read_sae(options.folder)
            if not saved.against:
                raise UserError(f"{options.folder} holds an autoencoder of one model; leave out --against.")
            if asked not in (None, saved.address):
                raise UserError(
                    f"The crosscoder in {options.folder} is of {saved.address!r}, not of {asked!r}."
                )
            a, b = open_pair(options)
            make_chats(a, options.text, options.seed, watch)
            spec = replace(reading(options), addresses=(saved.address,))
            found = evaluate_pair(a, b, fitting(saved, a, b).sae, spec, tokens, bar(saved.address))
        else:
            load_sae(options.folder, None, asked)  # before a model is loaded
            model = open_one(options)
            saved = load_sae(options.folder, model)
            make_chats(model, options.text, options.seed, watch)
            spec = replace(reading(options), addresses=(saved.address,))
            found = evaluate(model, saved.sae, spec, tokens, progress=bar(saved.address))
    rows = [
        (
            name,
            measured(m) if isinstance(m, Measure) else "not measured",
            m.how if isinstance(m, Measure) else m.reason,
        )
        for name, m in found.items()
    ]
    shared = overlap(saved.made.get("text", ()), options.text)
    value = {"address": saved.address, "measures": found, "trained_on_too": shared}
    note = (
        [f"Trained on {', '.join(shared)} too, which flatters; name other text with --text."]
        if shared
        else []
    )
    show(value, options.json, table(["measure", "value", "how"], rows), *note)
    return 0


def _import(options: Options) -> int:
    from molehunt.core.atomic import refuse_taken
    from molehunt.interp.sae_files import save_sae
    from molehunt.interp.sae_formats import import_sae

    if options.source is None or len(options.addresses) != 1:
        raise UserError("An import needs --source FOLDER and one --addresses ADDRESS.")
    with alone(options.folder):
        refuse_taken(options.folder)
        saved = import_sae(options.source, open_one(options), options.addresses[0])
        save_sae(options.folder, saved)
    proven = saved.made["proven"]
    missing = [what for key, what in (("model", "weights"), ("address", "place")) if key not in proven]
    believed = f" Of which {' and '.join(missing)} it is, its folder does not say: you are believed."
    show(
        {"folder": str(options.folder), "address": saved.address, "proven": proven},
        options.json,
        f"Imported to {options.folder}.{believed if missing else ''}",
    )
    return 0


def _export(options: Options) -> int:
    from molehunt.interp.sae_files import read_sae
    from molehunt.interp.sae_formats import export_sae

    if options.target is None:
        raise UserError("An export needs --target FOLDER.")
    with alone(options.target):
        export_sae(options.target, read_sae(options.folder), options.form)
    show({"folder": str(options.target), "form": options.form}, options.json, f"Written to {options.target}.")
    return 0
