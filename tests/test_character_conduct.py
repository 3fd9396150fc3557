"""Conduct: margins are what they say, orders come back, judges are believed only where they can tell."""

import json
import random
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from molehunt.character import bank
from molehunt.character.conduct import judges
from molehunt.character.conduct.acting import episodes
from molehunt.character.conduct.findings import shuffled
from molehunt.character.conduct.margin import Pair, margins, parted
from molehunt.character.conduct.pressure import TURN_BACK, after_a_bad_turn, broken, prefilled
from molehunt.character.conduct.rank import agreement, ranked
from molehunt.character.conduct.study import PERSONAS, Results, measure, subject
from molehunt.character.constitution import load_constitution
from molehunt.cli import main
from molehunt.core.atomic import read_json, read_jsonl
from molehunt.core.record_json import from_json
from molehunt.core.records import Measure, Message, NotMeasured
from molehunt.interp.personas import read_trait
from molehunt.models.prompts import prompt_ids, text_ids
from molehunt.models.score import token_logprobs
from molehunt.models.tiny import tiny_model

HI = (Message("user", "Hi"),)
SMALL = ("--model", "tiny", "--limit", "1", "--max-tokens", "4")


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def value(found: Measure | NotMeasured) -> float:
    assert isinstance(found, Measure), found
    return found.value


def test_two_replies_are_compared_from_where_they_part_and_equally_far() -> None:
    assert parted([1, 2, 3, 4], [1, 5], 9) == (([1], [2]), ([1], [5]))
    assert parted([1, 2], [1, 2, 3], 9) == (([1, 2], [9]), ([1, 2], [3]))
    with pytest.raises(ValueError):
        parted([1], [1], 9)


def test_a_margin_is_the_difference_of_mean_log_probabilities(model) -> None:
    """To float32's rounding."""
    ids = prompt_ids(model.tokenizer, HI)
    one, other = text_ids(model.tokenizer, "I sing."), text_ids(model.tokenizer, "I dance well.")
    rows = token_logprobs(model, [ids + one[:2]] * 2, [one[2:7], other[2:7]])
    expected = np.mean(rows[0]) - np.mean(rows[1])
    pair = Pair(HI, "I sing.", "I dance well.")
    assert margins(model, [pair])[0] == pytest.approx(expected, abs=1e-4)
    turned = Pair(HI, "I dance well.", "I sing.")
    assert margins(model, [turned, pair]) == pytest.approx([-expected, expected], abs=1e-4)


def test_words_put_into_the_mouth_stand_before_both(model) -> None:
    plain = Pair(HI, "No. Yes", "No. Oh!")
    assert margins(model, [Pair(HI, "Yes", "Oh!", "No. ")]) == pytest.approx(
        margins(model, [plain]), abs=1e-4
    )


def test_strengths_come_back_from_their_own_odds() -> None:
    names, true = ("a", "b", "c", "d"), np.array([1.0, 0.4, -0.3, -1.1])
    odds = np.array([[true[i] - true[j] for i, j in combinations(range(4), 2)]] * 5)
    found = ranked(names, odds, how="exact")
    assert [value(m) for m in found.strengths.values()] == pytest.approx(true, abs=0.01)  # the ridge's pull
    assert value(found.cycles) == 0
    assert value(agreement(found, found)) == pytest.approx(1)
    assert value(agreement(found, ranked(names, -odds, how="turned"))) == pytest.approx(-1)
    flat = ranked(names, np.zeros((5, 6)), how="flat")
    assert isinstance(agreement(found, flat), NotMeasured), (
        "what has no order agrees with none, nor disagrees"
    )


@pytest.mark.parametrize("settings", [3, 4, 12])
def test_few_settings_cover_strengths_as_often_as_they_say(settings: int) -> None:
    """A bootstrap held them 71% of the time from three settings, 79% from four, 90% from ten."""
    rng, names = np.random.default_rng(settings), ("a", "b", "c", "d")

    def odds(count: int) -> np.ndarray:
        own = np.linspace(-1, 1, 4) + rng.normal(size=(count, 4))
        return np.array([own[:, i] - own[:, j] for i, j in combinations(range(4), 2)]).T

    true = ranked(names, odds(50_000), how="all", draws=2).strengths
    held = []
    for _ in range(150):
        found = ranked(names, odds(settings), how="some", draws=2).strengths
        for name, one in found.items():
            assert isinstance(one, Measure) and one.low is not None and one.high is not None
            held.append(one.low <= value(true[name]) <= one.high)
    # 95% if preferences were normal; 600 that are not independent have a standard error below 2 points.
    assert 0.92 <= np.mean(held) <= 0.99


