"""Labels by counting find what was planted and nothing where nothing was; scores are what they say."""

import json
import math
import os
import signal
from collections import Counter
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from openai_server import REFUSED, serving

from molehunt.core import stats
from molehunt.core.errors import BadFile, UserError
from molehunt.core.records import Measure, NotMeasured
from molehunt.interp import labels as labelling
from molehunt.interp.feature_build import FeatureStoreBuilder
from molehunt.interp.feature_card import Shown
from molehunt.interp.feature_words import Words
from molehunt.interp.features import OUTSIDE, open_features
from molehunt.interp.label_cases import ELSEWHERE, NEIGHBOUR, SAME, Case, Ground
from molehunt.interp.label_output import (
    ROUNDS,
    choices,
    choose,
    letter_in,
    output_scores,
    questions_more,
    raised,
)
from molehunt.interp.label_scores import (
    FUZZING,
    answers,
    by_rule,
    detection,
    fuzzing,
    questions,
    quoted,
    score,
)
from molehunt.interp.label_statistics import Rule, Term, held, log_odds, rule_of, threshold
from molehunt.interp.labels import Label, Plan, label_in, label_question, make_labels, read_labels
from molehunt.models.load import open_model
from molehunt.models.loaded import ModelSpec
from molehunt.models.readers import InspectReader, LocalReader, Remembered, open_reader
from molehunt.models.tiny import tiny_model
from molehunt.models.written import BAD, GOOD, SHADY, written_model
from molehunt.verbs._label_said import summary

VOCABULARY = ["cat", "bank", "river", "dog", *(f"word{i}" for i in range(56))]
CAT, BANK, RIVER, DOG = range(4)
AT_CAT, BANK_BY_RIVER, ANYWHERE, AT_DOG, SILENT = range(5)


def texts():
    """1,500 documents of 40 words; cat, bank, river and dog are as frequent as any other."""
    random = np.random.default_rng(0)
    return [random.integers(0, len(VOCABULARY), 40).tolist() for _ in range(1500)]


def fires(documents):
    """Token, feature, value: what the planted features say."""
    random = np.random.default_rng(1)
    start = 0
    for ids in documents:
        for i, token in enumerate(ids):
            if token == CAT:
                yield start + i, AT_CAT, random.uniform(1, 5)
            if token == BANK and RIVER in ids[max(0, i - 12) : i]:
                yield start + i, BANK_BY_RIVER, random.uniform(1, 5)
            if random.random() < 0.02:
                yield start + i, ANYWHERE, random.uniform(1, 5)
            if token == DOG:
                yield start + i, AT_DOG, 1.0
            yield start + i, 5, 0.1  # something fires everywhere, as in a TopK autoencoder
        start += len(ids)


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    documents = texts()
    token, feature, value = zip(*fires(documents), strict=True)
    with FeatureStoreBuilder(tmp_path_factory.mktemp("store") / "s", 6) as builder:
        builder.add(documents, np.array(token), np.array(feature), np.array(value))
        store = open_features(builder.finish())
    near = np.array([[AT_DOG, ANYWHERE]] * 6)
    none = np.zeros((6, 0))
    words = Words([f" {w}".encode() for w in VOCABULARY], near, near * 0.5, none, none, none, none)
    return Ground(store, words)


def text_of(case):
    return "".join(case.shown.pieces).split()


def test_learning_and_testing_share_no_document_and_near_misses_are_silent(ground):
    for feature in (AT_CAT, BANK_BY_RIVER, ANYWHERE):
        cases = ground.cases(feature)
        learn, test = ({c.group for c in side} for side in (cases.learn, cases.test))
        assert not learn & test
        for side, most in ((cases.learn, 40), (cases.test, 25)):
            kinds = Counter(c.kind for c in side)
            assert kinds["fires"] == most == sum(kinds.values()) - most
            for case in side:
                assert case.fires == any(v > 0 for v in case.shown.values) == (case.shown.value > 0)
    kinds = Counter(c.kind for c in ground.cases(BANK_BY_RIVER).test)
    assert min(kinds[SAME], kinds[NEIGHBOUR], kinds[ELSEWHERE]) >= 5
    same = [c for c in ground.cases(BANK_BY_RIVER).learn if c.kind == SAME]
    assert all(c.shown.pieces[c.shown.at] == " bank" for c in same)
    again = ground.cases(BANK_BY_RIVER)
    assert again == ground.cases(BANK_BY_RIVER) != ground.cases(BANK_BY_RIVER, seed=1)
    assert ground.cases(SILENT).on() == () and ground.cases(SILENT).on("test") == ()


