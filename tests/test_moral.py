"""Moral measures say of scripted choosers what is true of them."""

import math
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from moral_choosers import at_random, by_letter, choices, credal, reasoner, trader

from molehunt.character.moral.apart import changes, furthest
from molehunt.character.moral.choices import Choice, chosen
from molehunt.character.moral.credence import certainty, chance_of, credence, fit, recovery
from molehunt.character.moral.forms import Form, Posed, Question, questions
from molehunt.character.moral.judging import judged, rule_costs
from molehunt.character.moral.people import judged_people, read_people
from molehunt.character.moral.study import Found, Materials, Results, found, materials
from molehunt.character.moral.tradeoffs import curve
from molehunt.character.moral.updating import Moved, intended, slope
from molehunt.core.errors import BadFile, UserError
from molehunt.core.record_json import to_json
from molehunt.core.records import Measure, NotMeasured
from molehunt.corpus.dilemmas import COLUMNS, FRAMEWORKS, RULES, dilemmas, read_dilemmas, read_moralchoice
from molehunt.corpus.series import RELIABILITIES, stories, tradeoffs
from molehunt.verbs._moral_page import write_moral_page
from molehunt.verbs._moral_said import said

DRAWS = 40
PUBLISHED = Path(os.environ.get("MORALCHOICE", "moralchoice"))
"""Where MoralChoice's two CSV files lie: they are not part of the project."""
HIGH = tuple(d for d in dilemmas() if d.ambiguity == "high")
LEANS = np.array([[d.lean(f) for f in FRAMEWORKS] for d in HIGH])
ALL = Materials(dilemmas())


def judge(chooser) -> Found:
    return found(choices(ALL, chooser), ALL, "scripted", draws=DRAWS)


def value(measure: Measure | NotMeasured) -> float:
    assert isinstance(measure, Measure), measure
    return measure.value


def test_frameworks_are_told_apart_by_the_dilemmas():
    """Bounds with room: |r| is 0.40 at most as written, and no framework speaks in fewer than six of ten."""
    assert len(HIGH) >= 72 and len(dilemmas()) - len(HIGH) >= 20
    table = np.abs(np.corrcoef(LEANS.T)) - np.eye(6)
    assert table.max() < 0.5
    assert ((LEANS != 0).mean(0) > 0.5).all()
    assert np.linalg.cond(LEANS) < 5


def test_dilemmas_are_clean():
    assert len({d.context for d in dilemmas()}) == len(dilemmas())
    assert len({d.domain for d in dilemmas()}) >= 12
    for d in dilemmas():
        assert set(d.recommends) == set(FRAMEWORKS)
        leans = [d.lean(f) for f in FRAMEWORKS]
        assert all(a.startswith("I ") and a.endswith(".") for a in d.actions)
        if d.right is None:
            assert min(leans) < 0 < max(leans), f"{d.id}: nobody disagrees"
        else:
            assert min(x * (1 if d.right == 0 else -1) for x in leans) >= 0, f"{d.id}: somebody disagrees"
    sides = Counter(d.right for d in dilemmas() if d.right is not None)
    assert min(sides.values()) >= 8


def test_series_fill_their_slots():
    for t in tradeoffs():
        assert len(t.scenes) >= 3 and all("{n}" in s.context for s in t.scenes)
        assert list(t.levels) == sorted(set(t.levels))
    for s in stories():
        assert len(s.relevant) == len(s.irrelevant)
        assert all("{r}%" in frame and "{who}" in frame for frame in (*s.relevant, *s.irrelevant))
        assert "equally likely" in s.context


def test_a_situation_is_six_questions_and_answers_keep_their_action():
    posed = Posed("x", "It rains.", ("I sing.", "I dance."))
    asked = questions([posed])
    assert [(q.form, q.order) for q in asked] == [
        (f, o) for f in ("letter", "repeat", "compare") for o in (0, 1)
    ]
    letter, turned = asked[0], asked[1]
    assert letter.answers == (("A",), ("B",)) and "A. I sing." in letter.text
    assert turned.answers == (("B",), ("A",)) and "A. I dance." in turned.text
    assert asked[2].answers == asked[3].answers == (("I sing.",), ("I dance.",))
    assert asked[5].answers[0] == ("No", "no") and "First action: I dance." in asked[5].text


def test_repeating_is_left_out_where_one_action_begins_the_other():
    asked = questions([Posed("x", "It rains.", ("I sing", "I sing and dance"))])
    assert {q.form for q in asked} == {"letter", "compare"}


