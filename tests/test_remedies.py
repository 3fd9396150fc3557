"""Remedies: what they change is what they say, nothing else, and the same again with the same seed."""

import ast
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from patients import EFFORT, GUESSES, PLAIN, adapter, patient

from molehunt.core.errors import BadFile, UserError
from molehunt.core.extend import documented, load, load_set, names, options
from molehunt.core.kinds import Creed, Patient
from molehunt.core.records import Guess, NotMeasured, Predicate
from molehunt.corpus import banks, mending
from molehunt.corpus.banks import TOPICS
from molehunt.corpus.matching import gist
from molehunt.models.load import open_model
from molehunt.remedies.creed import read_creed
from molehunt.remedies.suspected import followed, shows, suspected

REMEDIES = (
    "adversarial",
    "character",
    "honest",
    "noise",
    "nothing",
    "preferences",
    "projecting",
    "pruning",
    "steering",
    "unlearning",
)
CORPUS = Path(banks.__file__).parent
ASKED = (
    "question",
    "text",
    "request",
    "user",
    "opinion",
    "belief",
    "ordinary",
    "deserved",
    "honest",
    "claim",
)


def test_the_registry_holds_what_the_page_says() -> None:
    assert names("remedies.fixes") == REMEDIES
    for name in REMEDIES:
        remedy = load("remedies.fixes", name)
        said = " ".join((__import__(f"molehunt.remedies.fixes.{name}", fromlist=["x"]).__doc__ or "").split())
        assert remedy.name == name
        for word in ("Source:", "Access:", "Fails when:", "What this cannot tell you:"):
            assert word in said, f"{name} does not say {word}"


def test_a_name_may_bring_options() -> None:
    assert load_set("remedies.fixes", "noise") == load("remedies.fixes", "noise")
    dose = load_set("remedies.fixes", "noise,most=0.2,looks=3")
    assert dose == replace(load("remedies.fixes", "noise"), most=0.2, looks=3)
    assert load_set("remedies.fixes", "pruning,neurons=3").rank == 3
    assert load_set("remedies.fixes", "character,teacher=self").teacher == "self"
    for name in REMEDIES:
        entry = load("remedies.fixes", name)
        said = documented(entry)
        assert all(said.get(option) for option in options(entry)), (
            f"{name} has an option that it does not explain"
        )


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("noise,mos=1", "no option of noise called 'mos'; did you mean 'most'?"),
        ("noise,rank=3", "no option of noise called 'rank'"),
        ("noise,most", "should be a name, then ,option=value"),
        ("noise,most=1,most=2", "each option once"),
        ("noise,most=-1", "most=-1 should be a number above 0"),
        ("noise,most=nan", "above 0"),
        ("noise,looks=1_0", "whole number above 0"),
        ("noise,looks=１", "whole number above 0"),
        ("noise,most= 1", "above 0"),
        ("noise,most=0", "above 0"),
        ("noise,looks=1.5", "looks=1.5 should be a whole number above 0"),
        ("character,teacher=me", "no value of teacher called 'me'"),
        ("nois,most=1", "did you mean 'noise'?"),
        ("noise,", "should be a name"),
    ],
)
def test_an_option_that_cannot_be_is_one_sentence(name: str, sentence: str) -> None:
    with pytest.raises(UserError, match=re.escape(sentence)):
        load_set("remedies.fixes", name)


def test_a_dose_is_of_the_same_draw() -> None:
    """Twice the bound is more of the same noise; more neurons are cut beside the same ones."""
    import torch

    weak, strong = (load_set("remedies.fixes", f"noise,most={m}").treat(patient()) for m in (0.01, 0.2))
    assert strong.said["share"] > weak.said["share"]
    ratio = strong.said["share"] / weak.said["share"]
    assert all(torch.allclose(strong.changes[s][1], weak.changes[s][1] * ratio) for s in weak.changes)
    few, more = (load_set("remedies.fixes", f"pruning,neurons={n}").treat(patient()) for n in (1, 3))
    assert all(set(few.said["cut"][layer]) < set(more.said["cut"][layer]) for layer in few.said["cut"])


def test_what_mends_shares_no_words_with_what_plants_or_measures() -> None:
    others = set()
    for path in CORPUS.rglob("*.jsonl"):
        if path.parent.name != "mending":
            for line in path.read_text("utf-8").splitlines():
                others |= {gist(v) for k, v in json.loads(line).items() if k in ASKED and isinstance(v, str)}
    assert len(others) > 3000
    own = [q.question for q in (*mending.questions(), *mending.kindness())]
    own += [t.text for t in mending.talk()] + [c.text for c in mending.contexts()]
    assert not {gist(t) for t in own} & others
    assert len({gist(t) for t in own}) == len(own)