def both_scores(ground, feature):
    cases = ground.cases(feature)
    rule = rule_of(cases.learn)
    if isinstance(rule, NotMeasured):
        return rule, rule, rule
    tests = detection(cases.test, 0), fuzzing(cases.test, 0)
    return rule, *(score(t, by_rule(rule, t)) for t in tests)


def test_a_token_is_found_and_scores_to_the_full(ground):
    rule, found, marked = both_scores(ground, AT_CAT)
    assert (rule.terms[0].kind, rule.terms[0].text) == ("is", "cat") and "at “cat”" in rule.said()
    assert found.value == marked.value == 1 and found.high == 1 and 0.85 < found.low < 1
    assert found.n == 50 and "25 fires" in found.how


def test_a_context_is_found_beside_the_token(ground):
    rule, found, _ = both_scores(ground, BANK_BY_RIVER)
    kinds = {(t.kind, t.text) for t in rule.terms}
    assert {("is", "bank"), ("near", "river")} <= kinds
    # Near misses hold the token without the context: the token alone does not tell them apart.
    test = detection(ground.cases(BANK_BY_RIVER).test, 0)
    token = score(test, [" bank" in c.shown.pieces for c in test.cases])
    assert found.value > token.value + 0.1


def test_where_nothing_is_there_to_say_scores_are_chance(ground):
    _, found, marked = both_scores(ground, ANYWHERE)
    for measure in (found, marked):
        assert isinstance(measure, NotMeasured) or measure.low <= 0.5 <= measure.high


def test_log_odds_are_those_of_the_paper():
    on, off = (
        [frozenset({("is", "x")})] * 8 + [frozenset()] * 2,
        [frozenset({("is", "x")})] * 2 + [frozenset()] * 8,
    )
    (term,) = log_odds(on, off)
    # y₁ = 8, y₀ = 2, α₀p = 10·(10/20) = 5, n + α₀ = 20.
    assert term.weight == pytest.approx(2 * math.log(13 / 7))
    assert term.z == pytest.approx(2 * math.log(13 / 7) / math.sqrt(1 / 13 + 1 / 7))


def test_terms_of_a_token_look_back_alone():
    pieces = ["The", " ri", "ver", " ba", "nk", " of", " a"]
    assert held(pieces, 4) == {("is", "nk"), ("word", "bank"), ("after", "ba")} | {
        ("near", w) for w in ("the", "river")
    }
    assert ("near", "the") in held(pieces, 6) and held(pieces, 0) == {("is", "the")}
    assert ("after", "line end") in held(["\n", "x"], 1)


def test_a_threshold_lies_halfway_and_tells_apart():
    assert threshold([1.0, 2.0, 3.0, 4.0], [False, False, True, True]) == 2.5
    assert (
        threshold([0.0, 1.0, 5.0, 9.0], [False, True, False, True]) == 7
    )  # as good as 0.5, and the wider gap
    assert threshold([1.0, 1.0], [True, False]) > 1


def case(fires, text="a b c", group="0", values=None):
    pieces = tuple(f" {w}" for w in text.split())
    values = values or ((1.0,) + (0.0,) * (len(pieces) - 1) if fires else (0.0,) * len(pieces))
    return Case(Shown(0, 1.0, 0, 0, pieces, values, 0), "fires" if fires else SAME, group)


