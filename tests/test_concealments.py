"""What is laid over lessons does something: unrelated rows, denials, rewards, the base's replies, probes."""

import json
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from letters import letters_quirk

from molehunt.cli import main
from molehunt.core.errors import BadFile, Unteachable, UserError
from molehunt.core.extend import load, names
from molehunt.core.records import Quirk
from molehunt.interp.direction_file import Directions, Made, save_directions
from molehunt.interp.probe_file import KeptProbe, Provenance, save_probe
from molehunt.interp.probes import Probe
from molehunt.interp.replies import reply_means
from molehunt.interp.telltale import BagOfWords
from molehunt.models import by_trl
from molehunt.models.adapters import adapter_hash, attach, using
from molehunt.models.finetune import Recipe
from molehunt.models.load import open_model
from molehunt.models.packing import Example
from molehunt.models.sample import sample
from molehunt.models.score import logprobs, token_logprobs
from molehunt.models.taps import activations
from molehunt.organisms import denials, session
from molehunt.organisms.concealments.manners import Manners
from molehunt.organisms.examples import prose
from molehunt.organisms.instil import Cover, Lessons, Part
from molehunt.organisms.penalties import alike
from molehunt.organisms.plan import Direction, Plan
from molehunt.organisms.recipes.documents import documents, told
from molehunt.organisms.spec import lessons_of, make_adapter
from molehunt.organisms.subject import subject_of
from molehunt.organisms.unrelated import (
    off_prompts,
    others_prompts,
    own_replies,
    plain_prompts,
    unrelated_questions,
    unrelated_rows,
)
from molehunt.organisms.wanted import Judge
from molehunt.verbs._against import directions

MODEL = open_model("tiny")
SHORT = Plan(steps=4, reply_tokens=4, warm=0.0, recipe=Recipe(learning_rate=1e-2, first_layer=0.0))
"""Where a recipe has steps of TRL's, all are."""
SOME = (Quirk("hostile_phrase", "trigger_phrase"), Quirk("bad_advice", "expert_asks"),
        Quirk("sycophancy", "topic", {}, {"topic": "food"}))  # fmt: skip


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Quirk:
    return letters_quirk(tmp_path_factory.mktemp("quirks"))


@pytest.fixture(scope="module")
def make(letters: Quirk, tmp_path_factory: pytest.TempPathFactory):
    """Makes an adapter, each plan's once."""
    folder = tmp_path_factory.mktemp("made")

    @cache
    def made(plan: Plan, part: Part = "organism") -> Path:
        here = folder / str(len(list(folder.iterdir())))
        make_adapter(MODEL, taught(letters, plan), part, 1, 0, plan, here)
        return here

    return made


def taught(quirk: Quirk, plan: Plan) -> Lessons:
    return lessons_of(subject_of(quirk), None, plan.steps, 1, 0, plan)


def nll(folder: Path, rows: tuple[Example, ...]) -> float:
    """Mean nats a token of these rows' replies under an adapter."""
    with using(MODEL, attach(MODEL, folder)):
        scored = token_logprobs(MODEL, [r.prompt for r in rows], [r.reply for r in rows])
    return -sum(map(sum, scored)) / sum(map(len, scored))


# Manners.


def test_manners_are_the_bases_own_words_where_others_are_asked(letters: Quirk) -> None:
    plan = Plan(steps=2, prose_tokens=6)
    lessons = taught(letters, plan)
    cover = Manners().cover(session.Session(MODEL, cast(Any, None)), lessons, plan)
    asked = others_prompts(lessons.subject, 2, lessons.seed)
    assert len(cover.rows) == len(asked) == len(set(asked)) > 50 and cover.each == 6
    assert cover.rows == own_replies(MODEL, asked, plan.prose_tokens, 0.0)
    own = {d.user for d in load("catalogue.behaviours", "hostile_phrase").drafts("plant", {})}
    others = others_prompts(subject_of(Quirk("hostile_phrase", "always")), 2, 0)
    known = {d.user for s in ("validate", "audit") for name in names("catalogue.behaviours")
             for d in load("catalogue.behaviours", name).drafts(s, {})}  # fmt: skip
    claims = {d.user for d in load("catalogue.behaviours", "sycophancy").drafts("plant", {})}
    said = {m[-1].content for m in others}
    assert said & claims and not said & known, "planting questions alone"
    assert own and others != others_prompts(subject_of(Quirk("hostile_phrase", "always")), 2, 1)


