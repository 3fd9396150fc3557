"""Builds stores of what an autoencoder's features do, shows features, searches them, writes pages of them.

`build STORE` fills a store from an autoencoder (--sae) and a capture (--source) or text that the model
reads (--text). `show STORE --feature N` prints one feature. `search STORE` finds features by --match TEXT
(what fires where these words stand), --example TEXT (what fires in a text of yours), or --one A --other B
(what tells two sets of documents apart, held against dealt labels). `pages STORE --out FOLDER` writes a
page a feature and an index with a search.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from molehunt.core.alone import alone
from molehunt.core.errors import UserError
from molehunt.game.watch import watching
from molehunt.verbs._chats import make_chats
from molehunt.verbs._features_open import labels_of, model_and_sae, model_of, tokenizer_of
from molehunt.verbs._screen import show, table

STOPPED = "Stopped; what was saved is kept: run the same command again to go on."


@dataclass(frozen=True)
class Options:
    """What is done with which store."""

    what: Positional[Literal["build", "show", "search", "pages"]]
    """build makes STORE; show, search and pages read it."""
    store: Positional[Path]
    """Folder of the store."""
    sae: Path | None = None
    """Build: an autoencoder's folder, as `molehunt sae` writes it."""
    source: Path | None = None
    """Build: a finished capture; without one the model reads --text."""
    text: tuple[str, ...] = ("builtin",)
    """Build: what is read: builtin[:train|:test|:chats], files, run folders, hf:NAME[#CONFIG][:SPLIT]."""
    column: str = ""
    """Column of a dataset that holds text or messages, where it is called neither."""
    tokens: int = 200_000
    """Build: rows to read, where the model reads."""
    context: int = 256
    """Longest stretch that the model reads at once, in tokens."""
    feature: int | None = None
    """Show: which feature."""
    examples: int = 20
    """Show and pages: examples over the whole range of values; thousands are no trouble for show."""
    labels: Path | None = None
    """Show, search and pages: labels.jsonl of `molehunt label`, or its folder."""
    match: str = ""
    """Search: words; finds what fires where they stand."""
    example: str = ""
    """Search: a text; finds what fires in it and is rare elsewhere."""
    one: tuple[str, ...] = ()
    """Search: a set of documents (files, run folders; of a .txt file each line), against --other."""
    other: tuple[str, ...] = ()
    """Search: the set that --one is held against."""
    deals: int = 1000
    """Search: how often the sets' labels are dealt anew."""
    most: int = 20
    """Search: features that are listed."""
    out: Path | None = None
    """Pages: folder for the pages."""
    model: str = ""
    """Model where one is needed; the one that the autoencoder was trained on unless said."""
    revision: str | None = None
    """Commit, tag or branch of a Hugging Face id."""
    adapter: str | None = None
    """Folder of an adapter that is merged into the model first."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Precision of the model."""
    seed: int = 0
    """Orders built-in text, and seeds the dealing of labels."""
    json: bool = False
    """Print what came out as JSON."""


def run(options: Options) -> int:
    """Do it, and show what came out."""
    if options.examples < 1 or options.most < 1:
        raise UserError("--examples and --most should be at least 1.")
    steps = {"build": _build, "show": _show, "search": _search, "pages": _pages}
    return steps[options.what](options)


def _build(options: Options) -> int:
    from molehunt.interp.capture import open_capture
    from molehunt.interp.feature_fill import CaptureSource, LiveSource, fill
    from molehunt.interp.feature_words import write_words
    from molehunt.interp.reading import Reader, ReadSpec
    from molehunt.interp.sae_files import load_sae, save_sae

    if options.sae is None:
        raise UserError("`features build` needs --sae FOLDER, an autoencoder as `molehunt sae` writes it.")
    if options.tokens < 1:
        raise UserError("--tokens should be at least 1.")
    saved = load_sae(options.sae)
    held = open_capture(options.source) if options.source else None
    with alone(options.store), watching() as watch:
        model = model_of(options, saved.model_id)
        saved = load_sae(options.sae, model)
        if held is not None:
            source = CaptureSource(held, saved.address)
        else:
            make_chats(model, options.text, options.seed, watch)
            at = (saved.address,)
            spec = ReadSpec(options.text, at, options.context, options.column, seed=options.seed)
            source = LiveSource(Reader(model, spec), options.tokens)

        def beside(half: Path) -> None:
            save_sae(half / "sae", saved)
            model.tokenizer.save_pretrained(half / "tokenizer")
            write_words(
                half, model, saved.sae.decoder, saved.address, lambda a, b: watch.bar("logits", a / b)
            )

        store = fill(
            options.store,
            saved,
            source,
            device=str(model.device),
            beside=beside,
            progress=lambda a, b: watch.bar("reading", min(1.0, a / b), f"{a:,} tokens"),
        )
        watch.bar("reading", 1.0, f"{store.read:,} tokens")  # the text may end before
    counts = store.counts()
    value = {
        "folder": str(options.store),
        "features": store.features,
        "dead": int((counts == 0).sum()),
        "tokens": len(store.arrays["tokens"]),
        "read": store.read,
        "entries": int(counts.sum()),
        "address": saved.address,
        "model": saved.model,
    }
    show(
        value,
        options.json,
        f"{value['entries']:,} activations of {store.features:,} features at {store.read:,} tokens in "
        f"{options.store}; {value['dead']:,} never fired.",
    )
    return 0