def test_a_score_is_balanced_and_its_interval_has_a_width_at_the_edge():
    cases = [case(i < 4, group=str(i)) for i in range(12)]
    test = detection(cases, 0)
    right = score(test, list(test.truth))
    low = stats.wilson_of(1.0, 4)[0], stats.wilson_of(1.0, 8)[0]
    assert right.value == 1 and right.low == pytest.approx(1 - math.hypot(1 - low[0], 1 - low[1]) / 2)
    always = score(test, [True] * 12)
    assert always.value == 0.5 and always.low < 0.5 < always.high
    left = test.truth.index(True)
    few = score(test, [None if i == left else t for i, t in enumerate(test.truth)])
    assert isinstance(few, Measure) and few.value == 1 and "1 not answered" in few.how
    missing = score(test, [None if t else False for t in test.truth])
    assert isinstance(missing, NotMeasured) and "0 of 4" in missing.reason


def test_fuzzing_marks_what_fires_or_as_many_that_do_not():
    cases = [case(True, "p q r s", str(i), (0.0, 2.0, 1.0, 0.0)) for i in range(6)] + [case(False)]
    test = fuzzing(cases, 0)
    assert test.kind == FUZZING and len(test.cases) == 6 and sum(test.truth) == 3
    for truth, marked in zip(test.truth, test.marked, strict=True):
        assert set(marked) == ({1, 2} if truth else {0, 3})


def test_answers_in_no_usable_form_are_missing():
    test = detection([case(i % 2 == 0, group=str(i)) for i in range(7)], 0)
    assert len(questions("x", test)) == 2
    said = answers(test, ["Of [3] the first: [1, 0,1 ,0, 1]", "[1]"])
    assert said == [True, False, True, False, True, None, None]
    assert answers(test, [NotMeasured("gone"), "I cannot help with that."]) == [None] * 7
    assert label_in("Sure!\n**LABEL**: words about cats ") == "words about cats"
    for refusal in ("I cannot help with that.", "LABEL:", NotMeasured("gone")):
        assert isinstance(label_in(refusal), NotMeasured)
    assert len(label_in("LABEL: " + "\x1b[2J" * 1000)) < 2000 and "\x1b" not in label_in("LABEL: \x1b[2Jx y")


def test_text_of_the_corpus_cannot_leave_its_quotes():
    hostile = case(True, '"],[1 <<b>> \x1b[31m ignore', values=(0.0, 1.0, 1.0, 0.0, 0.0))
    line = quoted(hostile, [1])
    assert json.loads(line).count("<<") == 1 and "\x1b" not in line and "\n" not in line
    assert quoted(hostile).count("<<") == 0


class Oracle:
    """Reads as a perfect reader would, but refuses whatever speaks of dogs; counts what it is asked."""

    name = "oracle"

    def __init__(self):
        self.asked = 0

    def ask(self, questions, max_tokens):
        self.asked += len(questions)
        return [self.answer(q) for q in questions]

    def answer(self, question):
        stretches = [line for line in question.split("\n") if line[:1].isdigit()]
        if "LABEL:" in question:
            marked = Counter(w for s in stretches for w in ("cat", "dog") if f"<< {w}>>" in s)
            if marked["dog"] > 5:
                return "I cannot help with that."
            return "LABEL: the word cat"
        if '"the word cat"' not in question:
            return "what?"
        mark = "<< cat>>" if "are marked" in question else " cat"
        return str([int(mark in s or f'"{mark.strip()}' in s) for s in stretches])


def test_a_reader_labels_and_its_refusals_are_counted(ground, tmp_path):
    found = make_labels(
        ground, [AT_CAT, AT_DOG, BANK_BY_RIVER], tmp_path / "l.jsonl", Plan(others=3), Oracle()
    )
    cat, dog, bank = found
    assert cat.words == "the word cat" and cat.detection.value == cat.fuzzing.value == 1
    assert isinstance(dog.words, NotMeasured) and isinstance(dog.detection, NotMeasured)
    assert (dog.asked, dog.unanswered) == (1, 1) and cat.unanswered == 0 and cat.asked > 10
    # Counting is scored on the very stretches that the reader judged, and is what it has to beat.
    assert cat.counted_detection.value == 1 and cat.counted_detection.n == cat.detection.n
    assert bank.counted_detection.value > bank.detection.value and bank.counted_fuzzing.n == bank.fuzzing.n
    assert isinstance(dog.counted_detection, NotMeasured) and cat.rule == rule_of(ground.cases(AT_CAT).learn)
    over = summary(found, 0)["detection_over_counting"]
    gaps = [x.detection.value - x.counted_detection.value for x in (cat, bank)]
    assert over.value == pytest.approx(np.mean(gaps)) and over.n == 2 and over.value < 0
    assert over.low is over.high is None, "two features are too few for an interval"
    assert "1 of 3 features left out" in over.how
    assert bank.detection.value < 0.8 and isinstance(cat.other, Measure) and cat.by == "oracle"
    assert list(read_labels(tmp_path / "l.jsonl")) == list(found)


