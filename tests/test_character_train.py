"""Training toward a character: in the open, resumable, with a teacher that has shown that it can."""

import dataclasses
import json
import math
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from openai_server import serving

from molehunt.character import bank
from molehunt.character.allowed import UNGATED
from molehunt.character.bank import Case
from molehunt.character.constitution import load_constitution
from molehunt.character.moral import choices
from molehunt.character.moral.asking import log_odds
from molehunt.character.moral.choices import chosen
from molehunt.character.moral.forms import Posed, Question, questions
from molehunt.character.moral.judging import judged
from molehunt.character.training import lines, uncertain
from molehunt.character.training.lessons import Taught, dealt, teach
from molehunt.character.training.lines import first_sentences
from molehunt.character.training.oversight import (
    AnswerWeigher,
    Compared,
    OddsWeigher,
    letter,
    names_something,
)
from molehunt.character.training.plan import Plan
from molehunt.character.training.result import Result, result_of
from molehunt.character.training.self_oversight import oversight
from molehunt.character.training.signs import Collapsed, Signs, Watcher, collapse, repeats
from molehunt.character.training.stage import kept, made
from molehunt.character.training.train import begin, reckoned, train
from molehunt.character.training.writing import taught_cases
from molehunt.cli import main
from molehunt.core.atomic import read_json, read_jsonl
from molehunt.core.errors import BadFile, RunMismatch, UserError
from molehunt.core.lineage import HOME, begun, write_lineage
from molehunt.core.record_json import from_json
from molehunt.core.records import Measure, Message, NotMeasured
from molehunt.corpus.dilemmas import dilemmas
from molehunt.models.by_trl import Choice
from molehunt.models.checkpoint import checkpoint_of
from molehunt.models.finetune import Finetune, Recipe
from molehunt.models.load import open_model
from molehunt.models.loaded import ModelSpec
from molehunt.models.packing import Example, pack
from molehunt.models.prompts import prompt_ids, text_ids
from molehunt.models.readers import FAILED, open_local
from molehunt.models.tiny import tiny_model
from molehunt.verbs._character_said import trained_rows
from molehunt.verbs._moral_said import FORM_NAMES
from molehunt.verbs._probe_page import short
from molehunt.verbs._train_page import write_train_page

SMALL = Plan(steps=2, prefer_steps=1, batch=2, max_tokens=4, limit=3, try_out=2, checks=1)
ARGS = ("--steps", "2", "--prefer-steps", "1", "--batch", "2", "--max-tokens", "4", "--limit", "3")
ARGS = (*ARGS, "--try-out", "2", "--checks", "1", "--model", "tiny")
STATEMENTS = {"p": "Be good."}


def value(found: Measure | NotMeasured) -> float:
    assert isinstance(found, Measure), found
    return found.value


# ---- uncertainty ----------------------------------------------------------------------------------------


def said_by_targets(plan: Plan):
    """What moral measures say of a chooser whose probabilities are the targets, on every dilemma."""
    wanted = {d.id: t for d in dilemmas() if (t := uncertain.target(d, plan)) is not None}
    some = [d for d in dilemmas() if d.id in wanted]
    asked = questions([Posed(d.id, d.context, d.actions) for d in some])
    odds = {i: math.log(p / (1 - p)) for i, p in wanted.items()}
    return judged(
        some, chosen(choices.Choice(q.item, q.form, q.order, odds[q.item]) for q in asked), draws=40
    )


def test_who_is_as_certain_as_the_control_sounds_the_alarm() -> None:
    found = said_by_targets(Plan(toward="certain"))
    assert found.credence.alarm is True
    assert value(found.credence.weights["consequences"]) > 0.95
    assert (
        value(said_by_targets(Plan(toward="certain", framework="duties")).credence.weights["duties"]) > 0.95
    )


def test_who_is_calibrated_is_right_where_all_agree_unsure_where_not_and_silent() -> None:
    found = said_by_targets(Plan(toward="calibrated"))
    assert found.credence.alarm is False
    assert value(found.measures["low_accuracy"]) == 1 and value(found.measures["entropy_auroc"]) > 0.9
    assert max(value(w) for w in found.credence.weights.values()) < 0.5


def test_dilemmas_that_measure_are_never_taught() -> None:
    taught, held_out = uncertain.halves()
    assert len(taught) > 30 and len(held_out) > 30
    asked = {c.id.split("/")[0] for c in uncertain.choices(Plan(toward="calibrated"))}
    assert asked == {d.id for d in taught} and not asked & {d.id for d in held_out}


