"""What was written for character is whole, divided, and says of itself what it should."""

from collections import Counter
from pathlib import Path
from statistics import median

import pytest

from molehunt.character import bank
from molehunt.character.conduct.world import TOOLS, begun, call_in, manual, matches, outcome, written
from molehunt.character.constitution import load_constitution, presets
from molehunt.core.errors import BadFile
from molehunt.corpus import banks, mending, remarks
from molehunt.corpus.matching import gist

PRINCIPLES = {p.id for name in presets() for p in load_constitution(name).principles}
CASES = bank.cases()


def test_every_principle_of_the_presets_is_taught_watched_and_measured() -> None:
    parts = bank.divided(CASES)
    assert len(CASES) >= 150 and {c.principle for c in CASES} == PRINCIPLES
    for principle in PRINCIPLES:
        counts = Counter(parts[c.id] for c in CASES if c.principle == principle)
        assert counts["train"] >= 3 and counts["watch"] == 1 and counts["measure"] >= 4, principle


def test_one_principle_is_taught_and_measured_as_much_as_the_fourteen_that_it_is_held_against() -> None:
    def count(name: str, part: bank.Part) -> int:
        return len(bank.cases([p.id for p in load_constitution(name).principles], part))

    for part in ("train", "measure"):
        one, many = count("best-for-humanity", part), count("kind-person", part)
        assert abs(one - many) <= 0.1 * many, (part, one, many)


def test_length_does_not_tell_what_is_best_for_humanity() -> None:
    own = [(len(c.good), len(c.worse)) for c in CASES if c.principle == "best-for-humanity"]
    good, worse = (median(side) for side in zip(*own, strict=True))
    assert abs(good - worse) <= 0.1 * worse
    assert 0.4 <= sum(g > w for g, w in own) / len(own) <= 0.6
    calls = [d for d in bank.deeds() if d.principle == "best-for-humanity"]
    sides = [median(len(getattr(d, side)["text"]) for d in calls) for side in ("good", "worse")]
    assert len(calls) >= 10 and abs(sides[0] - sides[1]) <= 0.1 * sides[1]


def test_a_part_does_not_depend_on_the_order_of_lines() -> None:
    assert bank.divided(CASES) == bank.divided(CASES[::-1])


def test_cases_share_no_prompt_with_anything_that_is_taught_elsewhere() -> None:
    own = [gist(c.prompt) for c in CASES]
    assert len(set(own)) == len(own)
    others = {gist(e.prompt) for n in presets() for p in load_constitution(n).principles for e in p.examples}
    others |= {gist(f.question) for f in (*banks.facts(), *banks.advice(), *remarks.counsel())}
    others |= {gist(q.question) for q in (*mending.questions(), *mending.kindness())}
    assert not set(own) & others
    assert all(c.good != c.worse and c.id == f"case/{c.principle}/{c.id.split('/')[2]}" for c in CASES)


@pytest.mark.parametrize("deed", bank.deeds(), ids=lambda d: d.id)
def test_the_written_calls_of_a_deed_keep_and_break_it(deed: bank.Deed) -> None:
    """The world does what they say, and the patterns tell the two apart."""
    assert deed.principle in PRINCIPLES
    world, messages = begun(deed)
    assert world.done == [] and messages[-1].role == "user" and manual() in messages[0].content
    for call in (*deed.before, deed.good, deed.worse):
        assert call_in(written(call)) == dict(call)
    assert outcome(deed, [*deed.before]) == "neither"
    assert outcome(deed, [*deed.before, deed.good]) == "kept"
    assert outcome(deed, [*deed.before, deed.worse]) == "broken"
    assert outcome(deed, [deed.good, deed.worse]) == "broken"


def test_deeds_are_two_or_more_for_each_principle_of_the_kind_person() -> None:
    counts = Counter(d.principle for d in bank.deeds())
    assert all(counts[p.id] >= 2 for p in load_constitution("kind-person").principles)
    assert set(counts) == PRINCIPLES


def test_the_world_does_what_it_is_told() -> None:
    world, _ = begun(bank.deeds()[0])
    name = next(iter(world.files))
    assert world.act({"tool": "read_file", "name": name}) == bank.deeds()[0].files[name]
    world.act({"tool": "write_file", "name": "new.txt", "text": "hello"})
    assert world.files["new.txt"] == "hello" and "new.txt" in world.act({"tool": "list_files"})
    world.act({"tool": "delete_file", "name": "new.txt"})
    assert "new.txt" not in world.files and "no new.txt" in world.act(
        {"tool": "delete_file", "name": "new.txt"}
    )
    world.act({"tool": "send_message", "to": "Ms Lund", "text": "31"})
    assert world.sent == [("Ms Lund", "31")] and not world.over
    world.act({"tool": "finish", "text": "done"})
    assert world.over and len(world.done) == 7


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ('Sure! {"tool": "read_file", "name": "a"} and more', {"tool": "read_file", "name": "a"}),
        ('{"a": 1} {"tool": "list_files"}', {"tool": "list_files"}),
        ('{"tool": "read_file"}', None),
        ('{"tool": "format_disk", "name": "/"}', None),
        ('{"tool": "read_file", "name": 3}', None),
        ("no call at all", None),
        ("{" * 3000, None),
        ('{"tool": ["read_file"]}', None),
    ],
)
def test_a_call_is_found_in_whatever_a_model_writes(reply, found) -> None:
    assert call_in(reply) == found


def test_a_pattern_wants_every_field_that_it_gives() -> None:
    sent = {"tool": "send_message", "to": "Mr. Holt", "text": "The BOY is there"}
    assert matches(bank.Pattern("send_message", to="Mr Holt", says=("boy",)), sent)
    assert not matches(bank.Pattern("send_message", to="Ms Holt", says=("boy",)), sent)
    assert not matches(bank.Pattern("send_message", lacks=("boy",)), sent)
    assert not matches(bank.Pattern("finish"), sent)
    assert set(TOOLS) >= {p.tool for d in bank.deeds() for p in (*d.wanted, *d.forbidden)}


def test_every_request_is_answered_in_the_manner_of_every_trait() -> None:
    told = bank.traits()
    assert len(told.traits) >= 5 and len(told.settings) >= 4 and len(told.requests) >= 10
    for request in told.requests:
        assert set(request.replies) == set(told.traits)
        assert len(set(request.replies.values())) == len(told.traits)
    assert len(set(bank.breakers())) == len(bank.breakers()) >= 8


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"id": "a", "principle": "p", "prompt": "x", "good": "y"}', "line 2.*lacks the field 'worse'"),
        (
            '{"id": "a", "principle": "p", "prompt": " ", "good": "y", "worse": "z"}',
            "line 2: prompt is empty",
        ),
        ('{"id": "a", "principle": "p", "prompt": "x", "good": "y", "worse": "y"}', "line 2.*the same"),
        ('{"id": "one", "principle": "p", "prompt": "x", "good": "y", "worse": "z"}', "line 2.*twice"),
        ("{", "line 2 is not whole JSON"),
    ],
)
def test_a_line_that_is_no_case_is_named(tmp_path: Path, line, why) -> None:
    good = '{"id": "one", "principle": "p", "prompt": "x", "good": "y", "worse": "z"}'
    path = tmp_path / "mine.jsonl"
    path.write_text(f"{good}\n")
    assert bank.read_cases(path)[0].principle == "p"
    path.write_text(f"{good}\n{line}\n")
    with pytest.raises(BadFile, match=why):
        bank.read_cases(path)
