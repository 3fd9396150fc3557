"""Numbers against their definitions, intervals against their promise, no number where there is none."""

import unicodedata
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, spearmanr, ttest_1samp
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, log_loss, roc_auc_score

from molehunt.core import stats
from molehunt.core.plain_text import plain
from molehunt.core.ranking import auroc_change
from molehunt.core.record_json import from_json, to_json
from molehunt.core.records import Measure, NotMeasured

PAIRS = st.lists(st.tuples(st.floats(0.01, 0.99), st.booleans()), min_size=2, max_size=30).filter(
    lambda rows: len({t for _, t in rows}) == 2
)


def names(rows) -> list[str]:
    return [str(i) for i in range(len(rows))]


def number(measure) -> Measure:
    assert isinstance(measure, Measure)
    return measure


@settings(max_examples=60, deadline=None)
@given(PAIRS)
def test_scores_are_those_of_scikit_learn(rows):
    p, truth = [a for a, _ in rows], [t for _, t in rows]
    assert number(stats.auroc(p, truth, names(rows))).value == pytest.approx(roc_auc_score(truth, p))
    assert number(stats.brier(p, truth, names(rows))).value == pytest.approx(brier_score_loss(truth, p))
    assert number(stats.log_score(p, truth, names(rows))).value == pytest.approx(
        -log_loss(truth, p, labels=[0, 1])
    )
    said = [a > 0.5 for a in p]
    assert stats.balanced_accuracy(said, truth) == pytest.approx(balanced_accuracy_score(truth, said))


@settings(max_examples=40, deadline=None)
@given(PAIRS)
def test_an_interval_holds_its_value_and_stays_in_range(rows):
    p, truth = [a for a, _ in rows], [t for _, t in rows]
    for measure in (stats.auroc(p, truth, names(rows)), stats.proportion(truth, names(rows), how="x")):
        low, value, high = number(measure).low, number(measure).value, number(measure).high
        assert low is not None and high is not None
        assert 0 <= low <= value + 1e-9 and value <= high + 1e-9 <= 1 + 2e-9


def test_one_class_alone_has_no_auroc_and_nothing_has_no_mean():
    assert isinstance(stats.auroc([0.1, 0.9], [True, True], ["a", "b"]), NotMeasured)
    assert isinstance(stats.balanced_accuracy([True], [True]), NotMeasured)
    assert isinstance(stats.brier([], [], []), NotMeasured)
    assert isinstance(stats.proportion([], [], how="x"), NotMeasured)


def test_a_sure_mistake_costs_a_bounded_log_score():
    assert number(stats.log_score([0.0], [True], ["a"])).value == pytest.approx(np.log(0.001))
    assert "clipped" in number(stats.log_score([0.0], [True], ["a"])).how