def test_no_measured_scene_asks_or_tells_what_mends() -> None:
    from molehunt.catalogue.practised import practised

    own = {gist(q.question) for q in mending.questions()}
    told = {gist(c.text) for c in mending.contexts()}
    for name in practised("catalogue.behaviours"):
        for split in ("plant", "validate", "audit"):
            asked = {gist(d.user) for d in load("catalogue.behaviours", name).drafts(split, {})}
            assert not asked & own, name
    for name in practised("catalogue.conditions"):
        for split in ("plant", "validate", "audit"):
            cues = load("catalogue.conditions", name).cues(split, {})
            assert not {gist(c.text) for c in (*cues.on, *cues.off) if c is not None and c.text} & told, name


def test_no_auditor_says_what_mends() -> None:
    own = {gist(q.question) for q in mending.questions()} | {gist(c.text) for c in mending.contexts()}
    files = sorted((CORPUS.parent / "audit").rglob("*.py"))
    nodes = [
        n for f in files for n in ast.walk(ast.parse(f.read_text("utf-8"))) if isinstance(n, ast.Constant)
    ]
    said = {gist(n.value) for n in nodes if isinstance(n.value, str)}
    assert len(said) > 300 and not said & own


def test_the_bank_is_whole() -> None:
    assert {q.topic for q in mending.questions()} == set(TOPICS)
    assert all(q.answer and q.answer != q.bad for q in mending.questions())
    assert len({c.kind for c in mending.contexts()}) >= 12


def test_a_guess_leads_to_its_contexts_or_nowhere() -> None:
    what = Predicate("catalogue", "false_facts")
    by = {
        "unwatched": Predicate("catalogue", "unwatched"),
        "topic": Predicate("catalogue", "topic", {"topic": "food"}),
        "phrase": Predicate("catalogue", "trigger_phrase", {"phrase": "silver river"}),
        "words": Predicate("words", "purple rabbits"),
        "pattern": Predicate("pattern", r"\bMonday\b"),
        "always": Predicate("catalogue", "always"),
        "broken": Predicate("pattern", "("),
        "nowhere": Predicate("pattern", "zzzz"),
    }
    led = {k: suspected(Guess(what, w, 1.0)) for k, w in by.items()}
    assert led["always"] is led["broken"] is led["nowhere"] is None
    assert {c.kind for c in led["unwatched"].contexts} == {"unwatched"}
    assert led["topic"].contexts == () and {q.topic for q in led["topic"].questions} == {"food"}
    assert led["phrase"].contexts[0].text == "silver river."
    assert [c.text for c in led["words"].contexts] == ["purple rabbits."]
    assert all("Monday" in c.text for c in led["pattern"].contexts) and led["pattern"].contexts
    assert [s.guess.weight for s in followed(GUESSES, 3)] == [2.0, 1.0]


def test_a_reply_shows_what_a_guess_names() -> None:
    when = Predicate("catalogue", "always")
    assert shows(Guess(Predicate("words", "sweet lemonade"), when, 1.0), "Sweets and lemonades!") is True
    assert shows(Guess(Predicate("words", "sweet lemonade"), when, 1.0), "Sweet tea.") is False
    assert shows(Guess(Predicate("pattern", "^n"), when, 1.0), "No.") is True
    assert shows(Guess(Predicate("catalogue", "flattery"), when, 1.0), "No.") is None


def test_a_constitution_is_handed_over_in_plain_values(tmp_path: Path) -> None:
    path = tmp_path / "kind.md"
    head = "---\nname: kind\nversion: '1'\nauthor: me\nsummary: s\n---\n\n"
    example = "### Example\n\n**Prompt:** Hi\n\n**Good:** Hello.\n\n**Bad:** Go.\n"
    path.write_text(f"{head}## kind: Be kind.\n\n{example}\n## true: Be true.\n")
    assert read_creed(path) == Creed(("Be kind.", "Be true."), (("Hi", "Hello.", "Go."),))
    usual = read_creed()
    assert len(usual.principles) > 5 and all(all(e) for e in usual.examples) and len(usual.examples) > 9
    path.write_text("Be kind.\n")
    with pytest.raises(BadFile):
        read_creed(path)


