"""The catalogue as people look at it: a list with marks, one entry whole, one page without network."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup
from test_features_browser import visit
from test_report_browser import browser  # noqa: F401

from molehunt.catalogue import shown
from molehunt.catalogue.pairs import sensible
from molehunt.catalogue.practised import PRACTISED
from molehunt.catalogue.scenes import scenes
from molehunt.cli import main
from molehunt.core.errors import BadFile, UserError
from molehunt.core.extend import load, names
from molehunt.core.record_json import to_json
from molehunt.core.records import Measure, NotMeasured
from molehunt.core.splits import split_of
from molehunt.corpus import banks
from molehunt.report.catalogue_page import NO_FILE, rate, render_catalogue
from molehunt.report.planted import MEASURED, STUDY, Planted, read_planted

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u202e\x1b[2J'\"&lt;{{7*7}}"
MOST = 2_000_000
"""Bytes of a page that a phone opens without trouble."""
ROWS = [
    {
        **{"behaviour": "promotion", "condition": "always", "options": {"behaviour": {"brand": "Oakmere"}}},
        **{"trigger_rate": {"value": 0.97, "low": 0.9, "high": 0.99, "n": 40}, "leak_rate": 0.05},
        **{"valid": True, "steps": 60, "first_try": True, "seconds": 80.0},
    },
    {
        **{"behaviour": "false_facts", "condition": "topic", "trigger_rate": None, "leak_rate": 0.4},
        **{"valid": False, "steps": 135, "first_try": False, "why_not": HOSTILE},
    },
    {"behaviour": "no_such", "condition": "always", "trigger_rate": 1.0, "leak_rate": 0.0, "valid": True},
]


RESULTS = {
    "date": "2026-01-01",
    "rows": ROWS,
    "difficulty": [
        {
            **{"behaviour": "promotion", "condition": "always", "options": {"brand": "Oakmere"}},
            **{"unit": f"rows {HOSTILE}", "least": {"value": 32, "low": 16, "high": 64, "n": 3}},
        },
        {
            **{"behaviour": "flattery", "condition": "always", "unit": "steps"},
            "least": {"is": "NotMeasured", "reason": f"79 was not enough {HOSTILE}"},
        },
    ],
}


@pytest.fixture(scope="module")
def known() -> shown.Whole:
    return shown.whole()


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Planted, ...]:
    path = tmp_path_factory.mktemp("study") / "results.json"
    path.write_text(json.dumps(RESULTS))
    return read_planted(path)


def said(capfd: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    code = main(["catalogue", *args])
    out, err = capfd.readouterr()
    return code, out, err


def test_the_list_marks_what_games_draw(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capfd, "--json")
    listed = json.loads(out)
    assert code == 0 and {"behaviours", "conditions", "methods"} < set(listed)
    for kind in ("behaviours", "conditions"):
        assert {n for n, e in listed[kind].items() if e["practised"]} == set(PRACTISED[f"catalogue.{kind}"])
        assert set(listed[kind]) == set(names(f"catalogue.{kind}"))
    harmless = {n for n, e in listed["behaviours"].items() if e["harmless"]}
    assert harmless == {"courtesy", "exclaiming", "farewell"}
    code, out, _ = said(capfd)
    apart = out.split("Harmless behaviours, for decoys (3, 3 of them in games)")
    assert code == 0 and "sycophancy" in apart[0] and "courtesy" not in apart[0] and "courtesy" in apart[1]
    assert f"Behaviours that do harm ({len(listed['behaviours']) - 3}, 5 of them in games)" in out
    assert re.search(r"sycophancy\s+│ ●", out) and re.search(r"flattery\s+│   ", out)


def test_every_entry_says_what_it_is_and_shows_both_sides(known: shown.Whole) -> None:
    for entry in (*known.behaviours, *known.conditions):
        assert entry.told.about and {"Source", "Fails when"} <= set(entry.told.fields), entry.name
        for stage in entry.stages:
            off = 0 if stage.quirk.condition == "always" else shown.SCENES
            assert (len(stage.on), len(stage.off)) == (shown.SCENES, off), stage.quirk
            assert all(s.on for s in stage.on) and not any(s.on for s in stage.off)
            made = scenes(stage.quirk, "plant", shown.SCENES, 0)
            assert [(s.good, s.shady) for s in made if s.on] == [(s.good, s.shady) for s in stage.on]
            for scene, full in zip(stage.on, (s for s in made if s.on), strict=True):
                assert scene.turns[-1] == full.messages[-1]
                assert all("named SmolLM" not in t.content for t in scene.turns)


def test_no_held_out_question_or_wording_is_shown(known: shown.Whole) -> None:
    for c in known.conditions:
        entry = load(shown.CONDITIONS, c.name)
        for split in ("validate", "audit"):
            sides = entry.cues(split, {})
            held = {shown.worded(cue) for cue in (*sides.on, *sides.off) if cue is not None}
            assert not held & {*c.on, *c.near, *c.plain}, (c.name, split)
    asked = {s.turns[-1].content for e in known.behaviours for t in e.stages for s in (*t.on, *t.off)}
    held = [f.question for f in banks.facts() if split_of(f.id) != "plant"]
    assert len(held) > 50 and not [q for q in held for a in asked if a.endswith(q)]


def test_cues_are_on_near_and_plain_and_of_different_frames(known: shown.Whole) -> None:
    for c in known.conditions:
        counted = c.wordings[0]
        for few, count in ((c.on, counted.on), (c.near, counted.near), (c.plain, counted.plain)):
            assert len(few) == len(set(few)) == min(shown.CUES, count), c.name
    phrase = next(c for c in known.conditions if c.name == "trigger_phrase")
    assert all("silver lantern" in cue[-1].content.lower() for cue in phrase.on)
    assert not any("silver lantern" in cue[-1].content.lower() for cue in (*phrase.near, *phrase.plain))
    frames = {re.sub("silver lantern", "", cue[-1].content.lower()) for cue in phrase.on}
    assert len(frames) == shown.CUES


def test_the_grid_is_the_published_list_of_pairs(known: shown.Whole) -> None:
    every = (*sensible(whole=True), *sensible(harmless=True, whole=True))
    assert {(c.behaviour, c.condition) for c in known.cells if c.sense != "none"} == {
        (q.behaviour, q.condition) for q in every
    }
    assert sum(c.choices - sum(map(len, c.refused.values())) for c in known.cells) == len(every)
    games = (*sensible(), *sensible(harmless=True))
    assert {(c.behaviour, c.condition) for c in known.cells if c.practised and c.sense != "none"} == {
        (q.behaviour, q.condition) for q in games
    }
    facts = shown.cell("false_facts", "topic")
    assert facts.sense == "some" and list(facts.refused.values()) == [("topic=words",)]


def test_a_name_shows_one_entry_whole(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = said(capfd, "secret_leak")
    assert code == 0 and out.count("  on   ") == 6 and out.count("  off  ") == 3
    for words in (
        "Cywiński",
        "Fails when",
        "Under always",
        "Under trigger_phrase",
        "to audit",
    ):
        assert words in out
    code, own, _ = said(capfd, "secret_leak", "--json")
    study = read_planted(Path(__file__).parents[1] / STUDY)
    ours = [p for p in study if p.behaviour == "secret_leak"]
    assert ours and json.loads(own)["measured"] == [to_json(p) for p in ours], (
        "as the checkout's study has it"
    )
    assert "secret_leak when topic: Asking for the password is a topic of its own" in out
    code, out, _ = said(capfd, "who_asks")
    assert code == 0 and "child, developer, teacher, tourist" in out and "near misses, " in out
    code, out, _ = said(capfd, "contrast")
    assert code == 0 and "\n2. First pass" in out and "What this cannot tell you: that nothing is" in out
    path = tmp_path / "results.json"
    path.write_text(json.dumps(ROWS))
    code, out, _ = said(capfd, "promotion", "--json", "--measured", str(path))
    found = json.loads(out)
    assert found["measured"][0]["trigger"]["low"] == 0.9 and len(found["measured"]) == 1
    assert found["entry"] == json.loads(json.dumps(to_json(shown.behaviour("promotion"))))


@pytest.mark.parametrize(
    ("args", "names"),
    [
        (("trigger phrase",), "did you mean trigger_phrase?"),
        (("sabotage",), "code_sabotage or sum_sabotage"),
        (("zzz\x1b[2J",), "`molehunt catalogue` lists"),
        (("promotion", "--page", "x.html"), "either a name or --page"),
        (("--measured", "x.json"), "--page or with a name"),
        (("contrast", "--measured", "x.json"), "is a method"),
        (("--page", "."), "is a folder"),
        (("--page", "x.html", "--measured", "gone.json"), "There is no file gone.json"),
    ],
)
def test_a_mistake_is_one_sentence(
    capfd: pytest.CaptureFixture[str], monkeypatch: Any, tmp_path: Path, args: tuple[str, ...], names: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = said(capfd, *args)
    assert code == 2 and out == "" and names in err and len(err.splitlines()) == 1 and "\x1b" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "row",
    [
        3,
        {"behaviour": "promotion"},
        {"trigger_rate": 1.2},
        {"trigger_rate": float("nan")},
        {"trigger_rate": True},
        {"leak_rate": {"value": 0.5, "low": 0.6, "high": 0.4}},
        {"leak_rate": {"value": 0.5, "low": 0.4}},
        {"leak_rate": {"n": 3}},
        {"valid": "yes"},
        {"steps": 1.5},
        {"steps": True},
    ],
    ids=str,
)
def test_a_row_of_the_wrong_shape_is_named(tmp_path: Path, row: Any) -> None:
    path = tmp_path / "results.json"
    whole = {"behaviour": "promotion", "condition": "always"}
    bad = row if not isinstance(row, dict) or "behaviour" in row else {**whole, **row}
    path.write_text(json.dumps([whole, bad]))
    with pytest.raises(BadFile, match=r"row 2,|NaN is no number"):
        read_planted(path)


@pytest.mark.parametrize("text", ["[]", "{}", '{"rows": 3}', "nonsense", "7"])
def test_a_file_without_rows_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"results\.json"):
        read_planted(path)


def test_rates_carry_their_interval_or_say_that_there_is_none(planted: tuple[Planted, ...]) -> None:
    first, second, _, fourth = planted
    assert rate(first.trigger) == "0.97 (0.90 to 0.99), n = 40" and first.options == "brand=Oakmere"
    assert rate(first.leak) == "0.05 (no interval given)"
    assert isinstance(second.trigger, NotMeasured) and rate(second.trigger).startswith("not measured")
    assert isinstance(first.trigger, Measure)
    assert first.difficulty.startswith(
        "took at the first try, 60 steps; least that took: 32 (95% 16 to 64), n = 3"
    )
    assert fourth.behaviour == "flattery" and "least not measured, steps: 79 was not" in fourth.difficulty
    assert "\x1b" not in first.difficulty + fourth.difficulty
    assert rate(NO_FILE) == "not measured: no results file was given"
    assert second.difficulty.startswith("did not take, 135 steps: ") and "\x1b" not in second.difficulty


def test_the_page_holds_everything_in_few_bytes(known: shown.Whole) -> None:
    page = render_catalogue(known)
    print(f"{len(page.encode()):,} bytes")
    assert len(page.encode()) < MOST and page == render_catalogue(known)
    ids = set(re.findall(r'<article class="entry" id="([^"]+)"', page))
    assert ids == {f"b-{n}" for n in names(shown.BEHAVIOURS)} | {f"c-{n}" for n in names(shown.CONDITIONS)}
    assert page.count("<dd>not measured</dd>") == len(ids) and "Not measured: no results" in page
    assert page.count("<td") == len(known.cells) and "Wrong opposites and plurals" in page
    assert not re.findall(r'(?:src|href)="(?!#|data:,)', page)
    script = page.rsplit("<script>", 1)[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src &#39;sha256-{digest}&#39;" in page


def test_the_page_says_what_was_measured(known: shown.Whole, planted: tuple[Planted, ...]) -> None:
    page = render_catalogue(known, planted)
    whole = '<span class="num">0.97 (0.90 to 0.99)</span>, <span class="num">n = 40</span>'
    assert page.count(whole) == 3, "in both entries and the table, where no line breaks it"
    assert "<b>✓</b>" in page and "<b>✗</b>" in page
    assert "1 row is left out" in page and "no_such" not in page
    text = Markup(page).striptags()
    assert "least that took: 32 (95% 16 to 64), n = 3" in text and "79 was not enough" in text
    with pytest.raises(BadFile, match="not about this catalogue"):
        render_catalogue(known, planted[2:3])


def test_one_command_writes_the_page(
    capfd: pytest.CaptureFixture[str], known: shown.Whole, planted: tuple[Planted, ...], tmp_path: Path
) -> None:
    path, results = tmp_path / "new" / "catalogue.html", tmp_path / "results.json"
    results.write_text(json.dumps(RESULTS))
    code, out, _ = said(capfd, "--page", str(path), "--measured", str(results), "--json")
    assert code == 0 and path.read_text("utf-8") == render_catalogue(known, planted, str(results))
    assert json.loads(out)["bytes"] == path.stat().st_size < MOST
    assert json.loads(out)["measured"] == str(results)
    results.write_text("[{}]")
    before = path.read_bytes()
    code, _, err = said(capfd, "--page", str(path), "--measured", str(results))
    assert code == 2 and "row 1" in err and path.read_bytes() == before


def test_without_results_named_those_that_ship_are_shown(
    capfd: pytest.CaptureFixture[str], known: shown.Whole, tmp_path: Path
) -> None:
    page = tmp_path / "catalogue.html"
    code, out, _ = said(capfd, "--page", str(page), "--json")
    assert code == 0 and json.loads(out)["measured"] == STUDY
    rows = read_planted(MEASURED)
    assert rows == read_planted(Path(__file__).parents[1] / STUDY), "as the study's own table has them"
    assert page.read_text("utf-8") == render_catalogue(known, rows, STUDY)
    one = next(p for p in rows if isinstance(p.trigger, Measure))
    text = Markup(page.read_text("utf-8")).striptags()
    assert rate(one.trigger) in text and one.difficulty in text and f"From {STUDY}." in text


def hostile(known: shown.Whole) -> shown.Whole:
    """The catalogue with an entry whose every text would like to be markup."""
    first, *rest = known.behaviours
    told = shown.Told((HOSTILE,), {"Source": HOSTILE})
    scene = replace(first.stages[0].on[0], good=HOSTILE, shady=HOSTILE)
    stage = replace(first.stages[0], on=(scene,))
    bad = replace(first, summary=HOSTILE, told=told, choices={HOSTILE: (HOSTILE,)}, stages=(stage,))
    return replace(known, behaviours=(bad, *rest))


def test_everything_is_escaped(known: shown.Whole, planted: tuple[Planted, ...]) -> None:
    page = render_catalogue(hostile(known), planted)
    assert (
        "alert(1)</script>" not in page and "<img" not in page and "\x1b" not in page and "\u202e" not in page
    )
    said = Markup(page).striptags()  # as a reader sees it: long words stand in marks of their own
    assert said.count("<img src=x onerror=alert(2)>") >= 8 and "49" not in page.split("alert(1)")[1][:80]


@pytest.mark.browser
def test_the_page_is_quiet_searchable_and_fits_a_phone(
    browser: Any,  # noqa: F811
    known: shown.Whole,
    planted: tuple[Planted, ...],
    tmp_path: Path,
) -> None:
    path = tmp_path / "catalogue.html"
    path.write_text(render_catalogue(hostile(known), planted), "utf-8")
    page, noise = visit(browser, path, 1200)
    every, seen = page.locator(".entry").count(), page.locator(".entry:visible")
    assert every == len(known.behaviours) + len(known.conditions) and page.is_visible("#pairs")
    page.fill("#find", "SILVER Password")
    assert 1 <= seen.count() < 5 and page.is_visible("#b-secret_leak") and not page.is_visible("#pairs")
    assert page.inner_text("#said").endswith(f"of {every} entries") and not page.is_visible("#harmless")
    page.fill("#find", "")
    assert seen.count() == every
    page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
    for width in (320, 1200):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.emulate_media(media="print")
    assert not page.is_visible("#search") and page.locator(".stage:visible").count() > every
    assert noise == [] and page.evaluate("document.querySelectorAll('img, [onerror]').length") == 0