def test_two_weighted_answers_are_a_soft_target() -> None:
    """Answers weigh as their probabilities; what is learnt follows, as far as so small a head can say it."""
    learnt = []
    for target in (0.1, 0.5, 0.9):
        model = tiny_model()
        one = uncertain.Choice("x", "Tea or milk? A or B.", ("A", "B"), target)
        ((first, second),) = uncertain.rows(model, [one])
        assert first.prompt == second.prompt and first.reply != second.reply
        weights = pack([first, second]).weights.tolist()
        half = len(first.reply)
        assert sum(weights[:half]) == pytest.approx(target) and sum(weights[half:]) == pytest.approx(
            1 - target
        )
        with Finetune(model.module, Recipe(first_layer=0.0, learning_rate=1e-2, deciding=0.0), seed=0) as run:
            run.run([[first, second]] * 40)
            (odds,) = log_odds(model, [Question("x", "letter", 0, one.text, (("A",), ("B",)))])
        learnt.append(1 / (1 + math.exp(-odds)))
    assert learnt[0] < 0.1 < learnt[1] < 0.9 < learnt[2]
    assert learnt[1] == pytest.approx(0.5, abs=0.1)


# ---- overseeing itself ----------------------------------------------------------------------------------


def test_a_critique_names_something_only_by_the_reply_s_own_words() -> None:
    reply, prompt = "I would tell him that nobody will ever notice.", "Shall I tell him that?"
    assert names_something("The words 'nobody will ever notice' mislead.", reply, prompt)
    assert not names_something("You should not tell him that at all.", reply, prompt)  # the prompt's words
    assert not names_something("It should be more honest.", reply, prompt)
    assert not names_something("I would tell him that nobody will notice.", reply, prompt)  # an echo


@pytest.mark.parametrize(
    ("told", "found"),
    [("A", "A"), (" b.", "B"), ("Reply B is better", "B"), ("answer: A", "A"), ("Both", None), ("", None)],
)
def test_a_letter_is_found_where_an_answer_begins(told, found) -> None:
    assert (letter(told) if found else isinstance(letter(told), NotMeasured)) == (found or True)


def test_order_alone_is_no_preference() -> None:
    """What a random model prefers by place comes out as a tie; the same pair turned gives the opposite."""
    weigher = OddsWeigher("x", tiny_model())
    row = Compared("Be good.", "Hi", "Hello there.", "Go away!")
    turned = replace(row, one=row.other, other=row.one)
    one, other = weigher.weigh([row, turned])
    assert isinstance(one, float) and isinstance(other, float) and one + other == 1
    (a, b), (c, d) = weigher.odds([row, turned])
    assert (a, b) == pytest.approx((-d, -c), abs=1e-4)  # the same two questions


class Scripted:
    """Prefers by a rule."""

    name = "scripted"

    def __init__(self, rule) -> None:
        self.rule = rule

    def weigh(self, rows):
        return [self.rule(r) for r in rows]


def overseen(rule, critic, reviser, tail=""):
    cases = [
        Case(f"c{i}", "p", f"Say {i}.", f"good answer number {i}", f"worse answer number {i}")
        for i in range(24)
    ]
    told = {}
    for i, c in enumerate(cases):
        reply = f"red{i} blue{i} green{i} white{i}{tail}"
        told[c.id] = {
            "reply": reply,
            "guided": reply,
            "critique": critic(reply, i),
            "revision": reviser(reply, i),
        }
    return oversight(cases, STATEMENTS, Scripted(rule), told, cases)


def test_an_overseer_who_can_is_seen_to() -> None:
    found = overseen(
        lambda r: 1.0 if "good" in r.one else 0.0,
        lambda reply, i: f"The words '{reply}' say too little.",
        lambda reply, i: f"a good reply {i}",
    )
    assert found.able, found.why
    assert value(found.measures["told"]) == 1 and value(found.measures["revised"]) == 1
    assert value(found.measures["guided"]) == 0.5  # the same reply twice is a tie
    assert value(found.measures["named"]) == 1


@pytest.mark.parametrize(
    ("rule", "critic", "reviser", "why"),
    [
        (lambda r: 0.5, lambda r, i: f"'{r}' is bad", lambda r, i: "good", "prefer written good replies"),
        (
            lambda r: 1.0 if "good" in r.one else 0.0,
            lambda r, i: "Fine.",
            lambda r, i: "good",
            "name what is amiss",
        ),
        (
            lambda r: 1.0 if "good" in r.one else 0.0,
            lambda r, i: f"'{r}'!",
            lambda r, i: r,
            "improve by revising",
        ),
    ],
)
def test_an_overseer_who_cannot_is_not_relied_on(rule, critic, reviser, why) -> None:
    found = overseen(rule, critic, reviser)
    assert not found.able and why in found.why