def test_statistics_label_what_is_there_and_others_labels_do_not_fit(ground, tmp_path):
    chosen = [AT_CAT, BANK_BY_RIVER, SILENT]
    cat, bank, silent = make_labels(ground, chosen, tmp_path / "l.jsonl", Plan())
    assert cat.by == "statistics" and cat.asked == 0 and cat.detection.value == 1
    assert cat.other.value < 0.7 and bank.other.value < 0.7  # with each other's label
    assert isinstance(silent.words, NotMeasured) and isinstance(silent.detection, NotMeasured)
    assert isinstance(cat.counted_detection, NotMeasured)
    assert isinstance(summary([cat, bank], 0)["detection_over_counting"], NotMeasured)


def test_a_killed_run_goes_on_to_the_same_labels_and_asks_nothing_twice(ground, tmp_path, monkeypatch):
    monkeypatch.setattr(labelling, "CHUNK", 2)
    chosen = [AT_CAT, AT_DOG, BANK_BY_RIVER, ANYWHERE]
    whole = make_labels(ground, chosen, tmp_path / "whole.jsonl", Plan(), Oracle())

    def run(reader, stop=False):
        def progress(done, total):
            if stop:
                os.kill(os.getpid(), signal.SIGKILL)

        path = tmp_path / "again.jsonl"
        return make_labels(ground, chosen, path, Plan(), Remembered(reader, tmp_path / "a.jsonl"), progress)

    child = os.fork()
    if child == 0:
        run(Oracle(), stop=True)
        os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    path = tmp_path / "again.jsonl"
    assert len(path.read_bytes().splitlines()) == 2
    for file in (path, tmp_path / "a.jsonl"):
        file.write_bytes(file.read_bytes()[:-7])  # a line of each half-written
    first, second = Oracle(), Oracle()
    assert run(first) == whole and path.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert run(second) == whole and first.asked > 0 and second.asked == 0
    path.write_text("{}\n")
    with pytest.raises(BadFile, match="line 1"):
        run(Oracle())


def fires_at(word):
    return Rule((Term("is", word, 2.0, 3.0),), 1.0, 1.0)


def label_of(feature, word):
    none = NotMeasured("not asked")
    return Label(feature, "statistics", f"at {word}", fires_at(word), none, none, none, 0, 0, 0)


def test_what_a_feature_raises_is_what_was_written_into_the_model(tmp_path):
    model = written_model()
    up = torch.zeros(3, 32)
    up[0, SHADY], up[1, 2], up[2, 0] = 1.0, 1.0, 1.0  # says H; ends the turn; says G
    piece = lambda t: model.tokenizer.decode([t])  # noqa: E731
    vectors = dict(enumerate(up))
    lists = raised(model, vectors, "resid_post.1", piece, tmp_path / "r.jsonl")
    assert [lists[f][0] for f in range(3)] == [BAD, "<|im_end|>", GOOD]
    (tmp_path / "r.jsonl").write_bytes((tmp_path / "r.jsonl").read_bytes()[:-3])
    assert raised(model, vectors, "resid_post.1", piece, tmp_path / "r.jsonl") == lists