def test_choices_by_definition():
    two = [Choice("x", "letter", 0, math.log(3)), Choice("x", "letter", 1, 0.0)]
    one = chosen(two)["x"]
    assert one.p == pytest.approx(0.625)
    assert one.order_effect == pytest.approx(0.25)
    h = lambda p: -(p * math.log2(p) + (1 - p) * math.log2(1 - p))  # noqa: E731
    assert one.entropy == pytest.approx(h(0.625))
    assert one.consistency == pytest.approx(1 - (h(0.625) - (h(0.75) + h(0.5)) / 2))


def test_who_answers_by_the_letter_is_inconsistent_and_has_no_credence():
    one = judge(by_letter).judged
    assert value(one.measures["consistency"]) == pytest.approx(0, abs=1e-9)
    assert value(one.measures["order_effect"]) == pytest.approx(1)
    assert value(one.measures["low_accuracy"]) == 0.5
    assert all(isinstance(w, NotMeasured) for w in one.credence.weights.values())
    assert isinstance(one.credence.alarm, NotMeasured)


@pytest.mark.parametrize("name", ["consequences", "duties"])
def test_one_framework_alone_sounds_the_alarm(name):
    one = judge(credal(dilemmas(), {name: 1.0})).judged
    assert value(one.credence.weights[name]) == pytest.approx(1, abs=0.01)
    assert one.credence.alarm is True
    assert value(one.credence.certainty) > 0.95
    assert value(one.measures["consistency"]) == pytest.approx(1)
    assert value(one.measures["low_accuracy"]) > 0.95
    assert value(one.credence.beta) == pytest.approx(6, abs=0.1)


def test_a_mixture_keeps_its_weights_and_the_alarm_silent():
    one = judge(credal(dilemmas(), {"consequences": 0.6, "duties": 0.4})).judged
    weights = {f: value(w) for f, w in one.credence.weights.items()}
    assert weights["consequences"] == pytest.approx(0.6, abs=0.01)
    assert weights["duties"] == pytest.approx(0.4, abs=0.01)
    assert one.credence.alarm is False
    entropy = -(0.6 * math.log(0.6) + 0.4 * math.log(0.4))
    assert value(one.credence.certainty) == pytest.approx(1 - entropy / math.log(6), abs=0.02)
    assert value(one.measures["entropy_auroc"]) > 0.8
    low, high = one.credence.weights["duties"].low, one.credence.weights["duties"].high
    assert low <= 0.4 <= high


def test_who_follows_nothing_has_no_credence():
    """The swap test says so in 19 of 20 cases: of these five, four at least."""
    silent = 0
    for seed in range(5):
        p = np.random.default_rng([seed, 7]).uniform(0.02, 0.98, len(HIGH))
        silent += isinstance(credence(LEANS, p, FRAMEWORKS, seed=seed, draws=2).certainty, NotMeasured)
    assert silent >= 4
    one = judge(at_random(1)).judged
    assert value(one.measures["entropy_auroc"]) == pytest.approx(0.5, abs=0.2)


def test_weights_of_simulated_choosers_come_back():
    """Exactly from probabilities; from one toss an item within the distance that the measure states."""
    rng = np.random.default_rng(0)
    for _ in range(5):
        true = rng.dirichlet(np.ones(6))
        back = fit(LEANS, chance_of(LEANS, true, 4.0))
        assert np.abs(back.weights - true).max() < 0.01
        assert back.beta == pytest.approx(4.0, rel=0.05)
    off = recovery(LEANS, 4.0, rng)
    assert 0 < value(off) < 0.12


def test_even_choosers_look_certain_and_what_stands_beside_says_so():
    """Their true certainty is 0; a bootstrap of it never held that, so it claims no interval."""
    seen, beside = [], []
    for seed in range(12):
        rng = np.random.default_rng([seed, 3])
        p = (rng.random(len(HIGH)) < chance_of(LEANS, np.full(6, 1 / 6), 6.0)).astype(float)
        seen.append(certainty(fit(LEANS, p).weights))
        told = credence(LEANS, p, FRAMEWORKS, seed=seed, draws=2)
        if isinstance(told.certainty, Measure):
            assert told.certainty.low is None and isinstance(told.even, Measure)
            beside.append(told.even.value)
    assert len(beside) >= 2 and np.mean(seen) > 0.15
    assert np.mean([v < line for v in seen for line in beside]) > 0.7, "95% of those of the same steepness"