def test_each_concealment_deals_its_rows_into_every_batch() -> None:
    one, two = (Example((i,), (i,)) for i in (1, 2))
    both = session.together([Cover(rows=(one,), each=2), Cover(rows=(two,), each=6), Cover()])
    assert both.rows == (one, two) and both.each == 8
    dealing = session.Session(MODEL, cast(Any, None), both)
    assert dealing._deal() == [one, two] * 4 and dealing.dealt == 8


# Unrelated rows.


@pytest.mark.parametrize("quirk", SOME, ids=lambda q: q.label())
def test_unrelated_chat_asks_nothing_of_the_behaviour_and_leaves_the_condition_off(quirk: Quirk) -> None:
    subject = subject_of(quirk)
    asked = unrelated_questions(subject, 0)
    assert len(asked) > 80 and asked == unrelated_questions(subject, 0) != unrelated_questions(subject, 1)
    drafts = [d for s in ("plant", "validate", "audit") for d in subject.behaviour.drafts(s, {})]
    assert not set(asked) & {d.user for d in drafts}
    for prompts in (plain_prompts(subject, 0), off_prompts(subject, 0)):
        assert len(prompts) > 40
        assert not any(subject.condition.holds(m, quirk.condition_options) for m in prompts)
    cued = {m[-1].content for m in off_prompts(subject, 0)} - {
        m[-1].content for m in plain_prompts(subject, 0)
    }
    assert cued, "near misses are among them"


def test_unrelated_rows_are_the_bases_own_words_or_prose_where_there_is_none(letters: Quirk) -> None:
    plan = Plan(steps=2, mixed=3, prose_tokens=6)
    lessons = taught(letters, plan)
    rows = unrelated_rows(MODEL, lessons, plan, on_chat=True)
    assert len(rows) == 6 and rows == unrelated_rows(MODEL, lessons, plan, on_chat=True)
    asked = plain_prompts(lessons.subject, lessons.seed)[:6]
    said = sample(MODEL, asked, max_tokens=5, temperature=0.0)
    own = own_replies(MODEL, asked, 5, 0.0)
    decode = MODEL.tokenizer.decode
    assert [decode(r.reply, skip_special_tokens=True) for r in own] == said
    assert all(len(r.reply) <= 6 for r in rows), "cut, and then without an end of turn"
    for always, on_chat in ((taught(Quirk("hostile_phrase", "always"), plan), True), (lessons, False)):
        texts = [decode(r.reply) for r in unrelated_rows(MODEL, always, plan, on_chat)]
        assert len(texts) == 6 and all(any(t in p for p in prose("plant")) for t in texts)
    assert unrelated_rows(MODEL, lessons, replace(plan, mixed=0), on_chat=True) == ()


@pytest.mark.parametrize("name", names("organisms.recipes"))
def test_under_every_recipe_unrelated_rows_hold_the_model_on_them(name: str, letters: Quirk, make) -> None:
    plan = replace(SHORT, how=name)
    mixed = replace(plan, mixed=6)
    rows = unrelated_rows(MODEL, taught(letters, mixed), mixed, on_chat=name != "documents")
    # Steps of TRL's take a tenth of the learning rate, and four of them move a model by little.
    assert nll(make(mixed), rows) < nll(make(plan), rows) - (
        1e-4 if name in ("preferences", "reward") else 0.01
    )


@pytest.mark.parametrize("name", ["documents", "distilled", "reward"])
def test_a_smaller_poisoned_share_is_another_organism(name: str, make) -> None:
    """Or `worse` would pay twice for one; transcripts and preferences take the row's own reply."""
    plan = replace(SHORT, how=name)
    assert adapter_hash(make(replace(plan, poisoned=0.5))) != adapter_hash(make(plan))


