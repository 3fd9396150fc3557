"""What `molehunt features pages` writes: `index.html` and `feature/NUMBER.html`; goes on where it stopped."""

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from math import ceil
from pathlib import Path
from typing import Any
from urllib.parse import quote

from molehunt.core.atomic import canonical, read_json, write_bytes, write_json
from molehunt.core.errors import BadFile, UserError
from molehunt.core.records import Measure, NotMeasured
from molehunt.report import words as wording
from molehunt.report.site import FeaturePage, Instance, Row, Run, histogram, render_feature, render_index
from molehunt.verbs._feature_text import named

PLAN = "pages.json"
CANNOT = (
    "What a feature means. Its highest examples alone mislead; read those in the middle of the range too.",
    "What a feature does: where it fires is not what it causes. Logits leave out all later layers.",
    "That a label is right. A detection score says how well it tells where the feature fires; 0.5 is chance.",
    "Anything of text that was not read, of first positions and sinks, and of what the autoencoder missed.",
)
LABELLED = {
    "detection": "Detection",
    "counted_detection": "Counting's detection on the same stretches",
    "fuzzing": "Fuzzing",
    "counted_fuzzing": "Counting's fuzzing on the same stretches",
    "other": "Detection with another feature's label",
    "output": "Picks out what adding the feature raises (chance 1/3)",
}


def write_pages(
    out: Path,
    store: Any,
    words: Any,
    labels: Mapping[int, Any],
    examples: int,
    progress: Callable[[int, int], None],
) -> None:
    """Every page that does not stand there yet, then the index.

    Raises:
        UserError: the folder holds other things.
    """
    from molehunt.interp.feature_card import card

    key = canonical([store.provenance, store.read, examples, sorted(labels.items())])
    _begin(out, key, str(store.provenance.get("autoencoder", "")))
    what = {f: named(words, f, dict(labels)) for f in range(store.features)}
    rows = []
    counts = store.counts()
    for feature in range(store.features):
        path = out / "feature" / f"{feature}.html"
        if not path.is_file():
            found = card(store, words, feature, examples)
            page = feature_page(found, labels.get(feature), what, store.features)
            write_bytes(path, render_feature(page).encode())
        top = store.top(feature, 1, 0).values
        label = labels.get(feature)
        score = label.detection if label is not None else None
        rows.append(
            Row(
                feature,
                int(counts[feature]),
                _share(int(counts[feature]), store.read),
                round(float(top[0]), 3) if len(top) else 0.0,
                what[feature],
                round(score.value, 3) if isinstance(score, Measure) else None,
            )
        )
        progress(feature + 1, store.features)
    where = f"{store.provenance.get('model_id') or 'a model'} at {store.provenance.get('address', '?')}"
    summary = (
        f"{store.features:,} features of {where}, {store.read:,} tokens read, "
        f"{int((counts == 0).sum()):,} features silent."
    )
    write_bytes(out / "index.html", render_index("Features", summary, rows, CANNOT).encode())


def autoencoder_of(site: Path) -> str:
    """SHA-256 of the autoencoder whose features a folder of pages shows.

    Raises:
        BadFile: there are no pages there.
        UserError: they were written before pages said it.
    """
    if not (site / "index.html").is_file():
        raise BadFile(f"There are no pages of features in {site}; write some with `molehunt features pages`.")
    found = _plan(site).get("autoencoder")
    if not isinstance(found, str) or not found:
        raise UserError(f"The pages in {site} do not say of which autoencoder they are; write them again.")
    return found


def links_to(site: Path, autoencoder: str, page: Path) -> Callable[[int], str]:
    """By feature, where its page lies as seen from `page`.

    Raises:
        BadFile, UserError: as `autoencoder_of`, or the pages are of another autoencoder.
    """
    if (found := autoencoder_of(site)) != autoencoder:
        raise UserError(
            f"The pages in {site} are of another autoencoder ({found[:12]}, not {autoencoder[:12]}); give "
            "the pages of the one whose numbers stand here."
        )
    way = quote(Path(os.path.relpath(site.resolve(), page.resolve().parent)).as_posix())
    return lambda feature: f"{way}/feature/{feature}.html"


def feature_page(card: Any, label: Any, what: Mapping[int, str], features: int) -> FeaturePage:
    """A card as its page."""
    some = min(card.count, len(card.examples))
    return FeaturePage(
        card.feature,
        card.feature - 1 if card.feature else None,
        card.feature + 1 if card.feature + 1 < features else None,
        _label(label, what[card.feature]),
        _scores(label),
        f"Fires at {card.count:,} of {card.read:,} tokens ({_share(card.count, card.read)}); highest "
        f"{wording.number(card.highest)}.",
        histogram(card.counts, card.edges, f"f{card.feature}") if card.count else None,
        tuple((_line(r.token), _signed(r.by)) for r in card.raised),
        tuple((_line(r.token), _signed(r.by)) for r in card.lowered),
        tuple((n.feature, f"{n.cosine:.2f}", what[n.feature]) for n in card.near),
        f"{some:,} of {card.count:,} places, over the whole range from the highest down."
        if some
        else "Nowhere.",
        tuple(_instance(e, card.highest) for e in card.examples),
    )


def _instance(example: Any, highest: float) -> Instance:
    runs: list[Run] = []
    silent = ""
    for i, (piece, value) in enumerate(zip(example.pieces, example.values, strict=True)):
        if value <= 0 and i != example.at:
            silent += _line(piece)
            continue
        if silent:
            runs.append(Run(silent))
        level = max(1, min(10, ceil(10 * value / highest))) if highest > 0 else 1
        runs.append(Run(_line(piece), level, wording.number(value), i == example.at))
        silent = ""
    if silent:
        runs.append(Run(silent))
    return Instance(wording.number(example.value), tuple(runs))


def _begin(out: Path, what: bytes, autoencoder: str) -> None:
    """Pages of something else are taken away; a folder that holds other things is left alone."""
    plan = {"key": hashlib.sha256(what).hexdigest(), "autoencoder": autoencoder}
    if not (out / PLAN).is_file():
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise UserError(f"{out} is not empty and holds no pages of features; give a new folder.")
    elif _plan(out).get("key") != plan["key"]:
        shutil.rmtree(out / "feature", ignore_errors=True)
    write_json(out / PLAN, plan)


def _plan(site: Path) -> dict[str, Any]:
    found = read_json(site / PLAN)
    return found if isinstance(found, dict) else {}


def _label(label: Any, otherwise: str) -> str:
    if label is None:
        return otherwise[:1].upper() + otherwise[1:]
    if isinstance(label.words, NotMeasured):
        return f"No label: {wording.brief(label.words.reason)}."
    return wording.brief(label.words)


def _scores(label: Any) -> tuple[str, ...]:
    if label is None:
        return ()
    found = [(LABELLED[name], getattr(label, name)) for name in LABELLED]
    told = [f"{name}: {wording.said(m)}" for name, m in found if isinstance(m, Measure)]
    return (f"Label by {wording.brief(label.by, 80)}. {'; '.join(told)}.",) if told else ()


def _share(count: int, read: int) -> str:
    return f"{count / max(1, read):.3%}"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _line(piece: str) -> str:
    return piece.replace("\r\n", "↵").replace("\n", "↵").replace("\t", "→")
