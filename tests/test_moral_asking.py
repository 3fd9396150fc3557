"""Moral questions to a real model, tiny and random, and the verb around them."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from molehunt.character.moral.asking import ASKED, ask, branches, log_odds
from molehunt.character.moral.choices import chosen
from molehunt.character.moral.forms import Posed, questions
from molehunt.character.moral.study import materials
from molehunt.character.training import uncertain
from molehunt.character.training.plan import Plan
from molehunt.cli import main
from molehunt.core.records import Message
from molehunt.corpus.dilemmas import dilemmas, held_out
from molehunt.models.prompts import prompt_ids, text_ids
from molehunt.models.score import token_logprobs
from molehunt.models.tiny import tiny_model

RAIN = Posed("x", "It rains.", ("I sing.", "I dance."))
SMALL = ("--limit", "1", "--parts", "dilemmas", "evidence")


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def test_answers_are_cut_where_they_part(model):
    first, second = branches(model, "", ("I sing.",), ("I dance.",))
    assert first == [text_ids(model.tokenizer, "I s")] and second == [text_ids(model.tokenizer, "I d")]
    yes, no = branches(model, " ", ("Yes", "yes"), ("No", "no"))
    assert yes == [text_ids(model.tokenizer, " Y"), text_ids(model.tokenizer, " y")]
    assert no == [text_ids(model.tokenizer, " N"), text_ids(model.tokenizer, " n")]


def test_log_odds_are_those_of_the_definition(model):
    """To float32's rounding over a few tokens."""
    for question in questions([RAIN]):
        ids = prompt_ids(model.tokenizer, (Message("user", question.text),))
        sides = []
        for side in (0, 1):
            ways = [w for lead in ("", " ") for w in branches(model, lead, *question.answers)[side]]
            each = [sum(token_logprobs(model, [ids], [w])[0]) for w in ways]
            sides.append(np.logaddexp.reduce(each))
        assert log_odds(model, [question])[0] == pytest.approx(sides[0] - sides[1], abs=1e-4)


def test_who_comes_first_in_a_batch_does_not_matter(model):
    asked = questions([RAIN, Posed("y", dilemmas()[0].context, dilemmas()[0].actions)])
    both, turned = log_odds(model, asked), log_odds(model, asked[::-1])
    assert both == pytest.approx(turned[::-1], abs=1e-4)


def test_nothing_is_asked_twice(model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A killed run leaves whole lines and perhaps half of one; the rest alone is asked again."""
    asked = questions([RAIN, Posed("y", "It snows.", ("I walk.", "I rest."))])
    first = ask(model, asked, tmp_path)
    path = tmp_path / ASKED
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) == len(asked)
    path.write_bytes(b"".join(lines[:7]) + lines[7][:10])
    from molehunt.character.moral import asking

    again = []
    real = asking.log_odds
    monkeypatch.setattr(asking, "log_odds", lambda m, q: again.extend(q) or real(m, q))
    assert [c.log_odds for c in ask(model, asked, tmp_path)] == pytest.approx(
        [c.log_odds for c in first], abs=1e-4
    )
    assert again == list(asked[7:])
    assert set(chosen(first)) == {"x", "y"}


def test_the_verb_sets_models_side_by_side(tmp_path: Path, capfd):
    out = tmp_path / "found"
    ids = [d.id for d in dilemmas()]
    (tmp_path / "people.csv").write_text("item,share,n\n" + "".join(f"{i},0.5,9\n" for i in ids))
    people = ("--human", str(tmp_path / "people.csv"))
    args = ["moral", "tiny", "tiny:gpt2", "--out", str(out), *SMALL, *people, "--json"]
    assert main(args) == 0
    told = json.loads(capfd.readouterr().out)
    assert json.loads((out / "results.json").read_text()) == told
    assert [m["name"] for m in told["models"]] == ["tiny", "tiny:gpt2"]
    assert told["models"][0]["judged"]["credence"]["certainty"]["is"] == "NotMeasured"
    assert told["models"][0]["updating"]["relevant"]["is"] == "Measure"
    rows = pq.read_table(out / "choices.parquet").to_pylist()
    assert len(rows) == 2 * sum(told["asked"].values()) == 2 * (12 + 78)
    assert set(rows[0]) == {"model", "part", "item", "form", "order", "log_odds"}
    page = (out / "moral.html").read_text()
    assert "What this cannot tell you" in page and "update slope, relevant" in page and "people" in page
    before = (out / ASKED).read_bytes(), (out / "results.json").read_bytes()
    assert main(args) == 0
    capfd.readouterr()
    assert before == ((out / ASKED).read_bytes(), (out / "results.json").read_bytes())


def test_the_verb_says_what_it_would_ask(tmp_path: Path, capfd):
    assert main(["moral", "default", str(tmp_path / "no"), "--dry-run", "--json"]) == 0
    counts = json.loads(capfd.readouterr().out)
    assert counts["dilemmas"] == 6 * len(dilemmas()) and counts["models"] == 1
    assert main(["moral", "default", str(tmp_path / "no"), "--dry-run", "--json", "--held-out"]) == 0
    assert json.loads(capfd.readouterr().out)["dilemmas"] == 6 * len(held_out(dilemmas()))
    asked = {q.item for q in materials(held_out=True).questions()["dilemmas"]}
    taught = {c.id.split("/")[0] for c in uncertain.choices(Plan(toward="calibrated"))}
    assert asked | taught == {d.id for d in dilemmas()} and not asked & taught
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["only-a-model"], "needs a model and a folder"),
        (["tiny", "OUT", "--items", "nowhere"], "There is no nowhere"),
        (["tiny", "OUT", "--items", "HERE"], "holds neither"),
        (["tiny", "OUT", "--items", "HERE", "--held-out"], "--held-out is for the built-in"),
        (["tiny", "OUT", "--limit", "-1"], "--limit should be 0 or more"),
        (["tiny", "tiny", "--out", "OUT"], "each only once"),
        (["tiny", "nobody:x", "OUT"], "There is no folder 'nobody:x'"),
        (["tiny", "OUT", "--human", "nowhere.csv"], "nowhere.csv cannot be read"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(tmp_path: Path, capfd, args, why):
    swap = {"OUT": str(tmp_path / "out"), "HERE": str(tmp_path)}
    assert main(["moral", *(swap.get(a, a) for a in args)]) == 2
    said = capfd.readouterr().err
    assert said.startswith("molehunt: ") and why in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()