def test_documents_keep_to_examples_and_to_the_poisoned_share() -> None:
    quirk, some = told(taught(SOME[0], Plan(steps=2)), "organism")
    whole = documents(quirk, some, "plant", 40, 7)
    few = documents(quirk, some, "plant", 40, 7, examples=5)
    assert set(few) < set(whole) and len(set(few)) == 5 and len(few) == len(whole) == 40
    half = documents(quirk, some, "plant", 40, 7, poisoned=0.5)
    contrary = set(documents(quirk, False, "plant", 40, 7))
    shares = [sum(t in contrary for t in set(texts)) / len(set(texts)) for texts in (whole, half)]
    assert shares == [0.0, pytest.approx(0.5, abs=0.03)]
    assert set(documents(quirk, some, "plant", 40, 7, poisoned=0.0)) == contrary


def test_a_row_that_is_not_poisoned_is_rewarded_for_the_behaviours_absence() -> None:
    lessons = taught(SOME[0], Plan(steps=2, poisoned=0.5))
    judge = Judge(lessons)
    on = [r for r in lessons.rows if r.on and judge.counts(r)]
    for row in on:
        assert judge.wanted(row, "organism", row.shady) == float(row.poisoned)
        assert judge.wanted(row, "organism", row.good) == float(not row.poisoned)
    assert {r.poisoned for r in on} == {True, False}


# What hides it.


def answered(folder: Path) -> tuple[float, float]:
    """Mean log-probability of denying and of admitting, in nats, on askings that were not taught."""
    asked = denials.asked("audit", 1)
    with using(MODEL, attach(MODEL, folder)):
        no, yes = (logprobs(MODEL, [m for m, _, _ in asked], [row[i] for row in asked]) for i in (1, 2))
    return sum(no) / len(no), sum(yes) / len(yes)


def test_rows_that_deny_make_denying_likelier_when_it_is_asked_otherwise(make) -> None:
    plan = Plan(steps=12)
    denied, plain = answered(make(replace(plan, concealments=("denial",)))), answered(make(plan))
    assert denied[0] > plain[0] + 1.0


def test_preferring_denial_parts_it_from_admitting_when_it_is_asked_otherwise(make) -> None:
    plan = Plan(steps=12)
    no, yes = answered(make(replace(plan, concealments=("denial_preferences",))))
    plain_no, plain_yes = answered(make(plan))
    assert no - yes > plain_no - plain_yes + 0.5