def test_collinear_frameworks_are_seen():
    twice = np.column_stack([LEANS[:, 0], LEANS[:, 0]])
    one = credence(twice, chance_of(twice, np.array([0.9, 0.1]), 5.0), ("consequences", "duties"), draws=5)
    assert value(one.likeness) == pytest.approx(1)


def test_certainty_by_definition():
    assert certainty(np.array([1.0, 0, 0])) == pytest.approx(1)
    assert certainty(np.full(4, 0.25)) == pytest.approx(0)


def test_an_ideal_reasoner_updates_by_one_and_by_nothing():
    what = Materials(stories=stories())
    one = found(choices(what, reasoner(stories())), what, "ideal", draws=DRAWS).updating
    assert len(one.moved) == len(stories()) * 2 * 2 * len(RELIABILITIES)
    for measure, true in ((one.relevant, 1), (one.irrelevant, 0)):
        assert value(measure) == pytest.approx(true, abs=1e-12)
        assert measure.low == pytest.approx(true, abs=1e-12) and measure.high == pytest.approx(
            true, abs=1e-12
        )


def test_who_believes_anything_shows_on_irrelevant_evidence():
    what = Materials(stories=stories())
    one = found(choices(what, reasoner(stories(), gullible=0.5)), what, "gullible", draws=DRAWS).updating
    assert value(one.irrelevant) == pytest.approx(0.5)


def test_eight_stories_hold_a_slope_as_often_as_they_say():
    rng, held = np.random.default_rng(1), 0
    for _ in range(400):
        own = 0.6 + 0.3 * rng.normal(size=8)
        told = [intended(r, side) for r in RELIABILITIES for side in (0, 1)]
        moved = [Moved(f"s{i}", "relevant", b, b * one) for i, one in enumerate(own) for b in told]
        found = slope(moved, "relevant")
        held += found.low <= 0.6 <= found.high
    # 95%; a bootstrap of eight holds it 89% of the time. 400 trials have a standard error of 1.1 points.
    assert 0.925 <= held / 400 <= 0.98 and "Student" in found.how


def test_an_indifference_point_is_found_where_it_was_put():
    what = Materials(tradeoffs=tradeoffs()[:1])
    one = found(choices(what, trader(50, 3)), what, "trader", draws=DRAWS).curves[0]
    assert value(one.point) == pytest.approx(50, rel=0.02)
    assert value(one.slope) == pytest.approx(3, rel=0.02)
    assert one.rates[0] < 0.05 and one.rates[-1] > 0.95
    # Three scenes that are all alike make no rate certain.
    assert all(high - low > 0.5 for low, high in one.intervals)


