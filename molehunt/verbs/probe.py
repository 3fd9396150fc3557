"""Trains linear probes on labelled texts over layers; tests them on shifted sets, tell-tale words left out.

`molehunt probe train DATA.jsonl --out FOLDER` fits difference in means, mass-mean and logistic probes at
every layer, chooses on validation and writes one safetensors file a kind, `probe.json` and `probe.html`.
`molehunt probe test DATA.jsonl --probe FILE` measures a kept probe on other examples. A line of DATA holds
text (or messages), label, and if wanted split (train, validate, test, or any name for a shifted set) and
group.
"""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from tyro.conf import Positional

from molehunt.core.alone import alone
from molehunt.core.errors import UserError
from molehunt.verbs._screen import show, table, tables

STOPPED = "Stopped; what training had read is kept: run the same command again to go on."
READING = "reading"
"""Folder in --out of what is read; gone once the probes are whole."""


@dataclass(frozen=True)
class Options:
    """What is trained or tested, on what."""

    action: Positional[Literal["train", "test"]]
    """`train` fits and keeps probes, `test` measures a kept one."""
    data: Positional[Path]
    """JSON lines with text or messages, a label (0 or 1), and split and group if wanted."""
    out: Path | None = None
    """Folder for what training makes."""
    probe: Path | None = None
    """The probe that is tested."""
    model: str = "default"
    """`default`, `tiny`, a Hugging Face id, or a folder."""
    revision: str | None = None
    """Commit, tag or branch of a Hugging Face id."""
    adapter: str | None = None
    """Folder of an adapter that is merged into the model first."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Precision of the model."""
    kinds: tuple[str, ...] = ("diff_mean", "mass_mean", "logistic")
    """Kinds of probe."""
    site: str = "resid_post"
    """`resid_pre`, `head_out`, `attn_out`, `mlp_out` or `resid_post`."""
    layers: tuple[int, ...] = ()
    """Layers that are tried; all where none are given."""
    pool: Literal["last", "mean"] = "last"
    """Read the last token, or the mean over tokens."""
    seed: int = 0
    """Seeds intervals and shuffled labels."""
    json: bool = False
    """Print the results as JSON."""


def run(options: Options) -> int:
    """Train or test, then show."""
    from molehunt.interp.labelled import read_examples

    if options.action == "train" and (options.out is None or options.probe is not None):
        raise UserError("`probe train` needs --out FOLDER, where its probes go, and takes no --probe.")
    if options.action == "test" and (options.probe is None or options.out is not None):
        raise UserError("`probe test` needs --probe FILE, a probe that was kept, and takes no --out.")
    examples = read_examples(options.data)
    if options.out is None:
        return _test(options, examples)
    with alone(options.out):
        return _train(options, options.out, examples)


def _train(options: Options, out: Path, examples: Any) -> int:
    from molehunt.core.atomic import write_json
    from molehunt.game.watch import watching
    from molehunt.interp.labelled import examples_hash
    from molehunt.interp.probe_file import provenance_json, save_probe
    from molehunt.interp.probe_study import study
    from molehunt.models.anatomy import anatomy
    from molehunt.verbs._probe_page import SHORT, short_rows, unmeasured, write_probe_page

    model = _model(options)
    layers = options.layers or range(len(anatomy(model.module).layers))
    addresses = [f"{options.site}.{layer}" for layer in layers]
    kinds = tuple(dict.fromkeys(options.kinds))
    with watching() as watch:
        found = study(
            model,
            examples,
            kinds,
            addresses,
            options.pool,
            options.seed,
            lambda what, share: watch.bar(what, share),
            out / READING,
        )
    for kind, kept in found.kept.items():
        save_probe(out / f"{kind}.safetensors", kept)
    value = {
        "probes": {k: provenance_json(p.made) for k, p in found.kept.items()},
        "swept": list(found.swept),
        "results": list(found.results),
        "null": dict(found.null),
    }
    facts = (
        ("model", options.model),
        ("weights", model.fingerprint[:12]),
        ("examples", f"{len(examples):,}"),
        ("data", examples_hash(examples)[:12]),
        ("read at", options.pool),
        ("seed", str(options.seed)),
    )
    write_json(out / "probe.json", value)
    write_probe_page(out / "probe.html", found, facts)
    shutil.rmtree(out / READING)
    places = [(k, p.made.address, f"{p.made.penalty:g}") for k, p in found.kept.items()]
    show(
        value,
        options.json,
        table(["probe", "place", "penalty"], places),
        *tables(SHORT, short_rows(found.results)),
        *_missing(unmeasured(found.results)),
        f"Page: {out / 'probe.html'}",
    )
    return 0


def _test(options: Options, examples: Any) -> int:
    from molehunt.game.watch import watching
    from molehunt.interp.labelled import TEST, examples_hash
    from molehunt.interp.pooled import pooled
    from molehunt.interp.probe_file import load_probe, provenance_json
    from molehunt.interp.probe_study import measure
    from molehunt.verbs._probe_page import SHORT, short_rows, unmeasured

    assert options.probe is not None
    load_probe(options.probe)  # what is wrong with the file is said before a model is loaded
    model = _model(options)
    kept = load_probe(options.probe, model)
    own = ("train", "validate")
    if examples_hash(examples) == kept.made.data:  # what the probe was trained on does not test it
        examples = [e for e in examples if e.split not in own]
    else:
        examples = [replace(e, split=TEST) if e.split in own else e for e in examples]
    if not examples:
        raise UserError(f"{options.data} holds only what this probe was trained on; give other examples.")
    with watching() as watch:
        places = [kept.made.address]
        values = pooled(model, examples, places, kept.made.pool, lambda a, b: watch.bar("reading", a / b))[0]
    results = measure(kept, values, examples, options.seed)
    value = {"probe": provenance_json(kept.made), "results": results}
    show(value, options.json, *tables(SHORT, short_rows(results)), *_missing(unmeasured(results)))
    return 0


def _missing(said: str) -> list[str]:
    return [said.strip()] if said else []


def _model(options: Options) -> Any:
    from molehunt.models.loaded import ModelSpec
    from molehunt.verbs._inside import open_inside

    return open_inside(ModelSpec(options.model, options.revision, options.adapter, options.dtype))
