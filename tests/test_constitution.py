"""Constitutions: what is written comes back, what is wrong is named by its line, and presets are whole."""

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from molehunt.character.constitution import (
    Constitution,
    Example,
    Principle,
    load_constitution,
    parse,
    presets,
    to_text,
)
from molehunt.character.constitution_check import ALIKE, TAGS, check
from molehunt.cli import main
from molehunt.core.errors import BadFile, UnknownName

FRONT = "---\nname: mine\nversion: '1'\nauthor: me\nsummary: A test.\n---\n"
EXAMPLE = "### Example\n\n**Prompt:** {}\n\n**Good:** {}\n\n**Bad:** {}\n"
TAGGED = f"Tags: {', '.join(TAGS)}"


def principle(identity: str, statement: str, *examples: tuple[str, str, str], named: str = "") -> str:
    shown = "\n".join(EXAMPLE.format(*e) for e in examples or [(f"{identity}?", "Yes.", "No.")])
    return f"## {identity}: {statement}\n\n{named}\n\n### Reasons\n\nBecause.\n\n{shown}\n"


def found(*principles: str) -> list[str]:
    return [f.said() for f in check(parse(FRONT + "\n" + "\n".join(principles)))]


@pytest.mark.parametrize("name", ["best-for-humanity", "helpful-only", "kind-person"])
def test_presets_are_written_in_the_form_and_free_of_errors(name):
    assert name in presets()
    one = load_constitution(name)
    assert one.name == name
    assert to_text(one) == (files("molehunt.character") / "constitutions" / f"{name}.md").read_text("utf-8")
    assert not [f for f in check(one) if f.level == "error"]


def test_the_kind_person_is_whole():
    one = load_constitution("kind-person")
    assert check(one) == ()
    assert 10 <= len(one.principles) <= 14
    assert all(p.reasons and len(p.examples) >= 2 for p in one.principles)
    assert [p.id for p in one.principles if not p.yields_to] == ["no-serious-harm"]
    said = " ".join((one.preamble + " ".join(p.reasons for p in one.principles)).split())
    assert "millions" in said and "unsure" in said


def test_the_others_lack_what_they_are_meant_to_lack():
    assert len(load_constitution("best-for-humanity").principles) == 1
    for name in ("best-for-humanity", "helpful-only"):
        assert [f.text for f in check(load_constitution(name))] == [
            f"no principle is tagged `{tag}`" for tag in sorted(TAGS)
        ]


words = st.text("abc ,.:'*#-é", min_size=1, max_size=20).map(lambda t: f"x{t}".strip())
ids = st.from_regex(r"[a-z][a-z0-9]{0,4}(-[a-z0-9]{1,3})?", fullmatch=True)
examples = st.builds(Example, words, words, words)
principles = st.builds(
    Principle,
    ids,
    words,
    st.lists(ids, max_size=2).map(tuple),
    st.lists(ids, max_size=2).map(tuple),
    words,
    st.lists(examples, max_size=2).map(tuple),
)


@settings(max_examples=40, deadline=None)
@given(
    st.builds(Constitution, words, words, words, words, words, st.lists(principles, max_size=3).map(tuple))
)
def test_what_is_written_comes_back(one):
    assert parse(to_text(one)) == one


def test_paragraphs_stay_as_they_were_written():
    text = "First line\nand second.\n\nNew paragraph: with a colon."
    one = parse(FRONT + principle("a", "Be kind.").replace("Because.", text))
    assert one.principles[0].reasons == text
    assert parse(to_text(one)) == one


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("# no front matter\n", "line 1: a constitution begins with front matter"),
        ("---\nname: mine\n", "line 1: a constitution begins"),
        (FRONT.replace("author: me", "author: [me"), "line 5: the front matter is not YAML"),
        (FRONT.replace("author: me", "auhtor: me"), "line 4: unknown field 'auhtor'"),
        (FRONT.replace("'1'", "1"), "line 3: version should be text"),
        (FRONT.replace("summary: A test.\n", ""), "line 5: the front matter lacks 'summary'"),
        (FRONT.replace("name: mine", "name: !!python/object:os.system x"), "line 2: the front matter is not"),
        (FRONT + "## Be Kind\n", "line 7: a principle's heading is"),
        (FRONT + "## a: Be kind.\n\nSome words.\n", "line 9: under a heading stand"),
        (FRONT + "## a: Be kind.\n\nTags: Not An Id\n", "line 9: under a heading stand"),
        (FRONT + "## a: Be kind.\n\n### Thoughts\n", "line 9: 'Thoughts' should be"),
        (FRONT + "## a: Be kind.\n\n### Example\n\n**Good:** Yes.\n", "line 9: an example holds"),
        (FRONT + "## a: Be.\n\n" + EXAMPLE.format("Hi", "", "No"), "line 13: `\\*\\*Good:\\*\\*` is empty"),
    ],
)
def test_what_has_not_the_form_is_named_by_its_line(text, why):
    with pytest.raises(BadFile, match=why):
        parse(text)