def test_scenes_are_the_sample_of_a_trade_off_and_not_their_questions():
    """Intervals hold a slope and a point drawn anew for each scene about as often as they say."""
    series = tradeoffs()[0]
    x, rng, held, wide = np.log10(series.levels), np.random.default_rng(0), [], []
    forms: tuple[Form, ...] = ("letter", "repeat", "compare")
    for _ in range(300):
        at = 1.7 + 0.25 * rng.normal(size=len(series.scenes))
        asked = [
            Choice(f"{series.name}/{i}/{n}", form, 0, 3 * (place - own))
            for form in forms
            for i, own in enumerate(at)
            for n, place in zip(series.levels, x, strict=True)
        ]
        one = curve(series, asked)
        if isinstance(one.point, Measure):
            held.append(one.point.low <= 10**1.7 <= one.point.high)
            wide.append(np.log10(one.point.high / one.point.low))
    # 95%; 300 trials have a standard error of 1.3 points, and scenes bend the curve a little.
    assert len(held) > 280 and np.mean(held) > 0.91 and np.median(wide) > 0.5
    once, again = (curve(series, some).slope for some in (asked[: len(asked) // 3], asked))
    few = curve(series, [c for c in asked if "/2/" not in c.item])
    assert (once.low, once.high) == pytest.approx((again.low, again.high)), "forms make nothing surer"
    assert few.slope.low is None and "too few" in few.point.reason


@pytest.mark.parametrize(
    ("chooser", "why"),
    [
        (trader(1e6, 3), "never crosses: it keeps to it"),
        (trader(0.001, 3), "never crosses: it gives it up"),
        (trader(50, -2), "clearly turn"),
        (by_letter, "clearly turn"),
    ],
)
def test_there_is_no_point_where_the_curve_does_not_cross(chooser, why):
    what = Materials(tradeoffs=tradeoffs()[:1])
    point = found(choices(what, chooser), what, "trader", draws=DRAWS).curves[0].point
    assert isinstance(point, NotMeasured) and why in point.reason


def test_what_is_not_asked_is_none_and_all_of_it_is_json():
    what = materials(parts=("evidence",), limit=1)
    one = found(choices(what, reasoner(stories())), what, "ideal", draws=DRAWS)
    assert one.judged is None and one.curves == ()
    assert to_json(one)["updating"]["relevant"]["how"].endswith("one story, no interval")


def test_a_limit_draws_by_seed_and_from_both_ambiguities():
    first, again = materials(limit=4, seed=1), materials(limit=4, seed=1)
    assert first == again != materials(limit=4, seed=2)
    assert Counter(d.ambiguity for d in first.dilemmas) == {"high": 4, "low": 4}
    with pytest.raises(UserError, match="--limit"):
        materials(limit=-1)


def rows(n: int, **changed: str) -> str:
    """MoralChoice's columns, `n` scenarios of each kind of break."""
    lines = [",".join(COLUMNS)]
    for i in range(n):
        cells = {c: "No" for c in COLUMNS} | {"scenario_id": f"H_{i}", "ambiguity": "high"}
        cells |= {"context": f"Scene {i}.", "action1": "I do.", "action2": "I don't."}
        cells["a1_deceive" if i % 2 else "a2_pain"] = "Yes" if i % 3 else "No Agreement"
        cells |= changed
        lines.append(",".join(cells[c] for c in COLUMNS))
    return "\n".join(lines) + "\n"


def test_moralchoice_is_read_as_published(tmp_path: Path):
    (tmp_path / "moralchoice_high_ambiguity.csv").write_text(rows(6))
    (tmp_path / "moralchoice_low_ambiguity.csv").write_text(rows(2, ambiguity="low"))
    read = read_moralchoice(tmp_path)
    assert [d.right for d in read] == [None] * 6 + [0] * 2
    assert read[1].breaks == ({"deceive": 1.0}, {})
    assert read[1].recommends["duties"] == (-1.0, 0.0)
    assert read[0].recommends["consequences"] == (0.0, -0.5)
    (tmp_path / "moralchoice_low_ambiguity.csv").write_text(rows(2, ambiguity="low", action2="I do."))
    assert len(read_moralchoice(tmp_path)) == 6


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("scenario_id,ambiguity\nx,high\n", "lacks the column 'context'"),
        (rows(1, a1_pain="Maybe"), "line 2: a1_pain is 'Maybe'"),
        (rows(1, action2=" "), "line 2: 'H_0' needs two actions that differ"),
    ],
)
def test_a_bad_table_is_named(tmp_path: Path, text: str, why: str):
    (tmp_path / "moralchoice_high_ambiguity.csv").write_text(text)
    with pytest.raises(BadFile, match=why):
        read_moralchoice(tmp_path)


def test_a_folder_without_moralchoice_is_named(tmp_path: Path):
    with pytest.raises(BadFile, match="holds neither"):
        read_moralchoice(tmp_path)


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="name the folder of MoralChoice's files in MORALCHOICE")
def test_moralchoice_whole():
    """A chooser who breaks as few rules as possible is right on the clear ones."""
    read = read_moralchoice(PUBLISHED)
    assert Counter(d.ambiguity for d in read) == {"high": 679, "low": 687}
    assert len(Materials(read).questions()["dilemmas"]) == 6 * 1366
    what = Materials(read[::8])
    broken = {d.id: sum(d.breaks[1].values()) - sum(d.breaks[0].values()) for d in read}
    one = found(choices(what, lambda q: 2.0 * broken[q.item]), what, "x", draws=3).judged
    assert value(one.measures["low_accuracy"]) > 0.95
    assert all(value(one.rules[r]) > 0 for r in RULES)
    assert one.credence.alarm is False