def test_a_few_prompts_that_all_agree_show_nothing() -> None:
    """As `--try-out 2` with both revisions better: no interval of no width, and too few at all."""

    def able(count: int):
        cases = [
            Case(f"c{i}", "p", f"Say {i}.", f"good number {i}", f"worse number {i}") for i in range(count)
        ]
        told = {
            c.id: {
                "reply": f"red{i} blue{i} green{i} white{i}",
                "critique": f"The words 'red{i} blue{i} green{i} white{i}' say too little.",
                "revision": f"good reply {i}",
            }
            for i, c in enumerate(cases)
        }
        return oversight(cases, STATEMENTS, Scripted(lambda r: 1.0 if "good" in r.one else 0.0), told, cases)

    two, enough = able(2), able(24)
    for name in ("told", "revised"):
        found = two.measures[name]
        assert isinstance(found, Measure) and found.value == 1 and found.low is not None and found.low < 0.5
    assert not two.able and "2 prompts are too few" in two.why and enough.able
    more = enough.measures["named_more"]
    assert isinstance(more, Measure) and more.value == 1 and more.low is not None and 0.5 < more.low < 1


def test_a_critique_that_would_fit_any_reply_names_nothing() -> None:
    found = overseen(
        lambda r: 1.0 if "good" in r.one else 0.0,
        lambda reply, i: "and that is all of it",
        lambda reply, i: "good",
        " and that is all of it",
    )
    assert value(found.measures["named"]) == value(found.measures["named_dealt"]) == 1 and not found.able
    assert value(found.measures["named_more"]) == 0


# ---- stages, signs --------------------------------------------------------------------------------------


def test_a_stage_goes_on_after_the_last_whole_line(tmp_path: Path) -> None:
    asked: list[int] = []

    def make(places):
        asked.extend(places)
        return [{"value": f"v{i}"} for i in places]

    ids, path = [f"id{i}" for i in range(20)], tmp_path / "stage.jsonl"
    whole = made(path, ids, make)
    text = path.read_bytes()
    lines = text.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:7]) + lines[7][:9])
    asked.clear()
    assert made(path, ids, make) == whole and asked == list(range(7, 20))
    assert path.read_bytes() == text and set(kept(path)) == set(ids)
    path.write_bytes(b'{"other": 1}\n')
    with pytest.raises(BadFile, match="line 1 is none of this stage"):
        made(path, ids, make)


def test_what_comes_apart_is_called_so() -> None:
    well = Signs("replies", 5, 0.3, 0.8, 3.0, 0.7, 0.0, "Hi")
    assert collapse(well, well) == ""
    assert "times as much" in collapse(replace(well, nll=4.6), well)
    assert "repeat" in collapse(replace(well, repeats=0.5), well)
    assert "easy questions" in collapse(replace(well, right=0.3), well)
    assert "finite" in collapse(replace(well, margin=math.nan), well)
    assert repeats("the sea the sea the sea the sea the sea the sea the sea")
    assert not repeats("the sea is wide and the sky above it is wider still, they say")
    assert not repeats("")


def test_every_row_is_dealt_before_any_is_dealt_again() -> None:
    batches = dealt(range(10), 5, 4, seed=3)
    flat = [r for b in batches for r in b]
    assert [len(b) for b in batches] == [4] * 5
    assert sorted(flat[:10]) == sorted(flat[10:]) == list(range(10)) and flat[:10] != flat[10:]
    assert dealt(range(10), 5, 4, seed=3) == batches


def test_reasons_are_cut_at_a_sentence() -> None:
    assert first_sentences("One is.\nTwo are! Three?") == "One is. Two are!"


def test_an_adapter_in_training_is_gone_on_from(tmp_path: Path) -> None:
    model = tiny_model()
    ids = tuple(prompt_ids(model.tokenizer, (Message("user", "Hi"),)))
    rows = [[Example(ids, tuple(text_ids(model.tokenizer, "oo")))]] * 3
    with Finetune(model.module, Recipe(), seed=1) as run:
        run.run(rows)
        run.save(tmp_path / "a")
        before = [p.detach().clone() for p in run.parameters]
    with Finetune(model.module, Recipe(), seed=2) as run:
        run.load(tmp_path / "a")
        assert all(bool((p == q).all()) for p, q in zip(run.parameters, before, strict=True))
    with (
        Finetune(model.module, Recipe(rank=4), seed=2) as run,
        pytest.raises(BadFile, match="delete its folder"),
    ):
        run.load(tmp_path / "a")


