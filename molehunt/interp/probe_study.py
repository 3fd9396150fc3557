"""Train probes over layers, choose on validation alone, and measure what they are worth elsewhere.

1. For each kind of probe, fit at every address on training rows; logistic regression tries several
   penalties. The (address, penalty) with the highest AUROC on *validation* is kept, ties to the earlier
   layer and the stronger penalty. Platt's sigmoid is fitted there too. No test row takes part.
2. On the test set, on each shifted set, and on each once more without texts that hold tell-tale words:
   AUROC, recall at 1% false positives, calibration error, and the AUROC of a bag of words.
3. The null: training labels are shuffled between rows (`SHUFFLES` times), the probe is fitted again at
   the kept place, and its AUROC on the real test labels shows what no knowledge gets.

What this cannot tell you: which layer is *really* best. With few validation rows neighbouring layers
differ by luck, and the winner's own validation figure flatters; read the test's. Nor how the probe does
on a shift that no test set holds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from molehunt.core import stats
from molehunt.core.errors import UnknownName, UserError
from molehunt.core.records import Measure, NotMeasured
from molehunt.interp.labelled import TEST, TRAIN, VALIDATE, Example, examples_hash
from molehunt.interp.platt import calibration_error, platt
from molehunt.interp.pooled import pooled, read_on
from molehunt.interp.probe_file import KeptProbe, Provenance
from molehunt.interp.probes import KINDS, PENALTIES, auroc, fit
from molehunt.interp.telltale import BagOfWords, bag_of_words, tell_tales, without
from molehunt.models.loaded import Model

SHUFFLES = 20
FEW_FALSE = 0.01
"""The share of false positives at which recall is read."""


@dataclass(frozen=True)
class Swept:
    """One place that was tried."""

    kind: str
    address: str
    penalty: float
    validation: float
    """AUROC."""


@dataclass(frozen=True)
class Result:
    """What a probe is worth on one set of examples."""

    kind: str
    where: str
    filtered: bool
    """Whether texts with tell-tale words are left out."""
    dropped: int
    auroc: Measure | NotMeasured
    recall: Measure | NotMeasured
    calibration: Measure | NotMeasured
    bag_of_words: Measure | NotMeasured


@dataclass(frozen=True, eq=False)
class Study:
    """All that one training gave."""

    kept: Mapping[str, KeptProbe]
    swept: tuple[Swept, ...]
    results: tuple[Result, ...]
    null: Mapping[str, Measure | NotMeasured]
    """By kind: mean AUROC of probes on shuffled labels, with the 2.5 and 97.5 percentiles."""


def study(
    model: Model,
    examples: Sequence[Example],
    kinds: Sequence[str],
    addresses: Sequence[str],
    pool: str = "last",
    seed: int = 0,
    progress: Callable[[str, float], None] = lambda what, share: None,
    keep: Path | None = None,
) -> Study:
    """Train and measure.

    Args:
        keep: folder for what is read, so that a killed training need not read it again.

    Raises:
        UnknownName: no such kind.
        UserError: training or validation lacks a label, or an example cannot be read by the model.
        RunMismatch, BadFile: what lies in `keep` is of something else, or damaged.
    """
    _checked(examples, kinds, addresses)

    def reading(done: int, total: int) -> None:
        progress("reading", done / total)

    if keep is None:
        values = pooled(model, examples, addresses, pool, reading)
    else:
        values = read_on(model, examples, addresses, pool, keep, reading)
    return study_of(model, values, examples, kinds, addresses, pool, seed, progress)


def study_of(
    model: Model,
    values: np.ndarray,
    examples: Sequence[Example],
    kinds: Sequence[str],
    addresses: Sequence[str],
    pool: str = "last",
    seed: int = 0,
    progress: Callable[[str, float], None] = lambda what, share: None,
) -> Study:
    """As `study`, from activations [layers, n, d] that were read already, `addresses` naming the layers.

    Rows may come from several models of one shape: what was read in one liar tries a probe of others.
    `model` is whose fingerprint the probes carry.

    Raises:
        UnknownName: no such kind.
        UserError: training or validation lacks a label.
    """
    parts = _checked(examples, kinds, addresses)
    labels = np.array([e.label for e in examples])
    train, held = np.array(parts[TRAIN]), np.array(parts[VALIDATE])
    texts, truth = [examples[i].text for i in train], [examples[i].label for i in train]
    bag, tales = bag_of_words(texts, truth), tell_tales(texts, truth)
    kept: dict[str, KeptProbe] = {}
    swept: list[Swept] = []
    results: list[Result] = []
    null: dict[str, Measure | NotMeasured] = {}
    for number, kind in enumerate(kinds):
        progress("fitting", number / len(kinds))
        tried = sweep(kind, values, labels, train, held, addresses)
        best = max(tried, key=lambda s: s.validation)
        layer = list(addresses).index(best.address)
        probe = fit(kind, values[layer][train], labels[train], best.penalty)
        sigmoid = platt(probe.score(values[layer][held]), labels[held])
        made = Provenance(
            kind=kind,
            address=best.address,
            pool=pool,
            model=model.spec.id,
            fingerprint=model.fingerprint,
            dtype=str(model.dtype).removeprefix("torch."),
            data=examples_hash(examples),
            rows=len(train),
            seed=seed,
            penalty=best.penalty,
            slope=sigmoid.slope,
            offset=sigmoid.offset,
            words=bag.words,
            tell_tales=tales,
        )
        kept[kind] = KeptProbe(probe, bag, made)
        swept += tried
        results += measure(kept[kind], values[layer], examples, seed)
        null[kind] = shuffled(kind, best.penalty, values[layer], examples, seed)
    progress("fitting", 1.0)
    return Study(kept, tuple(swept), tuple(results), null)


def _checked(
    examples: Sequence[Example], kinds: Sequence[str], addresses: Sequence[str]
) -> dict[str, list[int]]:
    """Rows of training and validation, if everything that is needed is there."""
    if not kinds or not addresses:
        raise UserError("Name at least one kind of probe and one layer.")
    for kind in kinds:
        if kind not in KINDS:
            raise UnknownName("probe", kind, KINDS)
    parts = {s: [i for i, e in enumerate(examples) if e.split == s] for s in (TRAIN, VALIDATE)}
    for split, rows in parts.items():
        if len({examples[i].label for i in rows}) < 2:
            raise UserError(
                f"The split {split!r} has {len(rows)} examples and not both labels; give more examples, or "
                "name splits train, validate and test in the file."
            )
    return parts


def sweep(
    kind: str,
    values: np.ndarray,
    labels: np.ndarray,
    train: np.ndarray,
    held: np.ndarray,
    addresses: Sequence[str],
) -> list[Swept]:
    """Every address with its best penalty, by AUROC on the validation rows `held`."""
    found = []
    for layer, address in enumerate(addresses):
        tried = []
        for penalty in PENALTIES if kind == "logistic" else (0.0,):
            probe = fit(kind, values[layer][train], labels[train], penalty)
            score = auroc(probe.score(values[layer][held]), labels[held])
            tried.append(Swept(kind, address, penalty, score))
        found.append(max(tried, key=lambda s: s.validation))
    return found


def measure(kept: KeptProbe, values: np.ndarray, examples: Sequence[Example], seed: int = 0) -> list[Result]:
    """Results on the test set and on every shifted set, whole and without tell-tale words.

    `values` [n, d] are the examples' activations at the probe's address.
    """
    found = []
    names = {e.split for e in examples} - {TRAIN, VALIDATE}
    clean = without([e.text for e in examples], kept.made.tell_tales)
    for name in sorted(names, key=lambda n: (n != TEST, n)):
        rows = np.array([i for i, e in enumerate(examples) if e.split == name])
        found.append(_result(kept, values, examples, rows, name, None, seed))
        left = rows[clean[rows]]
        found.append(_result(kept, values, examples, left, name, len(rows) - len(left), seed))
    return found


def shuffled(
    kind: str, penalty: float, values: np.ndarray, examples: Sequence[Example], seed: int
) -> Measure | NotMeasured:
    """AUROC on the test set of probes that were fitted to shuffled training labels."""
    train = [i for i, e in enumerate(examples) if e.split == TRAIN]
    test = [i for i, e in enumerate(examples) if e.split == TEST]
    truth = np.array([examples[i].label for i in test])
    if not len(truth) or truth.all() or not truth.any():
        return NotMeasured("the test set does not hold both labels")
    random = np.random.default_rng(seed)
    labels = np.array([examples[i].label for i in train])
    found = [
        auroc(fit(kind, values[train], random.permutation(labels), penalty).score(values[test]), truth)
        for _ in range(SHUFFLES)
    ]
    low, high = np.quantile(found, [0.025, 0.975])
    how = f"mean and 2.5 to 97.5 percentiles of {SHUFFLES} probes on shuffled training labels"
    return Measure(float(np.mean(found)), "AUROC", len(test), how, float(low), float(high))


def _result(
    kept: KeptProbe,
    values: np.ndarray,
    examples: Sequence[Example],
    rows: np.ndarray,
    name: str,
    dropped: int | None,
    seed: int,
) -> Result:
    some = [examples[i] for i in rows]
    truth, groups = [e.label for e in some], [e.group for e in some]
    if not some:
        nothing = NotMeasured("every example holds a tell-tale word")
        return Result(kept.made.kind, name, True, dropped or 0, nothing, nothing, nothing, nothing)
    scores = kept.probe.score(values[rows])
    return Result(
        kind=kept.made.kind,
        where=name,
        filtered=dropped is not None,
        dropped=dropped or 0,
        auroc=stats.auroc(scores.tolist(), truth, groups, seed=seed),
        recall=recall(scores, truth, groups, seed),
        calibration=calibration_error(kept.platt.probability(scores), np.array(truth), groups, seed),
        bag_of_words=_of_words(kept.bag, some, truth, groups, seed),
    )


def _of_words(
    bag: BagOfWords, some: Sequence[Example], truth: list[bool], groups: list[str], seed: int
) -> Measure | NotMeasured:
    found = stats.auroc(bag.score([e.text for e in some]).tolist(), truth, groups, seed=seed)
    return found if isinstance(found, NotMeasured) else replace(found, how=f"bag of words; {found.how}")


def recall(
    scores: np.ndarray, truth: Sequence[bool], groups: Sequence[str], seed: int = 0
) -> Measure | NotMeasured:
    """Share of label 1 above the score that at most 1% of label 0 exceed (100 of these are needed)."""
    positive = np.asarray(truth, dtype=bool)
    negatives = np.sort(scores[~positive])
    if len(negatives) * FEW_FALSE < 1 or not positive.any():
        return NotMeasured(f"recall at 1% false positives needs 100 of label 0; there are {len(negatives)}")
    bar = negatives[len(negatives) - 1 - int(len(negatives) * FEW_FALSE)]
    hits = (scores[positive] > bar).tolist()
    clusters = [g for g, t in zip(groups, positive, strict=True) if t]
    return stats.proportion(hits, clusters, how="recall at 1% false positives, bar held fixed", seed=seed)
