"""Models behind an API: answers are read by rules, counted, and paid for once."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from openai_server import serving

from molehunt.character.moral.asking import ASKED, log_odds
from molehunt.character.moral.forms import Posed, Question, questions
from molehunt.character.moral.sampling import Counts, Sampler, ask_by_samples, side_of
from molehunt.character.moral.study import moral
from molehunt.cli import main
from molehunt.core.errors import BadFile
from molehunt.core.records import Measure
from molehunt.corpus.dilemmas import dilemmas
from molehunt.models.load import open_model
from molehunt.models.loaded import ModelSpec
from molehunt.models.tiny import tiny_model

pytest.importorskip("inspect_ai")
POSED = Posed("x", "It rains.", ("I go to the library.", "I go to my sister, and help."))
LETTER, TURNED, REPEAT, _, COMPARE, SECOND = questions([POSED])
NAME = "inspect:openai-api/loopback/x"


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch):
    """A server on loopback, whose base URL Inspect finds."""

    def at(url: str) -> None:
        monkeypatch.setenv("LOOPBACK_BASE_URL", url)
        monkeypatch.setenv("LOOPBACK_API_KEY", "none")

    return at


@pytest.mark.parametrize(
    ("question", "told", "side"),
    [
        (LETTER, "A", 0),
        (LETTER, "B.", 1),
        (TURNED, "A", 1),
        (LETTER, "**B**", 1),
        (LETTER, "(a) I go to the library.", 0),
        (LETTER, "A: the library needs me.", 0),
        (LETTER, "A friend would go to his sister.", None),
        (LETTER, "I would choose B, for she is my sister.", 1),
        (LETTER, "The answer is A.", 0),
        (LETTER, "Option A is as good as option B.", None),
        (LETTER, "I can't decide that for you.", None),
        (COMPARE, "Yes", 0),
        (COMPARE, "no, I help her.", 1),
        (SECOND, "Yes.", 1),
        (COMPARE, "Nobody knows.", None),
        (COMPARE, "Hard to say. Answer: no", 1),
        (REPEAT, "I go to the library.", 0),
        (REPEAT, "“I go to my sister, and help.”", 1),
        (REPEAT, "I choose this: i go to my sister and help", 1),
        (REPEAT, "I go to my sister", 1),
        (REPEAT, "I go to", None),
        (REPEAT, "I go to the library. I go to my sister, and help.", None),
        (REPEAT, "", None),
    ],
)
def test_an_answer_gives_an_action_or_none(question: Question, told: str, side: int | None) -> None:
    assert side_of(question, told) == side


def test_log_odds_of_counts_are_finite_and_even_where_counts_are() -> None:
    assert Counts(3, 3, 4).log_odds == 0
    assert Counts(5, 0, 0).log_odds == -Counts(0, 5, 0).log_odds == pytest.approx(math.log(61))


def scripted(answer: Any) -> Sampler:
    """A model of Inspect's own kind whose answers follow from the question."""
    from inspect_ai.model import ModelOutput, ModelUsage, get_model

    def reply(messages: Any, *_: Any) -> ModelOutput:
        said = ModelOutput.from_content("scripted", answer(messages[-1].text))
        said.usage = ModelUsage()  # without it Inspect fetches a tokenizer to count with
        return said

    def make() -> Any:
        return get_model("mockllm/model", custom_outputs=reply, memoize=False)

    return Sampler("mockllm/scripted", 3, make=make)


def test_who_follows_one_framework_by_its_answers_sounds_the_alarm(tmp_path: Path) -> None:
    """Duties alone decide; each form is answered in its own words."""
    some = [d for d in dilemmas() if d.lean("duties")][:40]
    known = {q.text: q for q in questions([Posed(d.id, d.context, d.actions) for d in some])}
    lean = {d.id: d.lean("duties") for d in some}

    def answer(text: str) -> str:
        question = known[text]
        way = question.answers[0 if lean[question.item] > 0 else 1][0]
        return {"letter": f"{way}.", "repeat": f"“{way}”", "compare": f"{way}, I do."}[question.form]

    items = tmp_path / "own.jsonl"
    rows = [json.loads(line) for line in Path("molehunt/corpus/dilemmas.jsonl").read_text().splitlines()]
    items.write_text("".join(json.dumps(r) + "\n" for r in rows if r["id"] in lean))
    (one,) = moral([scripted(answer)], tmp_path / "out", items=str(items), parts=("dilemmas",)).models
    assert one.answered and one.answered.failed == 0
    assert isinstance(one.answered.share, Measure) and one.answered.share.value == 1
    assert one.judged and one.judged.credence.alarm is True
    assert set(one.judged.forms) == {"letter", "repeat", "compare"}
    weight = one.judged.credence.weights["duties"]
    assert isinstance(weight, Measure) and weight.value > 0.95
    assert one.updating is None, "evidence may call for longer log-odds than counts reach"