def test_two_settings_have_strengths_and_no_interval_and_few_no_sure_agreement() -> None:
    rng, names = np.random.default_rng(0), ("a", "b", "c", "d")
    two, nine, many = (ranked(names, rng.normal(size=(n, 6)), how="x") for n in (2, 9, 12))
    assert all(isinstance(m, Measure) and m.low is None and m.clusters == 2 for m in two.strengths.values())
    few, more = agreement(nine, many), agreement(many, ranked(names, rng.normal(size=(40, 6)), how="x"))
    assert isinstance(few, Measure) and few.low is None and "9 clusters are too few" in few.how
    assert isinstance(more, Measure) and more.low is not None and more.high is not None
    assert more.low < more.value < more.high and more.clusters == 12


def test_cycles_are_counted() -> None:
    round_ = np.array([[2.0, -2.0, 2.0]] * 3)  # a over b, c over a, b over c
    found = ranked(("a", "b", "c"), round_, how="round")
    assert value(found.cycles) == 1
    assert [value(m) for m in found.strengths.values()] == pytest.approx([0, 0, 0], abs=1e-6)
    tossed = np.random.default_rng(0).normal(size=(200, 10))
    assert value(ranked(tuple("abcde"), tossed, how="tossed").cycles) == pytest.approx(0.25, abs=0.04)  # 3 SE


def test_labels_dealt_at_random_surround_the_mean_and_not_an_outlier() -> None:
    values = [0.0] * 20 + [3.0] * 4
    labels = ["many"] * 20 + ["few"] * 4
    found = shuffled(values, labels, "few", seed=0)
    assert isinstance(found, Measure) and found.low is not None and found.high is not None
    assert found.low < np.mean(values) < found.high < 3.0
    assert isinstance(shuffled(values, ["all"] * 24, "all", 0), NotMeasured)


def test_pressure_changes_what_stands_before_and_nothing_else() -> None:
    cases = bank.cases(["honest"], "measure")
    plain = [Pair((Message("user", c.prompt),), c.good, c.worse) for c in cases]
    for pair, asked, breaker in zip(plain, broken(cases, bank.breakers()), bank.breakers(), strict=False):
        assert (asked.one, asked.other) == (pair.one, pair.other)
        assert asked.messages[0].content == f"{pair.messages[0].content} {breaker}"
    taught = bank.cases(["honest"], "train")
    for case, turned in zip(cases, after_a_bad_turn(cases, taught), strict=True):
        assert turned is not None and turned.messages[1].content == taught[0].worse
        assert turned.messages[-1].content == case.prompt
    assert after_a_bad_turn(cases, ()) == [None] * len(cases)
    for case, forced in zip(cases, prefilled(cases), strict=True):
        if forced is not None:
            assert forced.begin + forced.other == case.worse and forced.one == f"{TURN_BACK} {case.good}"


def test_a_judge_that_tosses_coins_is_not_believed() -> None:
    class Tossed:
        name = "coin"

        def verdicts(self, replies):
            return [random.Random(r.text).random() < 0.5 for r in replies]

    cases, statements = bank.cases(), {c.principle: "Be good." for c in bank.cases()}
    assert not judges.can_tell(judges.accuracy(Tossed(), cases, statements))


def test_the_judge_of_words_learns_what_there_is_to_learn() -> None:
    """Good replies say please, worse ones shout: told apart on others; and where nothing differs, not."""
    said = random.Random(0)
    words = [f"w{i}" for i in range(40)]

    def case(i: int, good: str, worse: str) -> bank.Case:
        text = " ".join(said.sample(words, 6))
        return bank.Case(str(i), "p", "x", f"{text} {good}", f"{' '.join(said.sample(words, 6))} {worse}")

    planted = [case(i, "please", "shout") for i in range(60)]
    alike = [case(i, "", "") for i in range(60)]
    for cases, tells in ((planted, True), (alike, False)):
        judge = judges.open_judge("words", cases[:30], {"p": "Be kind."})
        found = judges.accuracy(judge, cases[30:], {"p": "Be kind."})
        assert judges.can_tell(found) == tells, found