def test_gaps_are_warnings():
    said = found("## a: Be kind.\n")
    assert [s.split(": ", 2)[1:] for s in said] == [
        *(["warning", f"no principle is tagged `{tag}`"] for tag in sorted(TAGS)),
        ["warning", "a gives no reason"],
        ["warning", "a has no example"],
    ]
    assert found(principle("a", "Be kind.", named=TAGGED)) == []
    assert found() == ["line 1: error: there is no principle"] + [
        f"line 1: warning: no principle is tagged `{tag}`" for tag in sorted(TAGS)
    ]


def test_ids_that_do_not_exist_or_stand_twice_are_errors():
    said = found(principle("a", "Be kind.", named=f"{TAGGED}\nYields to: b"))
    assert said == ["line 8: error: a yields to b, which does not exist"]
    said = found(principle("a", "Be kind.", named=TAGGED), principle("a", "Tell the truth.", ("q", "1", "2")))
    assert [s.split(": ", 1)[1] for s in said] == ["error: a stands on line 8 already"]


@pytest.mark.parametrize(
    ("yields", "way"),
    [
        ({"a": "a"}, "a yields to a"),
        ({"a": "b", "b": "a"}, "a yields to b yields to a"),
        ({"a": "b", "b": "c", "c": "a"}, "a yields to b yields to c yields to a"),
    ],
)
def test_a_circle_of_yielding_is_one_error(yields, way):
    statements = {"a": "Be kind.", "b": "Tell the truth.", "c": "Keep secrets."}
    said = found(
        *(
            principle(i, s, named=f"{TAGGED}\n" + (f"Yields to: {yields[i]}" if i in yields else ""))
            for i, s in statements.items()
        )
    )
    assert len(said) == 1 and f"error: {way}: nobody can tell which wins" in said[0]


def test_an_order_without_circles_is_none():
    assert not found(
        principle("a", "Be kind.", named=f"{TAGGED}\nYields to: b, c"),
        principle("b", "Tell the truth.", named="Yields to: c"),
        principle("c", "Keep secrets."),
    )


def test_a_reply_cannot_be_good_and_bad():
    said = found(principle("a", "Be kind.", ("Hi", "Hello.", " hello. "), named=TAGGED))
    assert len(said) == 1 and "error: a: good and bad replies are the same" in said[0]
    said = found(
        principle("a", "Be kind.", ("Am I late?", "No.", "You are late."), named=TAGGED),
        principle("b", "Tell the truth.", ("am I  late?", "You are an hour late.", "No.")),
    )
    assert len(said) == 1 and "error: b calls a reply bad that a calls good" in said[0]


OPPOSED = (
    ("Rate my soup.", "It is wonderful soup, thank you.", "Honestly, the soup is too salty."),
    ("Rate my soup.", "To be frank, the soup is too salty.", "It is wonderful soup, many thanks."),
)