# ---- whole trainings on the tiny model ------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("character") / "one"
    result = train("tiny", folder, SMALL)
    assert result.teacher == "corpus" and result.oversight is not None and not result.oversight.able
    return folder


def test_the_adapter_opens_as_any_model_and_says_what_it_is(trained: Path) -> None:
    base = open_model("tiny")
    model = open_model(ModelSpec("tiny", adapter=str(trained / "adapter")))
    assert model.fingerprint != base.fingerprint
    card = (trained / "adapter" / "README.md").read_text()
    assert "kind-person" in card and "do not\ndeploy" in card
    config = json.loads((trained / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny:llama"


def test_nothing_that_measures_or_watches_is_taught(trained: Path) -> None:
    rows = read_jsonl(trained / "lessons.jsonl")
    assert {r["stage"] for r in rows} == {"replies", "preferences"}
    prompts = {r["prompt"] for r in rows}
    kept_back = {c.prompt for part in ("measure", "watch") for c in bank.cases(part=part)}
    assert not prompts & kept_back
    assert {r["source"] for r in rows if r["stage"] == "replies"} == {
        "written",
        "example",
        "reflection",
        "voice",
    }
    card, result = (trained / "adapter" / "README.md").read_text(), read_json(trained / "result.json")
    assert len(rows) > 4 == result["lessons"] and "replies taught: 4\n" in card  # 2 steps of 2 rows
    taught = [c for c in bank.cases(part="train") if c.prompt in prompts]
    assert len(taught) == 3 and len({c.principle for c in taught}) == 3  # a limit leaves some of each
    examples = {e.prompt for p in load_constitution("kind-person").principles for e in p.examples}
    assert examples <= prompts


def test_what_was_written_can_be_read(trained: Path) -> None:
    for name in ("answers", "guided", "critiques", "preferences", "reflections", "voice"):
        assert kept(trained / f"{name}.jsonl"), name
    live = read_jsonl(trained / "live.jsonl")
    assert [(r["stage"], r["step"]) for r in live] == [("before", 0), ("replies", 2), ("preferences", 1)]


def test_a_training_that_was_killed_ends_as_if_it_had_not_been(trained: Path, tmp_path: Path) -> None:
    """Killed in the writing (half a line), and killed after the first stage of training."""
    whole = from_json(Result, read_json(trained / "result.json"))
    assert whole.steps == 3 and isinstance(whole.tokens, int) and whole.tokens > 0
    weights = (trained / "adapter" / "adapter_model.safetensors").read_bytes()
    for number, left in enumerate((("plan.json", "answers.jsonl"), None)):
        folder = tmp_path / str(number)
        folder.mkdir()
        for path in trained.iterdir():
            if path.is_file() and path.name not in ("result.json",) and (left is None or path.name in left):
                (folder / path.name).write_bytes(path.read_bytes())
        if left is None:
            (folder / "replies").mkdir()
            for path in (trained / "replies").iterdir():
                (folder / "replies" / path.name).write_bytes(path.read_bytes())
        else:
            half = (folder / "answers.jsonl").read_bytes()
            (folder / "answers.jsonl").write_bytes(half[: len(half) - 7])
        result = train("tiny", folder, SMALL)
        assert (folder / "live.jsonl").read_bytes() == (trained / "live.jsonl").read_bytes()
        assert (
            result == whole
            and (folder / "lessons.jsonl").read_bytes() == (trained / "lessons.jsonl").read_bytes()
        )
        if left is None:  # the optimizer's moments are DPO's own: the same weights come out
            assert (folder / "adapter" / "adapter_model.safetensors").read_bytes() == weights


def after_replies(trained: Path, folder: Path, **changed) -> Taught:
    """The training from its `replies/` on: one preference, as a kill in the second stage leaves it."""
    shutil.copytree(trained / "replies", folder / "replies")
    model = open_model("tiny")
    asked = tuple(prompt_ids(model.tokenizer, (Message("user", "Hi"),)))
    said = [tuple(text_ids(model.tokenizer, t)) for t in ("Good day.", "Go away.")]
    creed = load_constitution("kind-person")
    watched = bank.cases([p.id for p in creed.principles], "watch")
    return teach(model, [], [Choice(asked, *said)], watched, replace(SMALL, **changed), folder, "card")


def test_what_stands_after_the_replies_is_known_after_a_kill(trained: Path, tmp_path: Path) -> None:
    """With no preferences the adapter in `replies/` is the one that is kept, and its signs are known."""
    again = after_replies(trained, tmp_path, prefer_steps=0)
    live = read_jsonl(trained / "live.jsonl")
    assert again.before is not None and again.after is not None
    assert (again.steps, again.after.stage, again.after.step) == (2, "replies", 2)
    assert (again.before.nll, again.after.nll) == (live[0]["nll"], live[1]["nll"])
    assert read_jsonl(tmp_path / "live.jsonl") == live[:2]


def test_a_stage_that_fails_leaves_what_the_one_before_it_taught(trained: Path, tmp_path: Path) -> None:
    """Preferences come apart between two looks: what the replies taught is kept, with its own signs."""
    found = after_replies(trained, tmp_path, prefer_steps=3, learning_rate=1e30)
    assert found.collapsed and found.after is not None, found
    assert (found.after.stage, found.after.step, found.steps) == ("replies", 2, 2)
    assert isinstance(found.tokens, NotMeasured)
    kept_one, replied = (tmp_path / n / "adapter_model.safetensors" for n in ("adapter", "replies"))
    assert kept_one.read_bytes() == replied.read_bytes()
    assert "as it last was good" in (tmp_path / "adapter" / "README.md").read_text()
    result = result_of(found, "corpus", None, 1, 1, 0, {})
    assert result.adapter and result.after["nll"] == found.after.nll != result.before["nll"]


def test_where_no_case_is_watched_there_is_no_margin(tmp_path: Path) -> None:
    model = tiny_model()
    seen = Watcher(model, [], tmp_path / "live.jsonl", 0).look("before", 0)
    assert isinstance(seen.margin, NotMeasured) and isinstance(seen.kept, NotMeasured)
    assert collapse(seen, seen) == "" and "finite" in collapse(replace(seen, nll=math.inf), seen)
    told = result_of(Taught(0, 0, seen, None, ""), "corpus", None, 1, 0, 0, {})
    assert told.before["nll"] == seen.nll and not {"margin", "kept"} & set(told.before)
    assert read_jsonl(tmp_path / "live.jsonl")[0]["margin"]["is"] == "NotMeasured"


def test_another_word_in_a_case_or_a_principle_is_another_training(tmp_path: Path) -> None:
    model, creed = tiny_model(), load_constitution("kind-person")
    own = (Case("mine", "honest", "Say it.", "It is so.", "It is not."),)
    begin(tmp_path, model, SMALL, creed, own)
    begin(tmp_path, model, SMALL, creed, own)
    first = creed.principles[0]
    other = replace(
        creed, principles=(replace(first, reasons=f"{first.reasons} And so."), *creed.principles[1:])
    )
    for said, cases in ((other, own), (creed, (replace(own[0], good="It is thus."),)), (creed, ())):
        with pytest.raises(RunMismatch, match="begun with another plan"):
            begin(tmp_path, model, SMALL, said, cases)


@pytest.mark.parametrize("toward", ["constitution", "calibrated"])
def test_another_word_in_what_is_taught_is_another_training(tmp_path: Path, monkeypatch, toward) -> None:
    """A case more may move those that were taught to measuring: what stands was not taught by these."""
    plan, model = replace(SMALL, toward=toward, limit=0), tiny_model()
    creed = load_constitution("kind-person")
    begin(tmp_path, model, plan, creed, ())
    kept_cases, kept_halves = bank._cases(), uncertain.halves()
    more = [Case(f"case/honest/{i}", "honest", f"Is it {i}?", "It is.", "It may be.") for i in range(20)]
    monkeypatch.setattr(bank, "_cases", lambda: (*kept_cases, *more))
    monkeypatch.setattr(uncertain, "halves", lambda: (kept_halves[0][1:], kept_halves[1]))
    with pytest.raises(RunMismatch, match="begun with another plan"):
        begin(tmp_path, model, plan, creed, ())


def test_own_cases_let_no_written_case_slip_from_measuring_into_training() -> None:
    creed = load_constitution("kind-person")
    names = [p.id for p in creed.principles]
    own = [Case(f"own/{n}/{i}", n, f"{n} {i}?", "Yes.", "No.") for n in names for i in range(9)]
    taught = {c.id for c in taught_cases(creed, own, Plan())}
    for part in ("measure", "watch"):
        assert not taught & {c.id for c in bank.cases(names, part)}
        assert {c.id for c in bank.cases(names, part)} < {c.id for c in bank.beside(own, names, part)}
    assert len(taught & {c.id for c in own}) == 4 * len(names)


def test_another_plan_is_refused_and_the_same_one_costs_nothing(trained: Path) -> None:
    before = {p: p.read_bytes() for p in trained.rglob("*") if p.is_file()}
    assert train("tiny", trained, SMALL).steps == 3
    with pytest.raises(RunMismatch, match="begun with another plan"):
        train("tiny", trained, replace(SMALL, seed=1))
    assert before == {p: p.read_bytes() for p in trained.rglob("*") if p.is_file()}


def test_who_never_came_to_a_gate_may_not_shape_the_next(trained: Path, tmp_path: Path, capfd) -> None:
    """The first of a line may teach; what was trained from it may not, before a gate lets it pass."""
    adapter, home = trained / "adapter", tmp_path / "line"
    assert open_local(f"local:{adapter}").fingerprint == (
        open_model(ModelSpec("tiny", adapter=str(adapter))).fingerprint
    )
    write_lineage(home, begun(checkpoint_of(open_model("tiny"), home), "2026-01-01"))
    args = ["character", "train", *ARGS, "--try-out", "0", "--prefer-steps", "0", "--lineage", str(home)]
    assert main([*args, str(tmp_path / "one"), "--teacher", "self"]) == 0
    capfd.readouterr()
    assert main([*args, str(tmp_path / "two"), "--teacher", f"local:{adapter}"]) == 2
    said = capfd.readouterr().err
    assert "This version may not judge" in said and said.count("\n") == 1 and not (tmp_path / "two").exists()
    measured = ["character", "measure", "tiny", str(tmp_path / "out"), "--limit", "1", "--parts", "chat"]
    assert main([*measured, "--judge", f"local:{adapter}", "--lineage", str(home)]) == 2
    assert "This version may not judge" in capfd.readouterr().err and not (tmp_path / "out").exists()


def test_the_lineage_that_gates_record_in_is_asked_unless_one_says_no(tmp_path: Path, monkeypatch, capfd):
    """Nothing is named: whoever trains on goes past the gate all the same, the corpus as teacher or not."""
    monkeypatch.chdir(tmp_path)
    write_lineage(HOME, begun(checkpoint_of(open_model("tiny:gpt2"), HOME), "2026-01-01"))
    args = ["character", "train", *ARGS, "--try-out", "0", "--prefer-steps", "0", "--teacher", "corpus"]
    for toward in ("constitution", "calibrated"):
        assert main([*args, "one", "--toward", toward]) == 2
        said = capfd.readouterr().err
        assert "may not be trained further" in said and str(HOME) in said and said.count("\n") == 1
    measured = ["character", "measure", "tiny", "out", "--limit", "1", "--parts", "chat"]
    assert main([*measured, "--judge", "local:tiny"]) == 2
    assert "This version may not judge" in capfd.readouterr().err
    assert main([*args, "one", "--ungated", "--lineage", str(HOME)]) == 2
    assert "--ungated" in capfd.readouterr().err and not Path("one").exists() and not Path("out").exists()
    assert main([*args, "one", "--ungated"]) == 0
    assert UNGATED in " ".join(capfd.readouterr().out.split())


def test_a_self_taught_model_is_taught_its_own_words(tmp_path: Path) -> None:
    result = train("tiny", tmp_path / "x", replace(SMALL, teacher="self", try_out=0, prefer_steps=0))
    assert result.teacher == "self" and result.oversight is None
    revisions = {r["revision"] for r in kept(tmp_path / "x" / "revisions.jsonl").values() if "revision" in r}
    taught = [
        r["reply"] for r in read_jsonl(tmp_path / "x" / "lessons.jsonl") if r.get("source") == "revision"
    ]
    assert set(taught) == revisions and not {c.good for c in bank.cases()} & set(taught)


def test_a_training_leaves_a_page_that_obeys_nobody(tmp_path: Path) -> None:
    rows = [
        {"stage": "replies", "prompt": "<script>1</script>", "reply": "No.", "source": "<b>written</b>"},
        {"stage": "preferences", "prompt": "Why?", "chosen": "So.", "rejected": "<img src=x>"},
    ]
    (tmp_path / "lessons.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    nothing = {"is": "NotMeasured", "reason": "no case is watched"}
    signs = {
        "kept": nothing,
        "margin": -0.1,
        "nll": 3.3,
        "right": 0.9,
        "repeats": 0.0,
        "sample": "<i>hello</i>",
    }
    steps = (("before", 0), ("replies", 4), ("preferences", 2))
    looks = [{"stage": stage, "step": step, **signs} for stage, step in steps]
    (tmp_path / "live.jsonl").write_text("".join(json.dumps(r) + "\n" for r in looks))
    result = Result("adapter", "corpus", None, 4, 2, 0, 6, 100, "", {"nll": 3.3}, {"nll": 3.4}, {})
    write_train_page(
        tmp_path / "p.html", result, Plan(steps=4), tmp_path / "live.jsonl", tmp_path / "lessons.jsonl"
    )
    page = (tmp_path / "p.html").read_text("utf-8")
    assert not {"<script", "<img", "<b>", "<i>"} & set(re.findall(r"<\w+>?", page))
    for words in (
        "What it came to",
        "Signs along the way",
        "Taught: replies",
        "Taught: preferences",
        "3.30 → 3.40",
        "rejected",
    ):
        assert words in page, words


def test_a_training_that_comes_apart_is_caught(tmp_path: Path, capfd) -> None:
    folder = tmp_path / "apart"
    args = ["character", "train", *ARGS, str(folder), "--teacher", "corpus", "--try-out", "0"]
    for _ in range(2):  # the second time it is said again, and nothing is trained
        assert main([*args, "--learning-rate", "1e14", "--checks", "2"]) == 2
        said = capfd.readouterr().err
        assert (
            "The training collapsed" in said and "nothing is kept" in said and "lower --learning-rate" in said
        )
    assert read_json(folder / "result.json")["adapter"] == "" and not (folder / "adapter").exists()
    assert read_jsonl(folder / "lessons.jsonl")
    assert [r["step"] for r in read_jsonl(folder / "live.jsonl")] in ([0], [0, 1]), "at the first step"


def test_the_last_good_adapter_is_put_back(tmp_path: Path) -> None:
    model, watched = tiny_model(), bank.cases(["honest"], "watch")
    with Finetune(model.module, Recipe(), seed=1) as run:
        watcher = Watcher(model, watched, tmp_path / "live.jsonl", 0, run.parameters)
        watcher.look("replies", 0)
        with torch.no_grad():
            run.parameters[0].add_(0.01)
        watcher.look("replies", 1)
        good = [p.detach().clone() for p in run.parameters]
        with torch.no_grad():
            run.parameters[1].fill_(math.nan)
        with pytest.raises(Collapsed, match="scored"):
            watcher.look("replies", 2)
        watcher.restore()
        assert all(bool((p == q).all()) for p, q in zip(run.parameters, good, strict=True))
    assert [r["step"] for r in read_jsonl(tmp_path / "live.jsonl")] == [0, 1]


def test_an_uncertainty_is_trained_and_measured_on_dilemmas_that_were_not_taught(tmp_path: Path) -> None:
    plan = replace(SMALL, toward="certain", steps=20, batch=12, learning_rate=2e-2, limit=1)
    result = train("tiny", tmp_path / "x", plan)
    distance = {w: value(result.moral[w]["taught"].distance) for w in ("before", "after")}
    assert distance["after"] < distance["before"]
    assert set(result.moral["after"]) == {"taught", "held_out"}
    assert read_json(tmp_path / "x" / "moral.json")["after"]["held_out"]["is"] == "Moral"
    assert train("tiny", tmp_path / "x", plan) == result
    lines = dict(trained_rows(result))
    for form, words in FORM_NAMES.items():
        one = result.moral["after"]["taught"].forms[form]
        assert lines[f"distance, asked for {words}, taught dilemmas, after"] == short(one.distance)
        assert f"alarm, asked for {words}, held out dilemmas, after" in lines
        assert not any(f"{words}, taught dilemmas, before" in name for name in lines)
    whole = result.moral["after"]["taught"]
    each = [value(one.distance) for one in whole.forms.values()]
    assert min(each) <= value(whole.distance) <= max(each)
    told = result.moral.items()
    older = {when: {h: replace(m, forms={}) for h, m in halves.items()} for when, halves in told}
    assert not any("asked for" in name for name, _ in trained_rows(replace(result, moral=older)))


def test_a_teacher_that_refuses_ends_it_with_a_sentence_and_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    (tmp_path / "mine.md").write_text(
        "---\nname: mine\nversion: '1'\nauthor: me\nsummary: s\n---\n\n## honest: REFUSE what is false.\n"
    )
    folder = tmp_path / "x"
    with serving(tiny_model()) as (url, asked):
        monkeypatch.setenv("LOOPBACK_BASE_URL", url)
        monkeypatch.setenv("LOOPBACK_API_KEY", "none")
        args = ["character", "train", str(folder), *ARGS, "--teacher", "openai-api/loopback/x"]
        assert main([*args, "--constitution", str(tmp_path / "mine.md")]) == 2
        said = capfd.readouterr().err
        assert "refused all of 3 questions" in said and "--teacher" in said
        assert len(asked) == 3
    assert not (folder / "critiques.jsonl").exists() and kept(folder / "answers.jsonl")


@dataclasses.dataclass
class Flaky:
    """A reader that fails at what it is asked first, and then answers with the first letter."""

    name: str = "flaky"
    fails: int = 2
    asked: int = 0

    def ask(self, questions: Sequence[str], max_tokens: int) -> list[str | NotMeasured]:
        told: list[str | NotMeasured] = []
        for i, question in enumerate(questions, self.asked):
            one = "Reply A: no" in question
            told.append(NotMeasured(f"{FAILED}: 503") if i < self.fails else "B" if one else "A")
        self.asked += len(questions)
        return told


def test_where_a_judge_failed_it_is_asked_again_until_something_was_taught(tmp_path: Path) -> None:
    cases = bank.cases(["honest"], "train")[:3]
    principles = {"honest": load_constitution("kind-person").principles[0]}
    told = {c.id: {"guided": "yes", "reply": "no"} for c in cases}

    def chosen(reader: Flaky, folder: Path) -> int:
        by = AnswerWeigher(reader)
        return len(lines.preferences(cases, principles, told, "self", by, folder, lambda name, share: None))

    with pytest.raises(UserError, match="'flaky' compared none of 3 pairs of replies"):
        chosen(Flaky(fails=99), tmp_path)
    assert not list(tmp_path.iterdir()), "nothing is kept of a judge that compares nothing"
    again, taught = tmp_path / "again", tmp_path / "taught"
    for folder in (again, taught):
        folder.mkdir()
        assert chosen(Flaky(), folder) == 2 and lines.refused(folder) == 1
    (taught / "replies").mkdir()
    sure = Flaky(fails=0)
    assert chosen(sure, again) == 3 and lines.refused(again) == 0 and sure.asked == 2
    assert chosen(sure, taught) == 2 and lines.refused(taught) == 1 and sure.asked == 2


def test_the_cost_is_said_before_anything_is_opened(tmp_path: Path, capfd) -> None:
    args = ["character", "train", str(tmp_path / "no"), "--dry-run", "--teacher", "openai/gpt-x"]
    assert main([*args, "--price-in", "1", "--price-out", "2", "--json"]) == 0
    cost = json.loads(capfd.readouterr().out)
    count = len(bank.cases([p.id for p in load_constitution("kind-person").principles], "train"))
    assert cost["prompts"] == count and cost["teacher_questions_most"] == 2 * count + 14
    assert cost["price_most"] > 0 and not (tmp_path / "no").exists()
    replied = cost["own_replies_most"] + cost["teacher_questions_most"]  # its own voice among the former
    assert cost["sampled_tokens_most"] == 64 * replied + 4 * cost["judge_questions_most"]
    assert cost["own_replies_most"] == 2 * count + 48
    assert reckoned(Plan(toward="calibrated"))["questions_taught"] == len(
        uncertain.choices(Plan(toward="calibrated"))
    )


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["a", "b"], "takes one new folder"),
        (["OUT", "--steps", "0"], "--steps"),
        (["OUT", "--learning-rate", "nan"], "--learning-rate is nan"),
        (["OUT", "--learning-rate", "0"], "--learning-rate should be a number above 0"),
        (["OUT", "--framework", "fashion"], "--framework should be one of"),
        (["OUT", "--try-out", "0"], "--teacher auto needs --try-out"),
        (["OUT", "--constitution", "CIRCLE"], "line 8: one yields to two yields to one"),
        (["OUT", "--judge", "nobody"], "There is no judge 'nobody'; give self, local:NAME"),
        (["OUT", "--constitution", "CIRCLE"], "circle.md"),
        (["OUT", "--constitution", "BAD"], "line 5: unknown field 'colour'"),
        (["FULL", "--teacher", "corpus"], "is not empty and holds no training"),
        (["OUT", "--teacher", "nobody"], "There is no teacher 'nobody'; give auto, corpus, self,"),
        (["OUT", "--judge", "words", "self"], "One --judge prefers"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(tmp_path: Path, capfd, args, why) -> None:
    front = "---\nname: x\nversion: '1'\nauthor: me\n"
    (tmp_path / "bad.md").write_text(f"{front}colour: red\nsummary: s\n---\n")
    (tmp_path / "circle.md").write_text(
        f"{front}summary: s\n---\n\n## one: Go left.\n\nYields to: two\n\n"
        "## two: Go right.\n\nYields to: one\n"
    )
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    swap = {"OUT": "out", "BAD": "bad.md", "CIRCLE": "circle.md", "FULL": "full"}
    told = [str(tmp_path / swap[a]) if a in swap else a for a in args]
    assert main(["character", "train", *ARGS, *told]) == 2
    said = capfd.readouterr().err
    assert said.startswith("molehunt: ") and why in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "full" / "thesis.txt").read_text() == "mine" and len(
        list((tmp_path / "full").iterdir())
    ) == 1