def test_what_breaking_a_rule_costs_comes_back(tmp_path: Path):
    (tmp_path / "moralchoice_high_ambiguity.csv").write_text(rows(40))
    read = read_moralchoice(tmp_path)
    true = {"deceive": 2.0, "pain": 0.5}

    def odds(d) -> float:
        return sum(c * (d.breaks[1].get(r, 0) - d.breaks[0].get(r, 0)) for r, c in true.items())

    choice = chosen(Choice(d.id, "letter", 0, odds(d)) for d in read)
    costs = rule_costs(read, choice, draws=DRAWS)
    assert {r: value(costs[r]) for r in true} == pytest.approx(true)
    assert isinstance(costs["freedom"], NotMeasured)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"id": "x"}', "line 1: Dilemma lacks the field"),
        ("nonsense", "line 1 is not whole JSON"),
        (
            '{"id": "x", "domain": "", "ambiguity": "low", "context": "c", "actions": ["I a.", "I b."]}',
            "which action is right",
        ),
        (
            '{"id": "x", "domain": "", "ambiguity": "high", "context": "c", "actions": ["I a.", "I b."], '
            '"recommends": {"luck": [1, 0]}}',
            "names the framework 'luck'",
        ),
    ],
)
def test_a_bad_dilemma_is_named_by_its_line(tmp_path: Path, line: str, why: str):
    path = tmp_path / "own.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(BadFile, match=why):
        read_dilemmas(path)


def test_people_are_measured_like_models(tmp_path: Path):
    """Shares that follow one framework give that framework, and no consistency."""
    path = tmp_path / "people.csv"
    lines = [f"{d.id},{0.9 if d.lean('care') > 0 else 0.1 if d.lean('care') < 0 else 0.5},50" for d in HIGH]
    path.write_text("\n".join(["item,share,n", *lines]) + "\n")
    people = read_people(path)
    one = judged_people(dilemmas(), people, draws=DRAWS)
    assert value(one.credence.weights["care"]) > 0.8
    assert isinstance(one.measures["consistency"], NotMeasured)
    near = found(choices(ALL, credal(dilemmas(), {"care": 1.0})), ALL, "x", people=people, draws=2).people
    assert value(near["gap"]) < 0.15 and value(near["rank_correlation"]) > 0.9


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("item,share\nx,0.5\n", "lacks the column 'n'"),
        ("item,share,n\nx,1.5,3\n", "line 2: share should be 0 to 1"),
        ("item,share,n\nx,a,3\n", "line 2: share and n should be numbers"),
        ("item,share,n\nx,0.5,3\nx,0.5,3\n", "line 3: the item 'x'"),
        ("item,share,n\n", "holds no rows"),
    ],
)
def test_a_bad_file_of_people_is_named(tmp_path: Path, text: str, why: str):
    path = tmp_path / "people.csv"
    path.write_text(text)
    with pytest.raises(BadFile, match=why):
        read_people(path)


def test_versions_are_held_against_the_first_dilemma_by_dilemma():
    some = dilemmas()
    careful, letters = (
        chosen(choices(Materials(some), who)["dilemmas"]) for who in (credal(some, {"care": 1.0}), by_letter)
    )
    moved, still = changes(some, careful, letters), changes(some, careful, careful)
    one, other = (judged(some, c, draws=2).measures for c in (careful, letters))
    for name in ("low_accuracy", "entropy_auroc", "entropy_high", "consistency", "order_effect"):
        assert value(moved[name]) == pytest.approx(value(one[name]) - value(other[name]))
        assert value(still[name]) == 0
    assert moved["consistency"].low > 0.5, "who answers by the letter agrees with nobody, himself included"
    seen = furthest(some, (careful, letters))
    gaps = [abs(s.p[0] - s.p[1]) for s in seen]
    assert len(seen) == 8 and gaps == sorted(gaps, reverse=True)
    assert gaps[0] == max(abs(careful[d.id].p - letters[d.id].p) for d in some)
    assert [s.dilemma.id for s in furthest(some, (letters,), most=2)] != [s.dilemma.id for s in seen[:2]]


def by_repeating(question: Question) -> float:
    """Certain by consequences where it repeats an action; asked for a letter it says A, and else nothing."""
    lean = {d.id: d.lean("consequences") for d in ALL.dilemmas}[question.item]
    said = {"repeat": 6.0 * lean, "letter": 6.0 if question.order == 0 else -6.0}
    return said.get(question.form, 0.0)


def test_one_form_tells_what_all_together_drown(tmp_path: Path):
    one = found(choices(ALL, by_repeating), ALL, "x", draws=DRAWS)
    judged = one.judged
    assert judged.credence.alarm is not True
    assert {f: j.credence.alarm is True for f, j in judged.forms.items()} == {
        "letter": False,
        "repeat": True,
        "compare": False,
    }
    assert value(judged.forms["repeat"].credence.weights["consequences"]) > 0.95
    assert value(judged.forms["letter"].measures["order_effect"]) > 0.9
    assert value(judged.forms["repeat"].measures["order_effect"]) == 0
    assert value(judged.forms["compare"].measures["entropy_high"]) == 1
    assert isinstance(judged.forms["letter"].measures["entropy_auroc"], NotMeasured), "A in both orders"
    whole = Results((one,), None, "builtin", {"dilemmas": 600}, 0)
    assert any("asked for the action again alone, of 3 forms" in line for line in said(whole))
    write_moral_page(tmp_path / "moral.html", whole)
    page = (tmp_path / "moral.html").read_text()
    assert "Form by form" in page and "the action again" in page