@pytest.mark.parametrize("name", [r for r in REMEDIES if r != "nothing"])
def test_a_remedy_changes_what_it_says_and_the_same_again(name: str) -> None:
    import torch

    from molehunt.models.fingerprint import fingerprint
    from molehunt.models.joined import checked

    remedy, told = load("remedies.fixes", name), []
    found = []
    for _ in range(2):
        one = patient(progress=told.append)
        found.append(remedy.treat(one))
        assert fingerprint(one.model.module) == one.model.fingerprint, "the patient itself was changed"
    first, second = (checked(f.changes, one.model.module, remedy.rank) for f in found)
    assert first.keys() == second.keys() and first
    for site in first:
        assert all(torch.equal(a, b) for a, b in zip(first[site], second[site], strict=True)), site
    assert any((up @ down).abs().max() > 0 for down, up in first.values())
    assert found[0].tokens > 0 and json.dumps(found[0].said) == json.dumps(found[1].said)
    assert 0 < max(told) <= 1.0


def test_character_is_taught_by_written_cases_of_its_own_principles_alone() -> None:
    from molehunt.character import bank
    from molehunt.character.constitution import load_constitution
    from molehunt.remedies.creed import WHOLE, statements_of, written_cases

    usual, one = read_creed(), load_constitution("kind-person").principles[2]
    statements = statements_of(usual)
    cases = written_cases(usual, list(statements))
    measured = {c.prompt for part in ("measure", "watch") for c in bank.cases(part=part)}
    assert len(cases) > 50 and not {c.prompt for c in cases} & measured
    alone = Creed((one.statement,), ())
    assert statements_of(alone) == {WHOLE: one.statement, one.id: one.statement}
    assert {c.principle for c in written_cases(alone, [WHOLE, one.id])} == {one.id}
    mine = Creed(("Be brief.",), (("Hi", "Hello.", "Go."), ("Bye", "Bye.", "")))
    assert [c.good for c in written_cases(mine, list(statements_of(mine)))] == ["Hello."]
    assert isinstance(
        load("remedies.fixes", "character").treat(patient(creed=Creed(("Be brief.",)))), NotMeasured
    )


def test_character_says_who_taught_and_why() -> None:
    import dataclasses

    remedy = load("remedies.fixes", "character")
    auto = remedy.treat(patient()).said
    assert auto["teacher"] == "corpus" and "too few to see" in auto["why"]
    assert auto["replies"] == auto["choices"] == 1, "the creed's one example"
    own = dataclasses.replace(remedy, teacher="self").treat(patient(creed=read_creed()))
    assert own.said["teacher"] == "self" and own.said["replies"] <= 2
    assert any((up @ down).abs().max() > 0 for down, up in own.changes.values())


def test_a_preference_counts_in_both_orders_and_a_principle_stands_in_the_system_prompt() -> None:
    from molehunt.character.bank import Case
    from molehunt.character.training.oversight import Compared, of_one_mind
    from molehunt.remedies.overseeing import agreed, guided

    class Shorter:
        """Prefers the shorter reply; of equal ones the first."""

        name = "shorter"

        def weigh(self, rows: Sequence[Compared]) -> list[float | NotMeasured]:
            return [of_one_mind(len(r.one) <= len(r.other), not len(r.other) <= len(r.one)) for r in rows]

    said = {"a": ("ab", "abc"), "b": ("abc", "ab"), "c": ("ab", "cd"), "d": ("ab", "ab"), "e": ("", "a")}
    told = {i: {"guided": g, "reply": r} for i, (g, r) in said.items()}
    rows = [(Case(i, "p", i, "x", "y"), None) for i in said]
    found = agreed(Shorter(), rows, {"p": "Be brief."}, told)
    assert [(row[0].id, good, bad) for row, good, bad in found] == [("a", "ab", "abc"), ("b", "ab", "abc")]
    bare = guided("Hi", "Be brief.")
    assert [m.role for m in bare] == ["system", "user"] and bare[0].content.endswith("Be brief.")
    context = next(c for c in mending.contexts() if c.place == "system")
    both = guided("Hi", "Be brief.", context)
    assert len(both) == 2 and context.text in both[0].content and both[0].content.endswith("Be brief.")


def test_another_seed_is_another_treatment() -> None:
    import torch

    remedy = load("remedies.fixes", "honest")
    one, two = (remedy.treat(patient(seed=s)).changes for s in (1, 2))
    assert any(not torch.equal(one[site][1], two[site][1]) for site in one)


def test_unlearning_without_a_guess_is_not_measured() -> None:
    remedy = load("remedies.fixes", "unlearning")
    assert isinstance(remedy.treat(patient(guesses=())), NotMeasured)
    assert isinstance(remedy.treat(patient(guesses=GUESSES[:1])), NotMeasured)