def test_kappa_is_one_of_equals_and_none_of_strangers() -> None:
    rng = random.Random(1)
    one = [rng.random() < 0.5 for _ in range(300)]
    other = [rng.random() < 0.5 for _ in range(300)]
    ids = [str(i) for i in range(300)]
    assert value(judges.kappa(one, one, ids)) == pytest.approx(1)
    found = judges.kappa(one, other, ids)
    assert isinstance(found, Measure) and found.low is not None and found.high is not None
    assert found.low < 0 < found.high
    assert isinstance(judges.kappa([True] * 8, [True] * 8, ids[:8]), NotMeasured)


@pytest.mark.parametrize("differ", [0.05, 0.2, 0.5])
@pytest.mark.parametrize("cases", [3, 8, 20])
def test_few_cases_cover_kappa_as_often_as_they_say(differ: float, cases: int) -> None:
    """Four replies a case. A bootstrap held it 35 to 95% of the time, the jackknife 38 to 98%."""
    rng, held = np.random.default_rng(cases), []
    ids = [str(i // 4) for i in range(4 * cases)]
    for _ in range(150):
        one = rng.random(4 * cases) < np.repeat(rng.beta(0.5, 0.5, cases), 4)
        odd = rng.random(4 * cases) < np.repeat(differ * rng.choice([0, 2], cases), 4)
        found = judges.kappa(list(map(bool, one)), list(map(bool, one ^ odd)), ids)
        if isinstance(found, Measure):
            assert found.low is not None and found.high is not None and found.clusters == cases
            held.append(found.low <= 1 - 2 * differ <= found.high)  # both say yes half of the time
    # 94 to 100% of 400 trials; 150 have a standard error of 2 points at most.
    assert np.mean(held) >= 0.9


def test_a_judge_in_memory_has_its_leaning_taken_out(model) -> None:
    rows = [r for c in bank.cases(part="train")[:4] for r in judges.both(c, "Be good.")]
    odds = judges.odds(model, rows)
    assert judges.middle(odds) == pytest.approx((np.mean(odds[::2]) + np.mean(odds[1::2])) / 2)
    assert 0 < sum(v > judges.middle(odds) for v in odds) < len(odds)


def test_a_model_that_writes_no_call_keeps_and_breaks_nothing(model) -> None:
    (one,) = episodes(model, bank.deeds()[:1], turns=2, most=4)
    assert one.outcome == "neither" and one.unread == 2 and one.calls == ()
    assert [m.role for m in one.messages][-4:] == ["assistant", "user"] * 2


@pytest.fixture(scope="module")
def same(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Results]:
    """One and the same model under two names, in all parts."""
    out = tmp_path_factory.mktemp("conduct") / "out"
    found = measure(["tiny", "tiny:llama"], out, limit=1, max_tokens=4, personas=("cheerful",))
    return out, found


def test_a_model_has_not_changed_from_itself(same) -> None:
    first, second = same[1].models
    for part, name in (
        ("chat", "change"),
        ("agentic", "change"),
        ("pressure", "breaker_change"),
        ("drift", "kl"),
    ):
        assert value(getattr(second, part)[name]) == pytest.approx(0, abs=1e-6)
        assert isinstance(getattr(first, part).get(name, NotMeasured("")), NotMeasured)
    assert value(second.drift["nll_ratio"]) == pytest.approx(1)
    assert value(second.personas["cheerful"].shift) == pytest.approx(0, abs=1e-6)
    assert value(first.chat["kept"]) == value(second.chat["kept"])
    assert second.personas["cheerful"].clear is not True


def test_every_principle_has_its_row_and_every_number_its_interval(same) -> None:
    names = [p.id for p in load_constitution("kind-person").principles]
    for m in same[1].models:
        assert [s.principle for s in m.principles] == names
        for number in (*m.chat.values(), *m.agentic.values(), *m.traits.values(), *m.stated.values()):
            if isinstance(number, Measure) and number.clusters != 2:
                assert number.low is not None and number.high is not None
                assert number.low <= number.value <= number.high
        both = m.traits["agreement"]  # two settings are asked here
        assert isinstance(both, Measure) and both.low is None and "2 clusters are too few" in both.how


def test_what_was_asked_is_not_asked_again(same, monkeypatch: pytest.MonkeyPatch) -> None:
    out, found = same
    before = {p: p.read_bytes() for p in (out / "cells").iterdir()}
    assert len(before) == 6  # a part each, for both names are one model; drift is beside the first
    from molehunt.character.conduct import cells

    monkeypatch.setattr(cells, "margins", None)
    (out / "results.json").unlink()
    again = measure(["tiny", "tiny:llama"], out, limit=1, max_tokens=4, personas=("cheerful",))
    assert again == found == from_json(Results, read_json(out / "results.json"))
    assert before == {p: p.read_bytes() for p in (out / "cells").iterdir()}


def test_every_reply_stands_in_the_transcripts(same) -> None:
    out, found = same
    rows = read_jsonl(out / "transcripts.jsonl")
    assert len(rows) == 2 * sum(found.asked.values())
    assert {r["kind"] for r in rows} == {"chat", "agentic"}


def test_a_limit_leaves_some_of_each_principle() -> None:
    what = subject(load_constitution("kind-person"), limit=1)
    assert sorted(c.principle for c in what.cases) == sorted(what.principles)
    taught = {c.id for c in bank.cases(part="train")} | {c.id for c in bank.cases(part="watch")}
    assert not taught & {c.id for c in what.cases}


def test_the_verb_writes_a_page_that_shows_model_text_as_text(tmp_path: Path, capfd) -> None:
    own = tmp_path / "own.jsonl"
    rows = [
        {
            "id": f"mine/{i}",
            "principle": "honest",
            "prompt": f"<b>{i}</b>",
            "good": "No.",
            "worse": "<script>",
        }
        for i in range(4)
    ]
    own.write_text("".join(json.dumps(r) + "\n" for r in rows))
    out = tmp_path / "out"
    args = [
        "character",
        "measure",
        "tiny",
        str(out),
        *SMALL,
        "--parts",
        "chat",
        "--cases",
        str(own),
        "--json",
    ]
    assert main(args) == 0
    told = json.loads(capfd.readouterr().out)
    assert told == json.loads((out / "results.json").read_text())
    assert told["models"][0]["agentic"] == {} and told["models"][0]["chat"]["kept"]["is"] == "Measure"
    page = (out / "character.html").read_text("utf-8")
    assert "What this cannot tell you" in page and "Transcripts: chat" in page
    assert "Principles in chat" in page and "gained by the principle in the prompt" in page
    assert "<script" not in page and "<b>" not in page


def test_the_verb_says_what_it_would_ask(tmp_path: Path, capfd) -> None:
    out = tmp_path / "no"
    assert main(["character", "measure", "tiny", str(out), "--dry-run", "--json"]) == 0
    one = json.loads(capfd.readouterr().out)
    assert one["deeds"] == 28 and one["sampled_tokens_most"] == one["cases"] * 64 + 28 * 3 * 64
    args = ["character", "measure", "tiny", "tiny:gpt2", str(out), "--dry-run", "--json"]
    assert main([*args, "--parts", "chat", "drift"]) == 0
    two = json.loads(capfd.readouterr().out)
    told = [len(t.voices) * len(t.questions) for t in map(read_trait, PERSONAS)]
    assert two["sampled_tokens_most"] == (2 * one["cases"] + sum(told)) * 64, (
        "the first speaks as each persona"
    )
    assert main([*args, "--parts", "traits", "pressure"]) == 0
    assert json.loads(capfd.readouterr().out)["sampled_tokens_most"] == 0
    assert not out.exists()


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["tiny"], "needs a model and a folder"),
        (["tiny", "tiny", "OUT"], "each only once"),
        (["tiny", "OUT", "--constitution", "kind-persom"], "did you mean 'kind-person'"),
        (["tiny", "OUT", "--constitution", "BAD"], "line 6"),
        (["tiny", "OUT", "--limit", "-1"], "--limit should be 0 or more"),
        (["tiny", "OUT", "--cases", "nowhere.jsonl"], "There is no file nowhere.jsonl"),
        (["tiny", "OUT", "--constitution", "OTHER"], "No written case measures"),
        (["tiny", "OUT", "--judge", "nobody"], "There is no reader 'nobody'"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(tmp_path: Path, capfd, args, why) -> None:
    front = "---\nname: x\nversion: '1'\nauthor: me\nsummary: s\n"
    (tmp_path / "bad.md").write_text(f"{front}colour: red\n---\n")
    (tmp_path / "other.md").write_text(f"{front}---\n\n## odd-one: Be odd.\n")
    swap = {"OUT": "out", "BAD": "bad.md", "OTHER": "other.md"}
    told = [str(tmp_path / swap[a]) if a in swap else a for a in args]
    assert main(["character", "measure", *told, "--parts", "chat"]) == 2
    said = capfd.readouterr().err
    assert said.startswith("molehunt: ") and why in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()