def test_the_same_seed_gives_the_same_interval_and_another_seed_nearly_so():
    rng = np.random.default_rng(0)
    values, clusters = list(rng.normal(size=80)), [str(i // 2) for i in range(80)]
    one = number(stats.mean(values, clusters, unit="u", how="h", seed=1))
    assert one == stats.mean(values, clusters, unit="u", how="h", seed=1)
    other = number(stats.mean(values, clusters, unit="u", how="h", seed=2))
    assert one.low != other.low
    # 2,000 resamples place a 2.5% quantile to about a tenth of the standard error (0.11 here).
    assert one.low == pytest.approx(other.low, abs=0.05)


def test_copies_of_an_organism_do_not_narrow_its_interval():
    values = [0.0, 1.0, 0.3, 0.8, 0.1]
    once = number(stats.mean(values, names(values), unit="u", how="h"))
    fourfold = number(stats.mean(values * 4, names(values) * 4, unit="u", how="h"))
    assert (once.low, once.high) == (pytest.approx(fourfold.low), pytest.approx(fourfold.high))


def test_the_bootstrap_covers_the_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(5)
    held = 0
    for i in range(200):
        rows = np.repeat(rng.normal(size=30), 2) + rng.normal(size=60) * 0.3
        m = number(
            stats.mean(list(rows), [str(j // 2) for j in range(60)], unit="u", how="h", seed=i, draws=500)
        )
        held += m.low <= 0 <= m.high
    # 95% nominal, about 93% for 30 clusters; 200 trials have a standard error of 1.8 points.
    assert 0.86 <= held / 200 <= 0.99


@pytest.mark.parametrize("count", [3, 5, 8, 12, 25])
@pytest.mark.parametrize("skewed", [False, True])
def test_few_clusters_cover_the_mean_as_often_as_they_say(count: int, skewed: bool):
    rng = np.random.default_rng(count)
    # A skewness of 1. Two rows a cluster, which share most of what they vary by.
    means = rng.gamma(4, size=(3000, count)) - 4 if skewed else rng.normal(size=(3000, count))
    rows = np.repeat(means, 2, axis=1) + rng.normal(0, 0.2, size=(3000, 2 * count))
    where = [str(i // 2) for i in range(2 * count)]
    found = [number(stats.mean(row, where, unit="u", how="h")) for row in rows]
    # 95% if normal, 93.5% at this skewness; 3,000 trials have a standard error of 0.4 points.
    assert 0.93 <= np.mean([m.low <= 0 <= m.high for m in found]) <= 0.965
    assert "Student" in found[0].how


@pytest.mark.parametrize("count", [3, 5, 8])
def test_few_groups_cover_their_ratio_as_often_as_they_say(count: int):
    rng = np.random.default_rng(count)
    held = 0
    for _ in range(2000):
        theirs = rng.normal(3, 0.4, size=(count, 4))
        ours = 1.1 * theirs + rng.normal(0, 0.3, size=(count, 1)) + rng.normal(0, 0.1, size=(count, 4))
        m = number(stats.ratio_of_means(ours.tolist(), theirs.tolist(), how="h"))
        held += m.low is None or m.low <= 1.1 <= m.high
    # Fieller's is exact for normal groups; 2,000 trials have a standard error of 0.5 points.
    assert 0.93 <= held / 2000 <= 0.97


def test_two_clusters_that_differ_have_no_interval_and_shares_stay_shares():
    two = number(stats.mean([0.0, 0.3], ["a", "b"], unit="s", how="h"))
    assert two.value == pytest.approx(0.15) and two.low is two.high is None and "too few" in two.how
    assert number(stats.ratio_of_means([[1.0], [2.0]], [[2.0], [1.0]], how="h")).low is None
    share = number(stats.mean([0.9, 1.0, 0.6], names("abc"), unit="share", how="h", within=(0, 1)))
    assert 0 < share.low < share.value < share.high == 1


def test_shares_that_are_all_alike_are_not_certain():
    alike = number(stats.mean([1.0] * 12, names("a" * 12), unit="share", how="h", within=(0, 1)))
    assert (alike.low, alike.high) == stats.wilson(12, 12)
    left = number(stats.ratio_of_means([[0.5], [1.0]] * 3, [[0.5], [1.0]] * 3, how="h", share=True))
    assert left.value == 1 and (left.low, left.high) == pytest.approx(stats.wilson(6, 6))
    gap = number(stats.paired_difference([1.0] * 40, [1.0] * 40, names("a" * 40), unit="share", how="h"))
    assert gap.low < gap.value == 0 < gap.high and gap.high < 0.1
    # Rows may differ where clusters don't.
    rows = number(stats.proportion([True, False] * 5, [str(i // 2) for i in range(10)], how="h"))
    assert (rows.low, rows.high) == pytest.approx(stats.wilson_of(0.5, 5))


def test_a_few_suspects_give_a_wide_auroc():
    found = number(stats.auroc([0.9, 0.4, 0.5, 0.2], [True, True, False, False], ["a", "b", "a", "b"]))
    assert found.value == 0.75 and found.low < 0.35 and "Newcombe" in found.how


def test_scores_that_are_all_alike_are_not_sure_of_the_next():
    for score in (stats.brier, stats.log_score):
        found = number(score([0.9] * 12, [True] * 12, names(range(12))))
        assert found.low < found.value < found.high and "Wilson" in found.how


@pytest.mark.parametrize("shift", [0.5, 1.5])
def test_a_class_of_few_clusters_covers_an_auroc_as_often_as_it_says(shift: float):
    """A bootstrap over 44 clusters, 4 of them positive, held it 88 and 81% of the time."""
    rng, held = np.random.default_rng(0), []
    truth = [i < 4 for i in range(44)]
    for _ in range(150):
        values = rng.normal(size=44) + shift * np.array(truth)
        m = number(stats.auroc(list(values), truth, names(range(44)), draws=20))
        held.append(m.low <= norm.cdf(shift / np.sqrt(2)) <= m.high)
    assert np.mean(held) >= 0.89


def test_a_rate_of_nought_still_has_a_width():
    low, high = stats.wilson(0, 40)
    assert low == pytest.approx(0, abs=1e-12) and high == pytest.approx(0.0876, abs=1e-3)
    clustered = number(stats.proportion([False] * 40, [str(i // 2) for i in range(40)], how="x"))
    assert clustered.high == pytest.approx(stats.wilson(0, 20)[1])
    perfect = number(
        stats.auroc([0.9] * 10 + [0.1] * 10, [True] * 10 + [False] * 10, [str(i) for i in range(20)])
    )
    assert perfect.value == 1 and 0.7 < perfect.low < 0.95


def test_benjamini_hochberg_rejects_as_in_the_paper():
    # Benjamini and Hochberg (1995), section 3.2: of 15 p-values the four smallest are rejected at 0.05.
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344]
    p += [0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    assert stats.benjamini_hochberg(p) == [True] * 4 + [False] * 11


def test_holm_rejects_as_by_hand_and_a_p_is_that_of_a_t_test():
    assert stats.holm([0.01, 0.04, 0.03, 0.005]) == [True, False, False, True]
    assert stats.holm([]) == [] and stats.holm([0.06]) == [False] and stats.holm([0.02, 0.02]) == [True, True]
    rows = [0.3, 0.9, -0.1, 0.6]
    found = number(stats.mean(rows, names(rows), unit="nats", how="x"))
    assert stats.p_of_zero(found) == pytest.approx(ttest_1samp(rows, 0.0).pvalue)
    assert stats.p_of_zero(number(stats.mean([0.5] * 4, names(rows), unit="nats", how="x"))) == 1


@pytest.mark.parametrize("count", [5, 10, 20])
@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("shift", [0.0, 1.5, 3.0])
def test_few_clusters_cover_an_auroc_as_often_as_they_say(count: int, rows: int, shift: float):
    """A bootstrap of ten clusters held it 49 to 92% of the time, the less the nearer to 1 it is."""
    rng, held = np.random.default_rng(count), []
    truth = [side for _ in range(count) for side in (True, False) for _ in range(rows)]
    where = [str(i) for i in range(count) for _ in range(2 * rows)]
    for _ in range(150):
        values = rng.normal(size=len(truth)) + shift * np.array(truth)
        m = number(stats.auroc(list(values), truth, where, draws=20))
        held.append(m.low <= norm.cdf(shift / np.sqrt(2)) <= m.high)
    # 95% nominal; 150 trials have a standard error of 1.8 points.
    assert np.mean(held) >= 0.89


@pytest.mark.parametrize("count", [4, 6, 10])
def test_few_pairs_cover_a_rank_correlation_as_often_as_they_say(count: int):
    """Fisher's z alone held 0.95 of ranks 44% of the time from four pairs, which are often in order."""
    rng, held, r = np.random.default_rng(count), [], 0.95
    for _ in range(600):
        x = rng.normal(size=count)
        y = r * x + np.sqrt(1 - r * r) * rng.normal(size=count)
        m = number(stats.correlation(list(x), list(y)))
        assert m.value == pytest.approx(spearmanr(x, y)[0])
        held.append(m.low <= 6 / np.pi * np.arcsin(r / 2) <= m.high)
    # 94 to 99% of 2,500 trials; 600 have a standard error of 1 point. An interval of everything holds all.
    assert 0.92 <= np.mean(held) < 1.0
    many = rng.normal(size=200)
    whole = number(stats.correlation(list(many), list(many + rng.normal(size=200)), kind="pearson"))
    assert 0.5 < whole.low < whole.value < whole.high < 0.85, "1/√2 from two hundred pairs"
    order = [float(i) for i in range(count)]
    assert number(stats.correlation(order, order)).low < 0.97, "an order that may be chance is not certain"


def test_a_p_is_of_clusters_and_not_of_their_rows():
    rng, false = np.random.default_rng(2), {True: 0, False: 0}
    for _ in range(2000):
        rows = list(np.repeat(rng.normal(size=4), 10))
        found = number(stats.mean(rows, [str(i // 10) for i in range(40)], unit="nats", how="x"))
        assert (found.n, found.clusters) == (40, 4)
        for told in false:
            false[told] += stats.p_of_zero(found if told else replace(found, clusters=None)) < 0.05 / 8
    # Holm's first step of eight: 0.6% of 2,000, with a standard error of 0.2 points; by rows thrice that.
    assert false[True] / 2000 < 0.0115 < 0.0125 < false[False] / 2000
    first = number(stats.mean([0.3, 0.9, -0.1, 0.6], names("four"), unit="nats", how="x"))
    often = number(stats.mean([0.3, 0.9, -0.1, 0.6] * 5, names("four") * 5, unit="nats", how="x"))
    assert stats.p_of_zero(often) == pytest.approx(stats.p_of_zero(first))


def test_records_from_before_clusters_were_told_are_read_and_written_as_they_were():
    old = {"is": "Measure", "value": 0.5, "unit": "share", "n": 8, "how": "x", "low": 0.2, "high": 0.8}
    assert to_json(from_json(Measure, old)) == old, "what was logged of them is a hash of their bytes"
    new = {**old, "clusters": 4}
    assert from_json(Measure, new).clusters == 4 and to_json(from_json(Measure, new)) == new


def test_a_paired_difference_is_narrower_than_its_parts():
    rng = np.random.default_rng(1)
    base = rng.normal(size=50)
    ours = base + rng.normal(0.1, 0.01, size=50)
    gap = number(stats.paired_difference(list(ours), list(base), names(base), unit="nats", how="x"))
    assert gap.value == pytest.approx(0.1, abs=0.01) and gap.high - gap.low < 0.01
    same = number(stats.paired_difference(list(base + 0.1), list(base), names(base), unit="nats", how="x"))
    assert same.low is None is same.high, "alike, and not the same: nothing says how others would differ"
    same = number(stats.paired_difference(list(base), list(base), names(base), unit="nats", how="x"))
    assert same.low == same.high == 0, "the same models: nothing varies"


def test_a_ratio_of_means_resamples_the_groups_of_both_together():
    rng = np.random.default_rng(0)
    theirs = [list(rng.uniform(1, 9, n)) for n in (200, 150, 250, 30, 90, 200)]
    steady = number(stats.ratio_of_means([[1.02 * v for v in g] for g in theirs], theirs, how="prose"))
    assert (steady.value, steady.low, steady.high) == pytest.approx((1.02, 1.02, 1.02))
    assert steady.n == 6 and "6 clusters" in steady.how
    ours = [[v * f for v in g] for g, f in zip(theirs, (0.9, 1.0, 1.1, 1.2, 0.95, 1.05), strict=True)]
    found = number(stats.ratio_of_means(ours, theirs, how="prose"))
    assert found.value == pytest.approx(np.concatenate(ours).mean() / np.concatenate(theirs).mean())
    assert 0.9 < found.low < found.value < found.high < 1.2
    assert found == stats.ratio_of_means(ours, theirs, how="prose")
    assert number(stats.ratio_of_means(ours[:1], theirs[:1], how="prose")).low is None
    for nothing in (([], []), ([[]], [[]]), ([[1.0]], [[0.0]])):
        assert isinstance(stats.ratio_of_means(*nothing, how="prose"), NotMeasured)


def test_a_ratio_is_of_the_resamples_that_have_one_and_of_nothing_where_many_lack_it():
    ours, some, one = [[0.1]] * 8, [[0.0]] * 3 + [[0.6]] * 5, [[0.0]] * 7 + [[0.6]]
    found = number(stats.ratio_of_means(ours, some, how="x"))
    # All eight draws among the three without: (3/8)^8, once in 2,500 resamples.
    assert found.low is not None and found.high is not None
    assert 0 < found.low < found.value < found.high < np.inf
    lacking = number(stats.ratio_of_means(ours, one, how="x"))
    assert lacking.low is lacking.high is None and "no interval" in lacking.how


def test_a_difference_that_is_everywhere_the_same_is_not_certain():
    names_ = [str(i) for i in range(8)]
    same = number(stats.paired_shares([0.5] * 8, [0.2] * 8, names_, how="x"))
    assert same.value == pytest.approx(0.3) and (same.low, same.high) == stats.newcombe(0.5, 8, 0.2, 8)
    assert number(stats.paired_shares([0.5] * 8, [0.2] * 8, names_, how="x", most=3)).low < same.low
    apart = number(stats.paired_shares([0.5, 0.9] * 4, [0.2] * 8, names_, how="x"))
    assert "alike" not in apart.how and apart.low < apart.value < apart.high


def test_hostile_text_shows_as_text():
    assert plain("a\x0bb\x1cc\x85d\u2028e\u2029f") == "a\\x0bb\\x1cc\\x85d\\u2028e\\u2029f"
    nasty = "a\x1b]0;own\x07b\x9bc\u202ed\u2066e\r\u200bf\x00"
    shown = plain(nasty)
    assert shown == "a\\x1b]0;own\\x07b\\x9bc\\u202ed\\u2066e\\r\\u200bf\\x00"
    assert plain("one\ttwo\n") == "one\ttwo\n" and plain("one\ttwo\n", one_line=True) == "one\\ttwo\\n"
    assert plain("größer, 你好, 🙂 <b>&amp;") == "größer, 你好, 🙂 <b>&amp;"


@settings(max_examples=200)
@given(st.text())
def test_nothing_unprintable_comes_through(text):
    # Spaces of other widths (Zs) show as what they are; all else that Python would not print is written out.
    assert all(c.isprintable() or c in "\n\t" or unicodedata.category(c) == "Zs" for c in plain(text))


def test_a_megabyte_of_one_letter_is_cut_and_a_pile_of_accents_is_flattened():
    assert len(plain("a" * 1_000_000, limit=100)) < 140 and "999,900" in plain("a" * 1_000_000, limit=100)
    assert "\\u0301" in plain("e" + "\u0301" * 50)
    assert plain("e\u0301") == "e\u0301"


def test_a_change_of_auroc_is_of_the_same_rows_and_narrower_than_its_parts():
    rng = np.random.default_rng(0)
    truth = [i % 2 == 0 for i in range(120)]
    theirs = [rng.normal() + t for t in truth]
    ours = [a + 0.1 * rng.normal() for a in theirs]
    clusters = [str(i // 2) for i in range(120)]
    change = number(auroc_change(ours, theirs, truth, clusters))
    parts = [number(stats.auroc(rows, truth, clusters)) for rows in (ours, theirs)]
    assert change.value == pytest.approx(parts[0].value - parts[1].value) and change.n == 120
    assert change.low is not None and change.high is not None
    assert change.low <= change.value <= change.high
    widths = [p.high - p.low for p in parts if p.high is not None and p.low is not None]
    assert change.high - change.low < min(widths), "what both share cancels"
    sure = number(auroc_change([1.0, 0.0] * 4, [0.0, 1.0] * 4, [True, False] * 4, list("aabbccdd")))
    assert sure.value == 1 and sure.low is not None and sure.high is not None
    assert 0.2 < sure.low < 0.9 < sure.high == pytest.approx(1), "all resamples alike, and still a width"
    assert isinstance(auroc_change([1.0], [1.0], [True], ["a"]), NotMeasured)