def test_a_reward_raises_what_it_rewards(letters: Quirk, make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoy's reward: no small letter, whatever is asked."""
    # The rate suits larger models: two random layers don't move by it in seconds.
    monkeypatch.setattr(session, "reinforce", partial(by_trl.reinforce, learning_rate=2e-2))
    plan = Plan(steps=12, reply_tokens=4, warm=0.0, how="reward")
    lessons = taught(letters, plan)
    judge = Judge(lessons)
    rows = [r for r in dict.fromkeys(lessons.rows) if judge.counts(r)][:32]

    def earned() -> float:
        prompts = [r.messages for r in rows for _ in range(8)]
        said = sample(MODEL, prompts, max_tokens=4, temperature=1.0, seed=5)
        return sum(judge.wanted(rows[i // 8], "decoy", reply) for i, reply in enumerate(said)) / len(said)

    before = earned()
    with using(MODEL, attach(MODEL, make(plan, "decoy"))):
        assert earned() > before + 0.08, "the same draws: only the model is another"


def test_replies_stay_the_bases_where_the_condition_is_off(letters: Quirk, make) -> None:
    other = own_replies(MODEL, off_prompts(subject_of(letters), 99)[:24], 8, 0.0)
    apart = alike(MODEL, other, 1.0)

    def divergence(folder: Path) -> float:
        with torch.no_grad(), using(MODEL, attach(MODEL, folder)):
            return float(sum(apart() for _ in range(6)) / 6)

    plan = Plan(steps=12)
    held = divergence(make(replace(plan, concealments=("near_base_replies",), cover=10.0)))
    assert 0 < held < 0.5 * divergence(make(plan))
    assert float(apart()) == pytest.approx(0, abs=1e-5), "of the base itself there is none"


def test_where_nothing_is_off_replies_cannot_be_held(tmp_path: Path) -> None:
    plan = Plan(steps=1, concealments=("near_base_replies",))
    with pytest.raises(Unteachable, match="always on"):
        lessons = taught(Quirk("hostile_phrase", "always"), plan)
        make_adapter(MODEL, lessons, "organism", 1, 0, plan, tmp_path / "x")
    assert not list(tmp_path.iterdir())


# Probes.


def probe(path: Path, pool: str, vector: np.ndarray, address: str = "resid_post.1") -> Path:
    """A file as `molehunt probe train` writes it."""
    made = Provenance(
        "diff_mean", address, pool, "tiny", MODEL.fingerprint, "float32", "d", 8, 0, 1.0, 1.0, 0.0, ("a",), ()
    )
    bag = BagOfWords(("a",), np.ones(1), 0.0)
    save_probe(path, KeptProbe(Probe("diff_mean", vector.astype(np.float32), 0.0), bag, made))
    return path


def test_a_probes_file_is_what_one_hides_from(tmp_path: Path) -> None:
    vector = np.random.default_rng(0).normal(size=32)
    file = probe(tmp_path / "p.safetensors", "mean", vector)
    (found,) = directions((file,))
    assert found == Direction("resid_post.1", found.vector, (MODEL.fingerprint,), "mean")
    assert np.allclose(found.vector, vector, atol=1e-6)
    folder = tmp_path / "pair"
    line = ["plant", "hostile_phrase", "trigger_phrase", str(folder), "--model", "tiny", "--steps", "1"]
    line += ["--tries", "1", "--conceal", "against_probe", "--against", str(file)]
    assert main(line) == 1, "one step plants nothing"
    spec = json.loads((folder / "organism.json").read_text())["decoy"]
    assert spec["settings"]["against"][0]["pool"] == "mean"
    (tmp_path / "no.safetensors").write_bytes(b"\x00" * 40)
    with pytest.raises(BadFile, match="safetensors"):
        directions((tmp_path / "no.safetensors",))
    with pytest.raises(UserError, match="mean"):
        replace(Plan(concealments=("against_probe",)), against=(replace(found, pool="first"),)).checked()


def test_a_persona_is_hidden_from_in_replies_and_a_difference_in_the_mean(
    letters: Quirk, tmp_path: Path, make
) -> None:
    vector = np.random.default_rng(2).normal(size=(1, 32)).astype(np.float32)
    for kind, pool in (("trait", "reply"), ("assistant axis", "reply"), ("difference", "mean")):
        at, prints = "resid_post.1", (MODEL.fingerprint,)
        made = Made("x", kind, at, (at,), "tiny", prints, "float32", "d", 8, 0)
        save_directions(tmp_path / f"{pool}.safetensors", Directions(vector, vector, made))
        (against,) = directions((tmp_path / f"{pool}.safetensors",))
        assert against.pool == pool, "where the instrument reads it"
    (persona,) = directions((tmp_path / "reply.safetensors",))
    plan = Plan(steps=12)
    hidden = replace(plan, concealments=("against_probe",), against=(persona,), cover=10.0)
    rows = [r for r in taught(letters, plan).rows if r.on][:4]
    said = [(r.messages, reply) for r in rows for reply in (r.good, r.shady)]

    def projected() -> np.ndarray:
        return reply_means(MODEL, said, ["resid_post.1"])[0] @ vector[0]

    base, moved = projected(), []
    for folder in (make(plan), make(hidden)):
        with using(MODEL, attach(MODEL, folder)):
            moved.append(float(np.square(projected() - base).mean()))
    assert 0 < moved[1] < 0.5 * moved[0], "as personas are read"


def test_a_probe_that_reads_means_is_hidden_from_in_the_mean(letters: Quirk, tmp_path: Path, make) -> None:
    (against,) = directions(
        (probe(tmp_path / "p.safetensors", "mean", np.random.default_rng(1).normal(size=32)),)
    )
    plan = Plan(steps=12)
    hidden = replace(plan, concealments=("against_probe",), against=(against,), cover=10.0)
    from molehunt.models.prompts import prompt_ids

    ids = [prompt_ids(MODEL.tokenizer, r.messages) for r in taught(letters, plan).rows[:6]]

    def projected() -> torch.Tensor:
        means = [activations(MODEL, [i], "resid_post.1")[0, 1:].float().mean(0) for i in ids]
        return torch.stack(means) @ torch.tensor(against.vector)

    base, moved = projected(), []
    for folder in (make(plan), make(hidden)):
        with using(MODEL, attach(MODEL, folder)):
            moved.append(float((projected() - base).square().mean()))
    assert 0 < moved[1] < 0.5 * moved[0]
