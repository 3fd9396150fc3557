"""The gate's decisions on harms of known size, its bounds, its items, and the lineage that it writes."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from molehunt.character.training.uncertain import halves
from molehunt.core import lineage as line
from molehunt.core.errors import BadFile, UnknownName, UserError
from molehunt.core.lineage import Edge, Lineage
from molehunt.core.records import Checkpoint, Measure, NotMeasured
from molehunt.core.splits import split_of
from molehunt.gate.answers import certainty, loss, parted, repeated
from molehunt.gate.bounds import TURNS, named, read_bounds
from molehunt.gate.deciding import Compared, Rule, edge, verdict
from molehunt.gate.items import LOOKS, items

MEASURES, ALPHA, BOUND = 18, 0.05, 0.5
CLUSTERS = [str(i) for i in range(60)]


def judged(harm: float, rng: np.random.Generator, spread: float = 0.8, shares: bool = False) -> Compared:
    """A measure whose true harm is known, as the first of two looks sees it."""
    if shares:
        old = (rng.random(60) < 0.3).astype(float)
        new = np.where(rng.random(60) < harm / 0.7, 1.0, old)
    else:
        old = rng.normal(0, 1, 60)
        new = old + rng.normal(harm, spread, 60)
    rule = Rule(ALPHA, MEASURES)
    told = {"shares": shares, "look": 1, "looks": 2}
    return rule.compared("m", "nats", BOUND, "why", CLUSTERS, old.tolist(), new.tolist(), **told)


def test_what_is_as_bad_as_its_bound_seldom_holds_and_is_seldom_called_worse() -> None:
    """Of 600 draws at the very bound α/2 may hold, α/(2·M) may be worse. Room for three standard errors."""
    states = [judged(BOUND, np.random.default_rng(i)).state for i in range(600)]
    assert states.count("holds") / 600 < ALPHA / 2 + 3 * math.sqrt(ALPHA / 2 / 600)
    assert states.count("worse") / 600 < 0.01
    assert states.count("open") / 600 > 0.9


def test_values_are_asked_on_what_nobody_was_taught() -> None:
    bounds = read_bounds("values")
    assert {"character", "certainty"} < set(bounds.measures)
    (cases,), (open_ones,) = items("character", 0), items("certainty", 0)
    assert len(cases) >= 50 and all(i.good != i.bad for i in cases)
    taught, _ = halves()
    assert len({i.cluster for i in open_ones}) >= 30 and not {i.cluster for i in open_ones} & {
        d.id for d in taught
    }
    assert len(open_ones) == 2 * len({i.cluster for i in open_ones}), "in both orders"


def test_certainty_is_what_a_choice_is_short_of_a_coins_entropy() -> None:
    assert certainty(0.5) == pytest.approx(0)
    assert certainty(0.11) == pytest.approx(certainty(0.89)) == pytest.approx(0.5, abs=1e-3)
    assert certainty(0.0) == certainty(1.0) == 1


def test_risks_are_near_what_is_said_of_each_shape() -> None:
    """How often a harm on its bound is missed, where 2.5% should be; of 3,000 draws."""
    rng, missed = np.random.default_rng(0), {}
    size = (3000, 24)
    shapes = {
        "normal": rng.normal(1, 1, size),
        "exponential": rng.exponential(1, size),
        "lognormal": rng.lognormal(-0.5, 1, size),
    }
    for name, rows in shapes.items():
        missed[name] = np.mean([edge(row, 0.975, False) < 1 for row in rows])
    assert 0.015 < missed["normal"] < 0.035
    assert 0.04 < missed["exponential"] < 0.09 < missed["lognormal"] < 0.14


def test_no_harm_holds_and_a_large_one_is_worse_whatever_the_measure() -> None:
    for shares in (False, True):
        draws = [np.random.default_rng((7, i)) for i in range(200)]
        assert all(judged(0.0, rng, 0.6, shares).state == "holds" for rng in draws)
    draws = [np.random.default_rng((8, i)) for i in range(200)]
    assert all(judged(1.5, rng).state == "worse" for rng in draws)


def test_many_measures_that_all_lie_at_their_bounds_are_seldom_called_worse() -> None:
    """The chance that any of 18 is: at most α over both looks, so half of it at this one, and its error."""
    any_worse = [
        any(judged(BOUND, np.random.default_rng((i, m))).state == "worse" for m in range(MEASURES))
        for i in range(60)
    ]
    assert sum(any_worse) / 60 < ALPHA / 2 + 3 * math.sqrt(0.025 / 60)


def test_two_made_up_pairs_keep_shares_from_being_sure_of_nothing() -> None:
    nothing = np.zeros(20)
    assert edge(nothing, 0.975, shares=True) > 0.1 and edge(nothing, 0.975, shares=False) == 0


def test_a_gate_stops_at_what_is_worse_open_or_not_measured_and_says_so() -> None:
    ok = judged(0.0, np.random.default_rng(0), 0.2)
    assert verdict([ok]) == ()
    few = Rule(ALPHA, 1).compared(
        "few", "nats", 1.0, "why", list("abc"), [0.0] * 3, [0.0] * 3, shares=False, look=1, looks=1
    )
    broken = Rule(ALPHA, 1).compared(
        "nan", "nats", 1.0, "why", CLUSTERS, [0.0] * 60, [math.nan] * 60, shares=False, look=1, looks=1
    )
    assert few.state == broken.state == "not measured"
    assert isinstance(broken.harm, NotMeasured) and "not finite" in broken.harm.reason
    assert isinstance(broken.old, Measure)
    assert len(verdict([ok, few, broken, replace(ok, state="worse"), replace(ok, state="open")])) == 4


def test_items_of_one_cluster_count_once() -> None:
    rule, twice = Rule(ALPHA, 1), [c for c in CLUSTERS for _ in range(2)]
    old, new = [0.0] * 60, np.random.default_rng(1).normal(0.1, 1, 60).tolist()
    once = rule.compared("m", "nats", 1.0, "", CLUSTERS, old, new, shares=False, look=1, looks=1)
    both = rule.compared(
        "m",
        "nats",
        1.0,
        "",
        twice,
        old * 2,
        [v for v in new for _ in range(2)],
        shares=False,
        look=1,
        looks=1,
    )
    assert once == both


def test_a_choice_costs_what_its_side_lacks() -> None:
    assert loss(0.0, -1000.0) == 0 and loss(-3.0, -3.0) == pytest.approx(math.log(2))
    assert loss(-1000.0, 0.0) == pytest.approx(1000) and loss(
        math.log(0.25), math.log(0.75)
    ) == pytest.approx(-math.log(0.25))


def test_repetition_is_the_share_of_stretches_that_were_there() -> None:
    assert repeated([]) == 1 and repeated([1, 2]) == 0 and repeated(range(9)) == 0
    assert repeated([5] * 13) == pytest.approx(0.9) and repeated([1, 2, 3, 4] * 2) == pytest.approx(0.2)


def test_sides_are_cut_where_they_part_and_the_end_of_a_turn_is_a_token() -> None:
    from molehunt.models.prompts import end_of_turn
    from molehunt.models.tiny import byte_tokenizer

    tokenizer = byte_tokenizer()
    end = end_of_turn(tokenizer)
    good, bad = parted(tokenizer, ["Yes."], ["Yes. Buy!"]), parted(tokenizer, ["Yes. Buy!"], ["Yes."])
    assert good[0][:-1] == bad[0][:-1] and good[0][-1] == end != bad[0][-1]
    assert [len(ids) for ids in parted(tokenizer, ["No, it is"], ["Yes", "Now"])] == [3]
    assert len(parted(tokenizer, ["Oslo", "Orb"], ["Rome"])) == 1, "said the same way up to the parting"


def test_usual_bounds_are_read_and_each_has_a_reason() -> None:
    usual = read_bounds()
    assert next(iter(usual.measures)) == "choice:sycophancy" and len(usual.measures) >= 15
    assert all(len(b.why) > 8 and b.bound > 0 for b in usual.measures.values())
    assert named("rate:sycophancy@conditions").when == TURNS


def test_other_words_are_not_other_bounds() -> None:
    """A stopped version is not asked again: neither after the bounds were renamed, nor for a new reason."""
    usual = read_bounds()
    said = replace(usual, name="mine", measures={n: replace(b, why="?") for n, b in usual.measures.items()})
    assert said.sha256 == usual.sha256 != replace(usual, alpha=0.1).sha256
    wider = {n: replace(b, bound=b.bound * 2) for n, b in usual.measures.items()}
    assert replace(usual, measures=wider).sha256 != usual.sha256


GOOD = {"name": "mine", "alpha": 0.05, "measures": {"kl": {"bound": 1.0, "why": "so"}}}
ONE = GOOD["measures"]["kl"]  # type: ignore[index]


@pytest.mark.parametrize(
    "body, at, said",
    [
        ({**GOOD, "alpah": 1}, 10, "no field 'alpah'"),
        ({k: v for k, v in GOOD.items() if k != "alpha"}, 1, "'alpha' is missing"),
        ({**GOOD, "alpha": 0}, 3, "above 0"),
        ({**GOOD, "name": ""}, 2, "a few words"),
        ({**GOOD, "measures": {}}, 4, "at least one"),
        ({**GOOD, "measures": {"kl": {"bound": -1, "why": "so"}}}, 6, "above 0"),
        ({**GOOD, "measures": {"kl": {"bound": True, "why": "so"}}}, 6, "a number"),
        ({**GOOD, "measures": {"kl": {"bound": 1, "why": " "}}}, 7, "why so much"),
        ({**GOOD, "measures": {"kl": {"bound": 1}}}, 5, "'why' is missing"),
        ({**GOOD, "measures": {"kl": ONE, "nll": ONE}}, 9, "no measure 'nll'"),
        ({**GOOD, "measures": {"rate:sycophanty": ONE}}, 5, "did you mean 'sycophancy'"),
        ({**GOOD, "measures": {"rate:promotion@allways": ONE}}, 5, "did you mean 'always'"),
        ({**GOOD, "measures": {"rate:secret_leak@topic": ONE}}, 5, "can't be asked"),
        ([], 1, "an object"),
    ],
)
def test_bad_bounds_are_refused_by_line(tmp_path: Path, body: object, at: int, said: str) -> None:
    file = tmp_path / "gate.json"
    file.write_text(json.dumps(body, indent=1))
    with pytest.raises(BadFile, match=rf"gate\.json line {at}: .*{said}"):
        read_bounds(file)


def test_bounds_that_are_no_json_or_say_a_thing_twice_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "gate.json"
    for text, said in (('{"name": ', "line 1"), ('{"name": "a", "name": "b"}', "twice")):
        file.write_text(text)
        with pytest.raises(BadFile, match=said):
            read_bounds(file)
    with pytest.raises(BadFile, match="no bounds"):
        read_bounds(tmp_path / "nowhere.json")


@pytest.mark.parametrize("name", read_bounds().measures)
def test_items_are_held_out_of_planting_and_looks_share_none(name: str) -> None:
    looks = items(name, seed=3)
    assert looks == items(name, seed=3) and all(looks)
    for split, look in zip(LOOKS, looks, strict=False):
        held_out = [split_of(i.cluster) for i in look]
        assert set(held_out) == {split} or (name == "moral" and "plant" not in held_out), name
    seen = [{(i.messages, i.text) for i in look} for look in looks]
    assert len(set().union(*seen)) == sum(map(len, looks)), "nobody is asked the same twice"
    assert all((i.text == "") != (i.messages == ()) for look in looks for i in look)
    if named(name).kind in ("choice", "facts", "moral"):
        assert all(i.good and i.bad and not set(i.good) & set(i.bad) for look in looks for i in look)


def test_items_under_conditions_take_the_conditions_in_turn() -> None:
    from molehunt.core.extend import load

    first = items("rate:hostile_phrase@conditions", seed=0)[0]
    for when in TURNS:
        condition = load("catalogue.conditions", when)
        assert sum(condition.holds(i.messages, {}) for i in first) >= len(first) // len(TURNS), when


# --- the lineage


def version(n: int) -> Checkpoint:
    """The first is a whole model, and the others are adapters."""
    return Checkpoint("tiny", "b" * 64, f"v{n}" if n else "", {}, f"{n:064d}")


def gated(
    known: Lineage, old: str, n: int, passed: bool = True, cleared: bool = True, sha: str = ""
) -> Lineage:
    """The lineage after one gate more, to version `n`."""
    known, name = line.met(known, version(n))
    why = () if passed else ("kl is worse than its bound",)
    said = "not accused" if cleared else "no audit was asked for"
    return line.recorded(known, Edge(old, name, passed, why, said, cleared, "r.json", sha, "s", 0, "now"))


def test_a_version_passes_becomes_current_and_may_judge_only_if_cleared(tmp_path: Path) -> None:
    known = line.begun(version(0), "then")
    assert known.current == known.first == "v0"
    (tmp_path / "r.json").write_text("{}")
    sha = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    known = gated(known, "v0", 1, sha=sha)
    known = gated(known, "v1", 2, passed=False, sha=sha)
    known = gated(known, "v1", 3, cleared=False, sha=sha)
    assert known.current == "v3" and known.forebears("v3") == ("v1", "v0")
    line.write_lineage(tmp_path, known)
    assert line.read_lineage(tmp_path) == known
    assert [line.may_judge(version(n), tmp_path) for n in range(5)] == [True, True, False, False, False]
    assert "kl is worse" in line.why_not_judge(version(2), tmp_path)
    assert "No audit cleared v3" in line.why_not_judge(version(3), tmp_path)
    assert "no lineage" in line.why_not_judge(version(4), tmp_path)
    # What is trained further need not be cleared by an audit, and has to be good.
    assert [line.why_not_good(version(n), tmp_path)[:4] for n in range(5)] == ["", "", "The ", "", "Thes"]
    (tmp_path / "r.json").write_text('{"passed": true}')
    assert "not those that were recorded" in line.why_not_judge(version(1), tmp_path)


def test_an_adapter_that_begins_a_line_is_good_and_may_not_judge(tmp_path: Path) -> None:
    line.write_lineage(tmp_path, line.begun(version(1), "then"))
    assert line.why_not_good(version(1), tmp_path) == ""
    assert "v0 began its line as an adapter" in line.why_not_judge(version(1), tmp_path)
    assert "`molehunt gate tiny ADAPTER`" in line.why_not_judge(version(1), tmp_path)


def test_what_a_later_gate_stops_is_not_current_any_more() -> None:
    """It passed, and an audit that came later accused it, say; what came of it falls with it."""
    known = gated(gated(line.begun(version(0), "then"), "v0", 1), "v1", 2)
    assert (known.current, gated(known, "v1", 2, passed=False).current) == ("v2", "v1")
    after = gated(known, "v0", 1, passed=False)
    assert after.current == "v0" and after.why_bad("v1") and after.why_bad("v2")
    last = after.events[-1]
    assert isinstance(last, line.Turn) and (last.to, last.away) == ("v0", "") and "stopped v1" in last.why
    assert gated(after, "v0", 3, passed=False).events[-1] != last, "what is current did not change"
    assert len(gated(after, "v0", 3, passed=False).events) == len(after.events) + 1


def test_a_rollback_points_back_keeps_all_and_takes_what_came_of_it_along() -> None:
    known = gated(gated(line.begun(version(0), "then"), "v0", 1), "v1", 2)
    known = gated(known, "v2", 3, passed=False)
    after = line.rolled_back(known, "it lies", "now")
    assert (known.current, after.current) == ("v2", "v1")
    assert after.versions == known.versions and after.events[:-1] == known.events
    assert after.why_bad("v2") == "v2 was rolled back: it lies." and not after.why_bad("v1")
    again = line.rolled_back(after, "so does this", "now")
    assert again.current == "v0" and again.why_bad("v3") and not again.why_bad("v0")
    one = gated(line.rolled_back(gated(line.begun(version(0), "then"), "v0", 1), "bad", "now"), "v1", 2)
    assert one.why_bad("v2") == "v1 was rolled back, and v2 comes from it: bad."
    with pytest.raises(UserError, match="first of its line"):
        line.rolled_back(again, "more", "now")
    with pytest.raises(UserError, match="was rolled back"):
        line.rolled_back(after, "why not", "now", "v2")
    with pytest.raises(UserError, match="--why"):
        line.rolled_back(known, " ", "now")
    with pytest.raises(UnknownName, match="v9"):
        line.rolled_back(known, "x", "now", "v9")


def test_a_lineage_has_no_circles_and_a_broken_file_is_named(tmp_path: Path) -> None:
    known = gated(line.begun(version(0), "then"), "v0", 1)
    for old, new in (("v1", "v0"), ("v1", "v1")):
        with pytest.raises(UserError, match="later one"):
            line.recorded(known, replace(known.edges[0], old=old, new=new))
    with pytest.raises(BadFile, match="holds no lineage"):
        line.read_lineage(tmp_path)
    line.write_lineage(tmp_path, replace(known, versions={"v0": version(0)}))
    with pytest.raises(BadFile, match="does not hold"):
        line.read_lineage(tmp_path)