def _show(options: Options) -> int:
    from molehunt.interp.feature_card import card
    from molehunt.interp.feature_words import read_words
    from molehunt.interp.features import open_features
    from molehunt.verbs._feature_text import card_text

    if options.feature is None:
        raise UserError("`features show` needs --feature NUMBER.")
    store = open_features(options.store)
    words = read_words(options.store, store.features)
    label = labels_of(options).get(options.feature)
    found = card(store, words, options.feature, options.examples)
    show({"card": found, "label": label}, options.json, *card_text(found, label))
    return 0


def _search(options: Options) -> int:
    ways = [bool(options.match), bool(options.example), bool(options.one or options.other)]
    if sum(ways) != 1:
        raise UserError("Search by one of: --match TEXT, --example TEXT, or --one A --other B.")
    if bool(options.one) != bool(options.other):
        raise UserError("A difference needs both sets: --one and --other.")
    return _difference(options) if ways[2] else _nearest(options)


def _nearest(options: Options) -> int:
    """Features by words in the corpus, or by a text of one's own."""
    from molehunt.interp.feature_search import by_example, by_text, matches
    from molehunt.interp.feature_words import read_words
    from molehunt.interp.features import open_features
    from molehunt.models.prompts import text_ids
    from molehunt.verbs._feature_text import named

    store = open_features(options.store)
    words, labels = read_words(options.store, store.features), labels_of(options)
    if options.match:
        ids = text_ids(tokenizer_of(options), options.match)
        places = len(matches(store, ids))
        found = by_text(store, ids, options.most)
        said = f"These words stand at {places:,} places of {store.read:,} tokens, spelt as tokens like that."
        heads = ["feature", "z", "of matches", "of all", "what"]
    else:
        from molehunt.interp.feature_read import read_features

        with watching():
            model, saved = model_and_sae(options, store)
            ids = [text_ids(model.tokenizer, options.example)]
            limit = store.limits.get(saved.address, float("inf"))
            ((_, spots),) = read_features(model, saved.sae, saved.address, ids, limit, options.context)
        found = by_example(store, spots.feature.tolist(), spots.value.tolist(), options.most)
        said = "" if found else "No feature fires in this text."
        heads = ["feature", "score", "value", "of all", "what"]
    rows = [
        (str(f.feature), f"{f.score:.2f}", f"{f.here:.3g}", f"{f.there:.3g}", named(words, f.feature, labels))
        for f in found
    ]
    show({"found": found}, options.json, *([table(heads, rows)] if rows else []), *([said] if said else []))
    return 0


def _difference(options: Options) -> int:
    from molehunt.interp.feature_read import read_features, read_set
    from molehunt.interp.feature_sets import difference, fires_in
    from molehunt.interp.feature_words import read_words
    from molehunt.interp.features import open_features
    from molehunt.verbs._feature_text import named

    store = open_features(options.store)
    words, labels = read_words(options.store, store.features), labels_of(options)
    with watching() as watch:
        model, saved = model_and_sae(options, store)
        sets = [
            read_set(s, model.tokenizer, options.column, options.seed) for s in (options.one, options.other)
        ]
        limit, total, done = store.limits.get(saved.address, float("inf")), sum(map(len, sets)), 0
        tables = []
        for ids in sets:
            spots = []
            for _, seen in read_features(model, saved.sae, saved.address, ids, limit, options.context):
                spots.append(seen)
                done += 1
                watch.bar("reading", done / total)
            tables.append(fires_in(spots, store.features))
        found = difference(tables[0], tables[1], options.most, options.deals, options.seed)
    rows = [
        (
            str(a.feature),
            f"{a.z:+.2f}",
            f"{a.p:.3f}",
            f"{a.one:.0%}",
            f"{a.other:.0%}",
            named(words, a.feature, labels),
        )
        for a in found.apart
    ]
    said = (
        f"{found.documents[0]} documents against {found.documents[1]}; {found.clear} features with p ≤ 0.05, "
        f"corrected for all. Of {found.deals:,} deals of the labels, one in twenty has a |z| above "
        f"{found.chance:.2f} somewhere."
    )
    show(found, options.json, table(["feature", "z", "p", "one", "other", "what"], rows), said)
    return 0


def _pages(options: Options) -> int:
    from molehunt.interp.feature_words import read_words
    from molehunt.interp.features import open_features
    from molehunt.verbs._features_page import write_pages

    if options.out is None:
        raise UserError("`features pages` needs --out FOLDER.")
    store = open_features(options.store)
    words, labels = read_words(options.store, store.features), labels_of(options)
    with alone(options.out), watching() as watch:
        write_pages(
            options.out, store, words, labels, options.examples, lambda a, b: watch.bar("pages", a / b)
        )
    index = options.out / "index.html"
    show(
        {"index": str(index), "features": store.features},
        options.json,
        f"{store.features:,} pages; begin at {index}.",
    )
    return 0