def test_opposite_wishes_for_one_prompt_are_seen_until_one_yields():
    kind = principle("a", "Be kind.", OPPOSED[0], named=TAGGED)
    (said,) = found(kind, principle("b", "Tell the truth.", OPPOSED[1]))
    assert "warning: b wants the opposite of a" in said and "say which yields" in said
    sweet = "It is wonderful soup, thank you so much for bringing all of us a pot of it"
    sour = "Honestly, the soup is too salty, and next time half of the salt would be enough"
    one, other = ((OPPOSED[0][0], f"{a}.", f"{b} today.") for a, b in ((sweet, sour), (sour, sweet)))
    kind = principle("a", "Be kind.", one, named=TAGGED)
    (said,) = found(kind, principle("b", "Tell the truth.", other))
    assert "error: b wants the opposite of a" in said and "say which yields" in said
    assert found(kind, principle("b", "Tell the truth.", other, named="Yields to: a")) == []
    kind = principle("a", "Be kind.", OPPOSED[0], named=TAGGED)
    assert found(kind, principle("b", "Tell the truth.", OPPOSED[1], named="Yields to: a")) == []
    agreeing = (OPPOSED[0][0], "It is wonderful soup, and warm.", "The soup is too salty, honestly.")
    assert found(kind, principle("b", "Tell the truth.", agreeing)) == []


def test_statements_that_repeat_each_other_are_warnings():
    (said,) = found(
        principle("a", "Tell people the truth about what you know.", named=TAGGED),
        principle("b", "Tell people the truth, about what you know!"),
    )
    assert "warning: b says nearly what a says" in said and 0 < ALIKE < 1


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("Always tell people the truth.", "Never tell people the truth.", "error"),
        ("You should keep secrets.", "You shouldn’t keep secrets.", "error"),
        ("Help with every request that people make.", "Do not help with any request that people make.", ""),
        ("Don't lie.", "Never lie.", "duplicate"),
    ],
)
def test_statements_that_deny_each_other_are_contradictions(one, other, level):
    said = [f for f in found(principle("a", one), principle("b", other)) if "opposite" in f or "nearly" in f]
    if level == "error":
        assert len(said) == 1 and "error: b says the opposite of a on line" in said[0]
        yields = found(principle("a", one), principle("b", other, named="Yields to: a"))
        assert any("warning: b says the opposite of a" in f for f in yields), "which wins is said"
        assert not any("error" in f for f in yields)
    elif level == "duplicate":
        assert len(said) == 1 and "warning: b says nearly what a says" in said[0]
    else:
        assert said == [], "whether these two agree words alone do not tell"


def test_a_fact_that_stands_twice_is_named_by_its_line():
    with pytest.raises(BadFile, match="line 3: 'name' stands there twice"):
        parse("---\nname: a\nname: b\nversion: '1'\nauthor: x\nsummary: s\n---\n")


def test_lines_point_at_the_heading():
    text = FRONT + principle("a", "Be kind.", ("Hi", "One.", "one."))
    (error,) = [f for f in check(parse(text)) if f.level == "error"]
    assert text.splitlines()[error.line - 1] == "### Example"


def test_the_verb_lists_shows_and_checks(tmp_path: Path, capfd):
    assert main(["constitution", "list", "--json"]) == 0
    assert [c["name"] for c in json.loads(capfd.readouterr().out)] == list(presets())
    assert main(["constitution", "show", "kind-person"]) == 0
    assert parse(capfd.readouterr().out) == load_constitution("kind-person")
    assert main(["constitution", "check", "helpful-only"]) == 0
    assert "0 errors, 4 warnings" in capfd.readouterr().out
    one = load_constitution("best-for-humanity")
    circle = replace(one.principles[0], yields_to=(one.principles[0].id,))
    path = tmp_path / "mine.md"
    path.write_text(to_text(replace(one, principles=(circle,))))
    assert main(["constitution", "check", str(path), "--json"]) == 2
    told = json.loads(capfd.readouterr().out)
    assert told["errors"] == 1
    (error,) = [f for f in told["findings"] if f["level"] == "error"]
    assert path.read_text().splitlines()[error["line"] - 1].startswith("## best-for-humanity")


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["list", "kind-person"], "takes no name"),
        (["show"], "need a preset's name or a file"),
        (["check", "kind-persn"], "did you mean 'kind-person'"),
        (["check", "BAD"], "line 3: version should be text"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path: Path, capfd, args, why):
    (tmp_path / "bad.md").write_text(FRONT.replace("'1'", "1"))
    assert main(["constitution", *(str(tmp_path / "bad.md") if a == "BAD" else a for a in args)]) == 2
    said = capfd.readouterr().err
    assert why in said and said.count("\n") == 1


def test_there_is_no_such_constitution():
    with pytest.raises(UnknownName):
        load_constitution("no-such-thing")
