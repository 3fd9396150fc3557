"""Labels features in words, and scores the labels: by counting, or by any reader model.

Without --reader the statistical labeller says which words and contexts set a feature's stretches apart from
near misses; it needs no model. --reader takes PROVIDER/MODEL as Inspect writes it, or local:NAME. Every
label is scored by detection and fuzzing on documents that it was not made from, and with --output by what
the feature raises when it is added. --dry-run says what it would cost. Writes `labels.jsonl` and
`label.json`; goes on where it stopped, and asks nothing twice.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

from tyro.conf import Positional

from molehunt.core.alone import alone
from molehunt.core.errors import UserError
from molehunt.game.watch import watching
from molehunt.verbs._screen import show

STOPPED = "Stopped; whole labels and answers are kept: run the same command again to go on."
SAMPLE = 5
"""Features whose cost is reckoned, and taken for all."""
LETTERS = 4
"""Characters that a token of a question is taken to hold."""


@dataclass(frozen=True)
class Options:
    """Which features, by whom."""

    store: Positional[Path]
    """A store that `molehunt features build` made."""
    out: Positional[Path]
    """Folder for labels.jsonl and label.json."""
    reader: str = "statistics"
    """statistics, PROVIDER/MODEL as Inspect writes it, or local:NAME."""
    lineage: Path | None = None
    """A lineage's folder (`molehunt gate`): a local:NAME reads only where that lineage lets it judge. Not
    named, runs/lineage is asked where there is one."""
    ungated: bool = False
    """Ask no lineage."""
    features: tuple[int, ...] = ()
    """Which features; all that fire where none are named, those that fire most often first."""
    most: int = 0
    """At most so many of them; 0 for all."""
    learn: int = 40
    """Stretches of each kind, firing and near misses, that a label is made from."""
    test: int = 25
    """Stretches of each kind that it is tested on."""
    others: int = 50
    """Features that are also scored with another feature's label, as a null."""
    parallel: int = 16
    """Questions to a reader in flight at once."""
    price_in: float = 0.0
    """What a million tokens of questions cost; only for the estimate."""
    price_out: float = 0.0
    """What a million tokens of answers cost."""
    dry_run: bool = False
    """Say what it would cost, and stop."""
    output: bool = False
    """Also add each feature while the model reads, and see whether labels pick out what that raises."""
    model: str = ""
    """With --output: the model; the one that the autoencoder was trained on unless said."""
    revision: str | None = None
    """With --output: commit, tag or branch of a Hugging Face id."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """With --output: precision of the model."""
    pages: Path | None = None
    """Folder of `features pages` of this autoencoder, to which features on the page then lead."""
    seed: int = 0
    """Draws near misses and shuffles what is asked."""
    json: bool = False
    """Print the results as JSON."""


def run(options: Options) -> int:
    """Reckon, label, score, show."""
    from molehunt.character.allowed import UNGATED, allowed, lineage_of
    from molehunt.core.atomic import write_json
    from molehunt.interp.feature_words import read_words
    from molehunt.interp.features import open_features
    from molehunt.interp.label_cases import Ground
    from molehunt.interp.labels import STATISTICS, Plan, make_labels
    from molehunt.models.readers import LocalReader, Remembered, open_reader
    from molehunt.verbs._features_page import links_to
    from molehunt.verbs._label_said import said, summary, write_label_page

    if min(options.learn, options.test) < 3 or options.others < 0 or options.most < 0 or options.parallel < 1:
        raise UserError(
            "--learn and --test should be at least 3, --parallel at least 1, --others and --most 0 or more."
        )
    home = lineage_of(options.lineage, options.ungated)
    store = open_features(options.store)
    ground = Ground(store, read_words(options.store, store.features))
    chosen = _chosen(options, store)
    link = None
    if options.pages is not None:
        coder = str(store.provenance.get("autoencoder", ""))
        link = links_to(options.pages, coder, options.out / "label.html")
    plan = Plan(options.learn, options.test, options.others, options.seed)
    asks = options.reader != STATISTICS
    cost = _cost(options, ground, chosen, plan, asks)
    if options.dry_run:
        show(cost, options.json, *_cost_said(cost))
        return 0
    reader = open_reader(options.reader, options.parallel) if asks else None
    if isinstance(reader, LocalReader):
        allowed(reader.model, home)
    with alone(options.out), watching() as watch:
        _begin(options, store, plan, reader)
        if reader is not None:
            reader = Remembered(reader, options.out / "answers.jsonl")
            watch.say(_cost_said(cost)[0])
        found = make_labels(
            ground,
            chosen,
            options.out / "labels.jsonl",
            plan,
            reader,
            lambda a, b: watch.bar("labelling", a / b, f"{a:,} of {b:,}"),
        )
        steered: dict[str, Any] = {}
        if options.output:
            found, steered = _output(options, ground, found, reader, watch)
        value = {
            "reader": options.reader,
            "plan": plan,
            "cost": cost,
            **_totals(summary(found, options.seed), steered),
        }
        write_json(options.out / "label.json", value)
        write_label_page(options.out / "label.html", found, value, link)
    show(
        {**value, "labels": list(found)},
        options.json,
        *said(found, value),
        *([UNGATED] if options.ungated and asks else []),
        f"Page: {options.out / 'label.html'}",
    )
    return 0


def _chosen(options: Options, store: Any) -> list[int]:
    counts = store.counts()
    if options.features:
        for feature in options.features:
            store.span(feature)  # refuses what is not there
        every = list(dict.fromkeys(options.features))
    else:
        every = sorted((f for f in range(store.features) if counts[f]), key=lambda f: (-counts[f], f))
    if not every:
        raise UserError(f"No feature of {options.store} ever fires; there is nothing to label.")
    return every[: options.most or None]


def _cost(options: Options, ground: Any, chosen: Sequence[int], plan: Any, asks: bool) -> dict[str, Any]:
    """What labelling costs, from a few features: questions and tokens, or seconds of counting."""
    from molehunt.interp.label_output import questions_more
    from molehunt.interp.label_statistics import rule_of
    from molehunt.interp.labels import questions_of

    sample = chosen[:: max(1, len(chosen) // SAMPLE)][:SAMPLE]
    scale = len(chosen) / len(sample)
    if not asks:
        begin = perf_counter()
        for feature in sample:
            rule_of(ground.cases(feature, plan.learn, plan.test, seed=plan.seed).learn)
        # Scoring takes about as long as learning.
        seconds = 2 * scale * (perf_counter() - begin)
        return {"features": len(chosen), "questions": 0, "minutes": round(seconds / 60, 2)}
    asked = [q for feature in sample for q in questions_of(ground, feature, plan)]
    crossed = 1 + min(plan.others, len(chosen)) / len(chosen) / 2
    tokens_in = scale * crossed * sum(len(text) / LETTERS for text, _ in asked)
    tokens_out = scale * crossed * sum(longest for _, longest in asked)
    more, letters, longest = questions_more(len(chosen)) if options.output else (0, 0, 0)
    tokens_in, tokens_out = tokens_in + more * letters / LETTERS, tokens_out + more * longest
    if min(options.price_in, options.price_out) < 0:
        raise UserError("--price-in and --price-out are prices; they should be 0 or more.")
    price = (tokens_in * options.price_in + tokens_out * options.price_out) / 1e6
    return {
        "features": len(chosen),
        "questions": round(scale * crossed * len(asked)) + more,
        "tokens_in": round(tokens_in),
        "tokens_out_most": round(tokens_out),
        "price_most": round(price, 2) if options.price_in or options.price_out else None,
    }


def _cost_said(cost: dict[str, Any]) -> list[str]:
    if not cost["questions"]:
        return [f"{cost['features']:,} features, no questions to anyone; {_minutes(cost['minutes'])}."]
    price = "" if cost["price_most"] is None else f", at most {cost['price_most']:g} by the prices given"
    return [
        f"{cost['features']:,} features, about {cost['questions']:,} questions, {cost['tokens_in']:,} tokens "
        f"of questions and at most {cost['tokens_out_most']:,} of answers{price}."
    ]


def _minutes(minutes: float) -> str:
    return "less than a minute" if minutes < 1 else f"about {minutes:.0f} minutes"


def _begin(options: Options, store: Any, plan: Any, reader: Any) -> None:
    """Note what is labelled; refuse a folder that was begun with something else."""
    from molehunt.core.atomic import canonical, read_json, write_json
    from molehunt.core.errors import RunMismatch

    said = {"plan": asdict(plan), "reader": reader.name if reader else options.reader}
    said |= {"store": dict(store.provenance), "read": store.read}
    path = options.out / "plan.json"
    if path.is_file():
        if canonical(read_json(path)) != canonical(said):
            raise RunMismatch(
                f"{options.out} was begun with another store, reader or plan; choose another folder, or give "
                "the same command."
            )
        return
    if options.out.exists() and (not options.out.is_dir() or any(options.out.iterdir())):
        raise UserError(f"{options.out} is not empty and holds no labels; give a new folder.")
    write_json(path, said)


def _output(
    options: Options, ground: Any, found: Sequence[Any], reader: Any, watch: Any
) -> tuple[Sequence[Any], dict[str, Any]]:
    """The labels with how well each picks out what its feature raises, and the summary of that.

    Scores that a label did not have yet are appended to `labels.jsonl`, where the later line counts.
    """
    from molehunt.core.growing import append_lines
    from molehunt.interp.label_output import TIMES, choices, choose, output_scores, raised
    from molehunt.interp.sae_files import load_sae
    from molehunt.models.loaded import ModelSpec
    from molehunt.verbs._inside import open_inside

    store = ground.store
    name = options.model or store.provenance.get("model_id") or "default"
    model = open_inside(ModelSpec(name, options.revision, dtype=options.dtype), "edit")
    saved = load_sae(options.store / "sae", model)
    tops = {x.feature: store.top(x.feature, 1, 0).values for x in found if isinstance(x.words, str)}
    rows = saved.sae.decoder.detach()
    vectors = {f: TIMES * float(top[0]) * rows[f] for f, top in tops.items()}
    lists = raised(
        model,
        vectors,
        saved.address,
        ground.words.piece,
        options.out / "raised.jsonl",
        lambda a, b: watch.bar("adding", a / b),
    )
    made = choices(lists, options.seed)
    picked = choose(found, made, reader)
    scores, every = output_scores(picked)
    scored = [replace(x, output=scores.get(x.feature, x.output)) for x in found]
    append_lines(options.out / "labels.jsonl", [x for x, old in zip(scored, found, strict=True) if x != old])
    value: dict[str, Any] = {"output": every, "outputs": {str(f): m for f, m in scores.items()}}
    if reader is not None:
        value["output_counted"] = output_scores(choose(found, made))[1]
        value |= {"asked": picked.asked, "unanswered": picked.unanswered, "failed": picked.failed}
    return scored, value


def _totals(value: dict[str, Any], steered: dict[str, Any]) -> dict[str, Any]:
    """Both summaries in one; questions that both asked are added up."""
    both = {n: value[n] + steered.get(n, 0) for n in ("asked", "unanswered", "failed")}
    return value | steered | both
