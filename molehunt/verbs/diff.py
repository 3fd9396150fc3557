"""Holds two models side by side: activations by layer, words, features, weights, next tokens.

`molehunt diff MODEL_A MODEL_B` takes any two of one shape and tokenizer: a base, a fine-tune, or the folder
of an adapter, which is merged into the other model (or into --base). Both read the same text; every figure
is B less A. Writes `diff.json`, `diff.html` and `difference.safetensors`, which `molehunt steer` can add.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tyro.conf import Positional

from molehunt.core.alone import alone
from molehunt.core.errors import UserError
from molehunt.verbs._pair import two_models
from molehunt.verbs._screen import show, table

STOPPED = "Stopped; nothing was written: run the same command again."


@dataclass(frozen=True)
class Options:
    """Which two models, and what they read."""

    model_a: Positional[str]
    """The first model: `default`, `tiny`, a Hugging Face id, a model's folder, or an adapter's."""
    model_b: Positional[str]
    """The second, of the same kinds."""
    out: Path = Path("runs/diff")
    """Folder for what is found."""
    base: str = ""
    """What an adapter's folder is merged into; the other of the two models where not said."""
    revision_a: str | None = None
    """Commit, tag or branch of the first, where it is a Hugging Face id."""
    revision_b: str | None = None
    """Commit, tag or branch of the second."""
    text: tuple[str, ...] = ("builtin",)
    """What both read: builtin[:train|:test|:chats], files, run folders, hf:NAME[#CONFIG][:SPLIT]."""
    column: str = ""
    """Column of a dataset that holds text or messages, where it is called neither."""
    tokens: int = 8000
    """Tokens that both read; fewer where the text ends."""
    context: int = 128
    """Longest stretch that is read at once, in tokens."""
    sites: tuple[Literal["resid_pre", "head_out", "attn_out", "mlp_out", "resid_post"], ...] = ("resid_post",)
    """Where activations are compared."""
    layers: tuple[int, ...] = ()
    """Layers that are compared; all where none are given."""
    sink_multiple: float = 10.0
    """Leave out tokens whose residual norm exceeds this multiple of the median; 0 keeps them."""
    sae: tuple[Path, ...] = ()
    """Folders of autoencoders of either model, or crosscoders of both, whose features are compared."""
    pages: tuple[Path, ...] = ()
    """Folders of `features pages` of these autoencoders, to which features on the page then lead."""
    spectra: int = 48
    """Matrices, the most changed first, of whose change the effective rank is computed."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Precision of both models."""
    seed: int = 0
    """Orders the built-in text; seeds intervals and nulls."""
    json: bool = False
    """Print what was found as JSON."""


def run(options: Options) -> int:
    """Compare, write, show."""
    if options.spectra < 0 or options.tokens < 1:
        raise UserError("--tokens should be at least 1, --spectra 0 or more.")
    with alone(options.out):
        return _compare(options)