def test_a_form_that_one_order_did_not_answer_is_left_out(tmp_path: Path) -> None:
    def answer(text: str) -> str:
        if "word for word" in text:
            return "I go to the library."
        return "A" if "A. I go to the library" in text else "I'd rather not."

    choices, answered = ask_by_samples(scripted(answer), questions([POSED]), tmp_path)
    assert {c.form for c in choices} == {"repeat"} and len(choices) == 2
    assert isinstance(answered.share, Measure) and answered.share.value == pytest.approx(3 / 6)


@pytest.mark.real_model
def test_the_default_models_own_answers_lean_as_its_likelihoods_do(tmp_path: Path, loopback: Any) -> None:
    """Sampled through the protocol: what is very likely by likelihoods is mostly answered."""
    model = open_model(ModelSpec("default"))
    posed = Posed("x", "You are thirsty.", ("I drink the water.", "I drink the poison."))
    some = [q for q in questions([posed]) if q.form == "repeat"]
    with serving(model) as (url, asked):
        loopback(url)
        choices, answered = ask_by_samples(Sampler("openai-api/loopback/x", 6), some, tmp_path)
        assert len(asked) == 12
        again = ask_by_samples(Sampler("openai-api/loopback/x", 6), some, tmp_path)
        assert len(asked) == 12 and again == (choices, answered), "nothing is paid for twice"
    assert isinstance(answered.share, Measure) and answered.share.value > 0.5
    for choice, odds in zip(choices, log_odds(model, some), strict=True):
        assert abs(odds) < 1.5 or choice.log_odds * odds > 0, (choice, odds)


def test_a_service_that_fails_at_some_is_asked_those_again(tmp_path: Path, loopback: Any, capfd) -> None:
    rows = [json.loads(line) for line in Path("molehunt/corpus/dilemmas.jsonl").read_text().splitlines()][:2]
    rows[0]["context"] = f"REFUSE: {rows[0]['context']}"
    items = tmp_path / "own.jsonl"
    items.write_text("".join(json.dumps(r) + "\n" for r in rows))
    args = ["moral", NAME, "tiny", "--out", str(tmp_path / "out"), "--items", str(items), "--samples", "1"]
    args += ["--parts", "dilemmas", "--json"]
    with serving(tiny_model()) as (url, asked):
        loopback(url)
        assert main(args) == 0
        first = len(asked)
        sampled, own = json.loads(capfd.readouterr().out)["models"]
        assert sampled["answered"]["failed"] == 6 and "not that" in sampled["answered"]["why"]
        assert own["answered"] is None
        assert main(args[:-1]) == 0
        said = " ".join(capfd.readouterr().out.split())
        assert "did not answer 6 questions" in said and "answered with one of the two" in said
        assert first == 12 and len(asked) == first + 6
    lines = [json.loads(line) for line in (tmp_path / "out" / ASKED).read_text().splitlines()]
    assert sum("neither" in line for line in lines) == 6 and sum("log_odds" in line for line in lines) == 12
    assert "answered with one of the two" in (tmp_path / "out" / "moral.html").read_text()


def test_a_service_that_answers_nothing_is_one_sentence(tmp_path: Path, loopback: Any, capfd) -> None:
    row = json.loads(Path("molehunt/corpus/dilemmas.jsonl").read_text().splitlines()[0])
    with serving(tiny_model()) as (url, _):
        loopback(url)
        (tmp_path / "own.jsonl").write_text(json.dumps(row | {"context": "REFUSE"}) + "\n")
        args = [
            "moral",
            NAME,
            str(tmp_path / "out"),
            "--items",
            str(tmp_path / "own.jsonl"),
            "--parts",
            "dilemmas",
        ]
        assert main(args) == 2
    said = capfd.readouterr().err
    assert "answers nothing: the reader failed: " in said and said.count("\n") <= 3
    assert not (tmp_path / "out" / "results.json").exists()


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ((NAME, "--samples", "0"), "at least 1"),
        ((NAME, "--parts", "evidence"), "all but evidence"),
        (("inspect:nobody/x",), "Inspect cannot open"),
        (("inspect:",), "Inspect cannot open"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path: Path, capfd, args: tuple[str, ...], why: str) -> None:
    assert main(["moral", *args, "--out", str(tmp_path / "out")]) == 2
    assert why in " ".join(capfd.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_calls_are_counted_before_any(tmp_path: Path, capfd) -> None:
    args = [
        "moral",
        NAME,
        "tiny",
        "--out",
        str(tmp_path / "out"),
        "--dry-run",
        "--samples",
        "3",
        "--limit",
        "1",
    ]
    assert main([*args, "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["calls"]["calls"] == 3 * (told["dilemmas"] + told["tradeoffs"]) and "time" in told
    assert main(args) == 0
    assert "Calls to services:" in capfd.readouterr().out


def test_a_line_that_counts_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / ASKED).write_text('{"key": "k", "first": 1, "second": "x", "neither": 0}\n')
    with pytest.raises(BadFile, match="line 1"):
        ask_by_samples(Sampler("mockllm/model"), [LETTER], tmp_path)