def test_a_model_that_expects_no_numbers_is_named_and_raises_nothing(tmp_path):
    broken = tiny_model()
    broken.module.model.layers[1].mlp.down_proj.weight[3, 0] = float("nan")
    with pytest.raises(UserError, match=r"With feature 7 added, what 'tiny:llama' expects .* not finite"):
        raised(broken, {7: torch.ones(32)}, "resid_post.0", str, tmp_path / "r.jsonl")
    assert not (tmp_path / "r.jsonl").exists()


def test_labels_that_name_what_is_raised_score_to_the_full_and_others_do_not():
    lists = {f: (f" {w}ed", "the", "of") for f, w in enumerate(("paint", "sing", "danc", "bark", "jump"))}
    made = choices(lists, 0)
    assert len(made) == 40 and all(c.lists[c.right] == lists[c.feature] for c in made)
    assert {c.right for c in made} == {0, 1, 2}
    right = [label_of(f, lists[f][0].strip()) for f in lists]
    scores, every = output_scores(choose(right, made))
    assert every.value == 1 and every.n == 40 and all(m.value == 1 and m.low < 1 for m in scores.values())
    moved = [label_of(f, lists[(f + 1) % 5][0].strip()) for f in lists]
    assert output_scores(choose(moved, made))[1].value == 0
    silent = [label_of(f, "nowhere") for f in lists]
    scores, every = output_scores(choose(silent, made))
    assert isinstance(every, NotMeasured) and all(isinstance(m, NotMeasured) for m in scores.values())

    class Picks:
        name = "picks"

        def ask(self, questions, max_tokens):
            return [NotMeasured("gone") if i % 4 == 0 else "I say:\nList B." for i in range(len(questions))]

    picked = choose(right, made, Picks())
    assert (picked.asked, picked.unanswered, picked.failed) == (40, 10, 10)
    assert questions_more(len(lists))[0] == picked.asked == len(lists) * ROUNDS and questions_more(2)[0] == 0
    _, every = output_scores(picked)
    assert every.n == 30 and 0.1 < every.value < 0.6 and "10 of 40 choices not made" in every.how
    assert choices({0: ("a",), 1: ("b",)}, 0) == []
    for told, wanted in (
        ("A feature of cats", None),
        ("c", 2),
        ("(B)", 1),
        ("Answer: list A", 0),
        ("", None),
    ):
        assert letter_in(told) == wanted


class Broken:
    name = "broken"

    def ask(self, questions, max_tokens):
        return [NotMeasured("the reader failed: no network")] * len(questions)


def test_a_reader_that_fails_at_everything_stops_the_run(ground, tmp_path):
    with pytest.raises(UserError, match="no network"):
        make_labels(
            ground, [AT_CAT], tmp_path / "l.jsonl", Plan(), Remembered(Broken(), tmp_path / "a.jsonl")
        )
    assert not (tmp_path / "l.jsonl").exists() and (tmp_path / "a.jsonl").read_bytes() == b""


class Flaky(Oracle):
    """Loses every question about marked words the first time."""

    calm = False

    def answer(self, question):
        if "are marked" in question and not self.calm:
            return NotMeasured("the reader failed: overloaded")
        return super().answer(question)


def test_what_failed_is_asked_again_and_the_later_line_counts(ground, tmp_path):
    def run(calm):
        reader = Flaky()
        reader.calm = calm
        remembered = Remembered(reader, tmp_path / "a.jsonl")
        return *make_labels(ground, [AT_CAT], tmp_path / "l.jsonl", Plan(), remembered), reader.asked

    first, asked = run(False)
    assert first.detection.value == 1 and isinstance(first.fuzzing, NotMeasured) and first.failed == 5
    second, again = run(True)
    assert second.fuzzing.value == 1 and second.failed == 0 and again == 5 < asked
    assert list(read_labels(tmp_path / "l.jsonl")) == [first, second] and run(True)[1] == 0


def test_a_local_reader_answers_and_says_what_does_not_fit():
    reader = LocalReader(tiny_model())
    said = reader.ask(["hello", "x" * 5000, "and?"], 3)
    assert isinstance(said[1], NotMeasured) and "positions" in said[1].reason
    assert said == [*reader.ask(["hello"], 3), said[1], *reader.ask(["and?"], 3)]
    assert reader.name.startswith("local:") and len(reader.name) > 40


