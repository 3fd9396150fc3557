"""Trains, evaluates, imports and exports sparse autoencoders of a model's activations.

`train` learns one autoencoder an address, from a capture or from the model as it reads; `eval` measures
one; `import` takes a folder of SAELens or sparsify, `export` writes one. An autoencoder is refused where
its model or address is not the one asked for.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tyro.conf import Positional

from molehunt.core.errors import UserError
from molehunt.game.watch import watching
from molehunt.verbs._screen import measured, show, table

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
    """Text that the model reads: builtin, files, folders, run folders, hf:NAME[:SPLIT]."""
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
    seed: int = 0
    """Seeds weights, shuffling and the order of built-in text."""
    json: bool = False
    """Print what came out as JSON."""


def run(options: Options) -> int:
    """Do it, and show numbers."""
    steps = {"train": _train, "eval": _eval, "import": _import, "export": _export}
    return steps[options.what](options)


def _model(options: Options) -> Any:
    from molehunt.models.load import open_model
    from molehunt.models.loaded import ModelSpec

    return open_model(ModelSpec(options.model, options.revision))


def _reading(options: Options) -> Any:
    from molehunt.interp.reading import ReadSpec

    return ReadSpec(options.text, options.addresses, options.context, options.column, seed=options.seed)


def _train(options: Options) -> int:
    from molehunt.interp.capture import open_capture
    from molehunt.interp.flows import LiveFlow, ShardFlow
    from molehunt.interp.reading import Reader
    from molehunt.interp.sae_files import SavedSae, save_sae
    from molehunt.interp.sae_train import TrainSpec, train

    names = (
        "latents",
        "k",
        "kind",
        "tokens",
        "batch",
        "learning_rate",
        "dead_after",
        "resample",
        "half",
        "seed",
    )
    asked = {name: getattr(options, name) for name in names}
    spec = TrainSpec(**{name: value for name, value in asked.items() if value is not None})
    rows: list[dict[str, Any]] = []
    with watching() as watch:
        if options.source is not None:
            held = open_capture(options.source)
            flow, device = ShardFlow(held, options.addresses or held.addresses, options.seed), "cpu"
            model_id, text = held.about["model_id"], held.about["spec"]["text"]
        elif options.addresses:
            model = _model(options)
            flow, device = LiveFlow(Reader(model, _reading(options))), str(model.device)
            model_id, text = model.spec.id, options.text
        else:
            raise UserError("Name a capture with --source, or what to read with --addresses.")

        def report(done: int, total: int, speed: float, seen: Any) -> None:
            first = next(iter(seen.values()))
            said = f"{first.variance_explained:.2f} explained, {first.dead:.1%} dead"
            said = f"{speed:,.0f} tokens/s, {said}" if speed else said
            watch.bar("training", done / total, said)
            rows[:] = [
                {
                    **{"address": a, "tokens_per_second": speed or None},
                    **vars(s),
                    "folder": str(options.folder / a),
                }
                for a, s in seen.items()
            ]

        made = train(flow, spec, device=device, checkpoint=options.folder, report=report)
    for address, sae in made.items():
        how = {"spec": {n: getattr(spec, n) for n in names}, "text": list(text)}
        save_sae(options.folder / address, SavedSae(sae, flow.model, address, model_id, how))
    heads = ["address", "explained (last batch)", "L0", "dead", "folder"]
    cells = [
        (
            r["address"],
            f"{r['variance_explained']:.3f}",
            f"{r['active']:.1f}",
            f"{r['dead']:.1%}",
            r["folder"],
        )
        for r in rows
    ]
    show({"trained": rows}, options.json, table(heads, cells))
    return 0


def _eval(options: Options) -> int:
    from dataclasses import replace

    from molehunt.core.records import Measure
    from molehunt.interp.sae_eval import evaluate
    from molehunt.interp.sae_files import load_sae

    with watching() as watch:
        load_sae(options.folder, None, next(iter(options.addresses), None))  # before a model is loaded
        model = _model(options)
        saved = load_sae(options.folder, model)
        watch.bar("measuring", 0.1, saved.address)
        spec = replace(_reading(options), addresses=(saved.address,))
        found = evaluate(model, saved.sae, spec, options.tokens or 20_000)
    rows = [
        (
            name,
            measured(m) if isinstance(m, Measure) else "not measured",
            m.how if isinstance(m, Measure) else m.reason,
        )
        for name, m in found.items()
    ]
    shared = sorted(set(options.text) & set(saved.made.get("text", ())))
    value = {"address": saved.address, "measures": found, "trained_on_too": shared}
    note = (
        [f"Trained on {', '.join(shared)} too, which flatters; name other text with --text."]
        if shared
        else []
    )
    show(value, options.json, table(["measure", "value", "how"], rows), *note)
    return 0


def _import(options: Options) -> int:
    from molehunt.interp.sae_files import import_sae, save_sae

    if options.source is None or len(options.addresses) != 1:
        raise UserError("An import needs --source FOLDER and one --addresses ADDRESS.")
    saved = import_sae(options.source, _model(options), options.addresses[0])
    save_sae(options.folder, saved)
    show(
        {"folder": str(options.folder), "address": saved.address},
        options.json,
        f"Imported to {options.folder}.",
    )
    return 0


def _export(options: Options) -> int:
    from molehunt.interp.sae_files import export_sae, load_sae

    if options.target is None:
        raise UserError("An export needs --target FOLDER.")
    export_sae(options.target, load_sae(options.folder), options.form)
    show({"folder": str(options.target), "form": options.form}, options.json, f"Written to {options.target}.")
    return 0