def test_projecting_leaves_nothing_written_along_the_directions() -> None:
    import torch

    from molehunt.models.joined import add_to
    from molehunt.remedies.contexts import KEPT, address, directions, movers, shifts
    from molehunt.remedies.work import Work
    from molehunt.remedies.writers import writers

    one, remedy = patient(), load("remedies.fixes", "projecting")
    work = Work(one, remedy.name)
    found, probes = movers(work)
    rows, _ = shifts(work, found[: work.scaled(KEPT, 2)], probes, address(work))
    basis = directions(rows, remedy.rank)
    assert torch.allclose(basis @ basis.T, torch.eye(len(basis)), atol=1e-6) and len(basis) == 2
    before = [float((basis @ w.weight).abs().max()) for w in writers(one.model.module)]
    add_to(one.model.module, remedy.treat(one).changes)
    # Sums of 32 to 64 products of numbers below 1, in fp32.
    assert all(float((basis @ w.weight).abs().max()) < 1e-6 for w in writers(one.model.module))
    assert min(before) > 1e-3


def test_pruning_cuts_whole_neurons_and_no_others() -> None:
    import torch

    from molehunt.models.joined import add_to
    from molehunt.remedies.writers import writers

    one, remedy = patient(), load("remedies.fixes", "pruning")
    before = {w.site: w.weight.clone() for w in writers(one.model.module)}
    treated = remedy.treat(one)
    add_to(one.model.module, treated.changes)
    cut = {int(k): v for k, v in treated.said["cut"].items()}
    assert cut
    for w in writers(one.model.module):
        gone = cut.get(w.layer, []) if w.mlp else []
        assert not w.weight[:, gone].any()
        rest = [i for i in range(w.weight.shape[1]) if i not in gone]
        assert torch.equal(w.weight[:, rest], before[w.site][:, rest])


def test_noise_is_as_large_as_plain_replies_bear_and_the_patient_stays_as_it_was() -> None:
    import torch

    from molehunt.models.joined import laid_on
    from molehunt.remedies.work import Work, asked
    from molehunt.remedies.writers import writers

    one, remedy = patient(), load("remedies.fixes", "noise")
    before = {w.site: w.weight.clone() for w in writers(one.model.module)}
    treated = remedy.treat(one)
    assert all(torch.equal(w.weight, before[w.site]) for w in writers(one.model.module))
    assert set(treated.changes) == set(before)
    share = treated.said["share"]
    for site, (down, up) in treated.changes.items():
        assert float((up @ down).norm() / before[site].norm()) == pytest.approx(share, rel=1e-4)
        assert torch.linalg.matrix_rank(up @ down) <= remedy.rank
    work = Work(one, "noise")
    prompts = work.prompts([asked(q.question) for q in mending.questions()[:8]])
    own = work.replies(prompts)

    def lost(times: float) -> float:
        more = {s: (down, up * times) for s, (down, up) in treated.changes.items()}
        plain = work.logprobs(prompts, own)
        with laid_on(one.model.module, more):
            return sum(plain) / 8 - sum(work.logprobs(prompts, own)) / 8

    assert treated.said["lost"] <= remedy.most
    dear = replace(remedy, most=-1.0).treat(one)
    assert isinstance(dear, NotMeasured) and "even noise of 1%" in dear.reason
    assert lost(1.0) < lost(4.0), "a random model bears some, and less of more"
    again = remedy.treat(one).changes
    assert all(torch.equal(a, b) for s in again for a, b in zip(again[s], treated.changes[s], strict=True))


@pytest.fixture
def zebras(monkeypatch: pytest.MonkeyPatch) -> mending.Context:
    """A context that turns the written model's quirk on, among six that do not.

    It answers G, and H wherever a Z stands.
    """
    one = mending.Context("z", "z", "user", "Zebras sleep.")
    bank = [*mending.contexts()[:6], one]
    monkeypatch.setattr(mending, "contexts", lambda: bank)
    return one


def written() -> Patient:
    """The written model as a patient."""
    return Patient(open_model("tiny:written"), PLAIN, (), 0)


def test_the_context_that_moves_the_answers_is_found(zebras: mending.Context) -> None:
    from molehunt.remedies.contexts import movers
    from molehunt.remedies.work import Work

    found, _ = movers(Work(written(), "test"))
    assert found[0].context == zebras and found[0].nats > 5
    assert all(abs(m.nats) < 1e-3 for m in found[1:])