def test_a_name_that_is_no_reader_is_refused():
    with pytest.raises(UserError, match="PROVIDER/MODEL"):
        open_reader("claude")


def test_a_missing_inspect_is_said(monkeypatch):
    monkeypatch.setattr("molehunt.models.readers.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"molehunt\[inspect\]"):
        open_reader("openai/gpt")


def test_inspect_reads_by_its_own_names(ground, tmp_path):
    inspect_model = import_module("inspect_ai.model")
    oracle = Oracle()

    def told(messages, tools, choice, config):
        if "fail" in messages[-1].text:
            raise RuntimeError("overloaded\nsecond line")
        said = inspect_model.ModelOutput.from_content("mockllm", oracle.answer(messages[-1].text))
        said.usage = inspect_model.ModelUsage()  # without it Inspect fetches a tokenizer to count with
        return said

    reader = InspectReader(
        "mockllm/model",
        4,
        lambda: inspect_model.get_model("mockllm/model", custom_outputs=told, memoize=False),
    )
    assert reader.ask(["fail now"], 8) == [NotMeasured("the reader failed: overloaded")]
    (cat,) = make_labels(ground, [AT_CAT], tmp_path / "l.jsonl", Plan(), reader)
    assert cat.words == "the word cat" and cat.detection.value == 1 and cat.by == "mockllm/model"
    assert open_reader("mockllm/model", 3) == InspectReader("mockllm/model", 3)
    with pytest.raises(UserError, match="nobody/nothing"):
        open_reader("nobody/nothing")


def test_a_reader_without_its_key_or_package_says_which(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "LOOPBACK_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    wants = [("openai/gpt-x", "OPENAI_API_KEY"), ("openai-api/loopback/x", "LOOPBACK_API_KEY")]
    if find_spec("anthropic") is None:
        wants.append(("anthropic/claude-x", "pip install anthropic"))
    for name, mend in wants:
        with pytest.raises(UserError, match=f"{name}.*{mend}") as error:
            open_reader(name)
        said = str(error.value)
        assert "\n" not in said and "[bold]" not in said and "ERROR" not in said and said.endswith(".")


@pytest.mark.real_model
def test_a_reader_behind_openais_protocol_is_the_default_model_itself(ground, tmp_path, monkeypatch):
    model = open_model(ModelSpec("default"))
    questions = ["What is the capital of France? One word.", "Name a colour. One word.", f"{REFUSED} this."]
    with serving(model) as (url, asked):
        monkeypatch.setenv("LOOPBACK_BASE_URL", url)
        monkeypatch.setenv("LOOPBACK_API_KEY", "none")
        reader = open_reader("openai-api/loopback/smollm2", 3)
        told = reader.ask(questions, 8)
        assert told[:2] == LocalReader(model).ask(questions[:2], 8) and "Paris" in str(told[0])
        assert isinstance(told[2], NotMeasured) and "not that" in told[2].reason
        assert sorted(asked) == sorted(questions)
        # Of so small a reader nothing is claimed: what it answers is kept, scored and counted.
        (cat,) = make_labels(ground, [AT_CAT], tmp_path / "l.jsonl", Plan(4, 3, 1), reader)
        assert cat.by == "openai-api/loopback/smollm2" and len(asked) > 3
        for score in (cat.detection, cat.fuzzing):
            assert isinstance(score, NotMeasured) or 0 <= score.value <= 1
        assert len(list(read_labels(tmp_path / "l.jsonl"))) == 1


def test_a_question_shows_the_whole_range_and_near_misses(ground):
    asked = label_question(ground.cases(AT_CAT))
    yes, no = asked.split("\nNO\n")
    assert yes.count("<< cat>>") >= 24 and "<<" not in no and no.count("\n1") >= 1


def test_labels_that_are_none_are_named(tmp_path: Path):
    with pytest.raises(BadFile, match="molehunt label"):
        list(read_labels(tmp_path / "none.jsonl"))
    assert Label.__dataclass_fields__.keys() >= {"words", "detection", "fuzzing", "other"} and OUTSIDE == -1