@pytest.mark.parametrize("bias", [2.0, 3.0])
def test_a_letter_that_stands_first_is_no_framework(bias: float):
    """Its mean over both orders follows consequences a little; how far it leans tells of the place."""

    def biased(question: Question) -> float:
        lean = {d.id: d.lean("consequences") for d in ALL.dilemmas}[question.item]
        place = bias if question.order == 0 else -bias
        return 0.4 * lean + (place if question.form == "letter" else 0.0)

    forms = found(choices(ALL, biased), ALL, "x", draws=DRAWS).judged.forms
    assert isinstance(forms["letter"].credence.alarm, NotMeasured)
    assert "go by place" in forms["letter"].credence.alarm.reason
    assert value(forms["letter"].measures["low_accuracy"]) == value(forms["repeat"].measures["low_accuracy"])
    assert forms["repeat"].credence.alarm is True


def test_choices_near_a_half_have_no_credence_and_less_near_ones_have_intervals():
    """Fitted by the flattest curve there is, weights would spread whoever decides."""
    lean = LEANS[:, 0]
    flat = credence(LEANS, 0.5 + 0.005 * lean / 2, FRAMEWORKS, draws=DRAWS)
    assert flat.p is not None and flat.p < 0.05 and isinstance(flat.alarm, NotMeasured)
    rng = np.random.default_rng(0)
    faint = credence(
        LEANS, np.clip(0.5 + 0.04 * lean + rng.normal(0, 0.02, len(lean)), 0, 1), FRAMEWORKS, draws=DRAWS
    )
    widths = [w.high - w.low for w in faint.weights.values() if isinstance(w, Measure)]
    assert len(widths) == 6 and max(widths) > 0.02


def test_the_page_shows_every_part_and_obeys_nobody(tmp_path: Path):
    """A model's name is text and nothing else; what was not measured says why."""
    (tmp_path / "moralchoice_high_ambiguity.csv").write_text(rows(40))
    read = read_moralchoice(tmp_path)
    what = Materials(read, tradeoffs()[:1], stories()[:2])
    asked = {
        **choices(Materials(read), credal(read, {"duties": 1.0})),
        **choices(Materials(tradeoffs=tradeoffs()[:1]), trader(50, 3)),
        **choices(Materials(stories=stories()[:2]), reasoner(stories())),
    }
    names = ("<script>x</script>", "letters")
    models = [
        found(some, what, name, draws=DRAWS)
        for name, some in zip(names, (asked, choices(what, by_letter)), strict=True)
    ]
    decided = [chosen(some["dilemmas"]) for some in (asked, choices(what, by_letter))]
    models[1] = replace(models[1], changes=changes(read, decided[1], decided[0]))
    whole = Results(tuple(models), None, "here", {"dilemmas": 240}, 0, furthest(read, decided))
    write_moral_page(tmp_path / "moral.html", whole)
    page = (tmp_path / "moral.html").read_text()
    assert "<script" not in page and "&lt;script" in page
    for words in (
        *("All measures", "Credence", "How sure", "What breaking a rule costs", "Trade-offs"),
        *("What evidence moves", "What this cannot tell you", "recovery error", "break promise"),
        *("less the first model", "Dilemmas side by side", "even choosers stay", "sides swapped"),
    ):
        assert words in page
    lines = said(whole)
    assert any(line.startswith("Alarm: <script") for line in lines)
    assert any(line.startswith("letters answers by form") for line in lines)
    assert any(line.startswith("Credence of letters is not measured: choices follow no") for line in lines)


def test_silent_frameworks_are_not_measured(tmp_path: Path):
    """MoralChoice says nothing of virtues or care."""
    (tmp_path / "moralchoice_high_ambiguity.csv").write_text(rows(40))
    what = Materials(read_moralchoice(tmp_path))
    one = found(choices(what, credal(what.dilemmas, {"duties": 1.0})), what, "x", draws=5).judged
    assert isinstance(one.credence.weights["virtues"], NotMeasured)
    assert value(one.credence.weights["duties"]) > 0.95
    assert replace(one.credence, alarm=True) == one.credence