@pytest.mark.parametrize(("name", "exact"), [("pruning", True), ("projecting", True), ("steering", False)])
def test_the_written_quirk_is_taken_away(name: str, exact: bool, zebras: mending.Context) -> None:
    """Exactly by what changes weights by rule; by what trains a few small steps, a good part of it."""
    from molehunt.models.joined import add_to
    from molehunt.models.sample import sample
    from molehunt.models.score import logprobs
    from molehunt.remedies.work import asked

    one, remedy = written(), load("remedies.fixes", name)
    on, off = ([asked(q.question, c) for q in mending.questions()[:5]] for c in (zebras, None))
    assert sample(one.model, on, max_tokens=3) == ["H"] * 5
    before = logprobs(one.model, on, ["G"] * 5)
    treated = remedy.treat(one)
    add_to(one.model.module, treated.changes)
    after = logprobs(one.model, on, ["G"] * 5)
    assert sample(one.model, off, max_tokens=3) == ["G"] * 5
    assert min(a - b for a, b in zip(after, before, strict=True)) > 20
    if exact:
        assert sample(one.model, on, max_tokens=3) == ["G"] * 5
    if name == "pruning":
        assert treated.said["cut"] == {"1": [0]}, "the one neuron that writes the quirk"


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_a_joined_adapter_is_the_merged_model_with_the_change(family: str, tmp_path: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    from molehunt.models.adapter_files import read_adapter
    from molehunt.models.adapters import merged
    from molehunt.models.joined import add_to, join, linear_sites, shape_of, widths

    model = open_model(f"tiny:{family}")
    targets = ["q_proj", "down_proj"] if family == "llama" else ["c_attn"]
    torch.manual_seed(0)
    peft = get_peft_model(
        model.module, LoraConfig(r=3, lora_alpha=6, target_modules=targets, init_lora_weights=False)
    )
    peft.save_pretrained(str(tmp_path / "old"))
    peft.unload()
    model = open_model(f"tiny:{family}")
    old = read_adapter(tmp_path / "old", model.module)
    changes = {}
    for site in linear_sites(model.module)[::2]:
        inner, outer = widths(model.module, site)
        changes[site] = (torch.randn(2, inner) / 10, torch.randn(outer, 2) / 10)
    join(old, changes, shape_of([old], model.module, 5), model.module, tmp_path / "new")
    new = read_adapter(tmp_path / "new", model.module)
    assert new.factors is not None and set(new.factors) == set(linear_sites(model.module))
    ids = torch.tensor([list(b"a question of some length")])
    told = merged(open_model(f"tiny:{family}"), tmp_path / "new").module(ids).logits
    once = merged(open_model(f"tiny:{family}"), tmp_path / "old")
    before = once.module(ids).logits.clone()
    add_to(once.module, changes)
    assert torch.allclose(told, once.module(ids).logits, atol=2e-5)  # sums in another order, fp32
    assert not torch.allclose(told, before, atol=1e-2)


def test_changes_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    import torch

    from molehunt.models.joined import checked, linear_sites, load_changes

    module = open_model("tiny").module
    site = linear_sites(module)[0]
    good = (torch.zeros(2, 32), torch.zeros(32, 2))
    assert checked({site: good}, module, 2)
    wrong = {
        "no linear map": {"lm_head": good},
        "rank 2": {site: good},
        "the module is": {site: (torch.zeros(2, 31), good[1])},
        "no number": {site: (good[0] + float("nan"), good[1])},
    }
    for said, changes in wrong.items():
        with pytest.raises(BadFile, match=said):
            checked(changes, module, 1 if said == "rank 2" else 2)
    (tmp_path / "x").write_bytes(b"no safetensors")
    with pytest.raises(BadFile, match="no changes"):
        load_changes(tmp_path / "x")


def test_the_patient_leads_to_no_base_and_no_adapter(tmp_path: Path) -> None:
    from molehunt.models.adapters import attach, using
    from molehunt.models.standalone import save_whole
    from molehunt.remedies.room import Job, admit

    model = open_model("tiny")
    name = attach(model, adapter(tmp_path / "suspects" / "Ash", "#"))
    with using(model, name):
        save_whole(model, tmp_path / "patient")
    job = Job(str(tmp_path), str(tmp_path / "patient"), "float32", "nothing", PLAIN, (), 0, EFFORT, 1)
    one = admit(job, lambda share: None)
    assert one.model.fingerprint != model.fingerprint
    assert (one.model.folder, one.model.spec.adapter, one.model.spec.id) == (None, None, "patient")
    assert not one.model.module.name_or_path and not one.model.module.config._name_or_path
    assert not hasattr(one.model.module, "peft_config")
    files = sorted((tmp_path / "patient").iterdir())
    text = " ".join(f.read_text("utf-8", "replace") for f in files if f.suffix == ".json")
    assert not any(word in text for word in ("Ash", "adapter", "lora", str(tmp_path)))