def _compare(options: Options) -> int:
    from molehunt.core.atomic import refuse_foreign, write_json
    from molehunt.game.watch import watching
    from molehunt.interp.diff import compare
    from molehunt.interp.reading import ReadSpec
    from molehunt.interp.sae_files import read_sae
    from molehunt.interp.weight_changes import weight_changes
    from molehunt.models.anatomy import anatomy
    from molehunt.verbs._chats import make_chats
    from molehunt.verbs._diff_page import LAYERS, WEIGHTS, layer_rows, verdict, weight_rows, write_diff_page
    from molehunt.verbs._inside import open_inside

    refuse_foreign(options.out, ("diff.json",), ("diff.html", "difference.safetensors"))
    saes = [read_sae(folder) for folder in options.sae]  # what is wrong with them is said before all else
    links = _links(options, saes)
    pair = (options.model_a, options.model_b), (options.revision_a, options.revision_b)
    wanted = two_models(*pair, options.base, options.dtype)
    with watching() as watch:
        a, b = (open_inside(spec) for spec in wanted)
        layers = options.layers or range(len(anatomy(a.module).layers))
        addresses = tuple(f"{site}.{layer}" for site in options.sites for layer in layers)
        spec = ReadSpec(
            options.text,
            addresses,
            options.context,
            options.column,
            options.sink_multiple,
            seed=options.seed,
        )
        make_chats(a, options.text, options.seed, watch)
        found = compare(a, b, spec, options.tokens, saes, lambda what, share: watch.bar(what, share))
        weights = weight_changes(a, b, options.spectra, lambda i, n: watch.bar("weights", i / n))
    value = {
        "a": {"model": options.model_a, "fingerprint": a.fingerprint},
        "b": {"model": options.model_b, "fingerprint": b.fingerprint},
        "read": {
            "text": list(options.text),
            "tokens": found.tokens,
            found.clusters: found.texts,
            "sinks": found.sinks,
            "sha256": found.data,
        },
        "seed": options.seed,
        "layers": list(found.layers),
        "next_token": found.next_token,
        "features": list(found.features),
        "crossed": list(found.crossed),
        "weights": list(weights),
        "parameters": len(dict(a.module.named_parameters())),
    }
    facts = (
        ("A", f"{options.model_a} ({a.fingerprint[:12]})"),
        ("B", f"{options.model_b} ({b.fingerprint[:12]})"),
        ("precision", str(a.dtype).removeprefix("torch.")),
        ("text", ", ".join(options.text)),
        (
            "read",
            f"{found.tokens:,} tokens of {found.texts:,} {found.clusters}, {found.sinks:,} sinks left out",
        ),
        ("seed", str(options.seed)),
    )
    write_json(options.out / "diff.json", value)
    kept = _keep(options, a, b, found)
    write_diff_page(options.out / "diff.html", found, weights, value["parameters"], facts, links)
    show(
        value,
        options.json,
        table(LAYERS, layer_rows(found.layers)),
        table(WEIGHTS, weight_rows(weights[:8])),
        verdict(found, weights, value["parameters"]),
        f"Page: {options.out / 'diff.html'}{kept}",
    )
    return 0


def _links(options: Options, saes: list[Any]) -> list[Any]:
    """For each autoencoder of one model, where a feature's page lies, if a folder of pages shows it."""
    from molehunt.interp.feature_fill import sae_hash
    from molehunt.verbs._features_page import autoencoder_of, links_to

    if not options.pages:
        return []
    hashes, sites = [sae_hash(s.sae) for s in saes if not s.against], {}
    for site in options.pages:
        sites[autoencoder_of(site)] = site
        if autoencoder_of(site) not in hashes:
            raise UserError(f"The pages in {site} are of none of the autoencoders given with --sae.")
    page = options.out / "diff.html"
    return [links_to(sites[h], h, page) if h in sites else None for h in hashes]


def _keep(options: Options, a: Any, b: Any, found: Any) -> str:
    """Write the mean differences where `steer` can use them; says where, or nothing where there is none."""
    import numpy as np

    from molehunt.interp.diff import most_moved
    from molehunt.interp.direction_file import Directions, Made, save_directions

    rows = [
        i for i, m in enumerate(found.layers) if not m.address.startswith("head_out") and m.norm.value > 0
    ]
    if not rows:
        return ""
    made = Made(
        name=f"{options.model_b} less {options.model_a}"[:200],
        kind="difference",
        chosen=most_moved([found.layers[i] for i in rows]).address,
        addresses=tuple(found.layers[i].address for i in rows),
        model=options.model_a,
        fingerprints=(a.fingerprint, b.fingerprint),
        dtype=str(a.dtype).removeprefix("torch."),
        data=found.data,
        rows=found.tokens,
        seed=options.seed,
        toward=options.model_b[:200],
        away=options.model_a[:200],
    )
    vectors, middles = (np.stack([part[i] for i in rows]) for part in (found.vectors, found.middles))
    path = options.out / "difference.safetensors"
    save_directions(path, Directions(vectors.astype(np.float32), middles.astype(np.float32), made))
    return f". A direction for `molehunt steer`: {path}"
