"""From text to labelled pages by the command line, on the tiny model and on hostile text."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from test_cli import check_refusal, shows_as_text

from molehunt.cli import main
from molehunt.core.alone import alone
from molehunt.core.lineage import HOME, begun, write_lineage
from molehunt.core.records import NotMeasured
from molehunt.interp.features import open_features
from molehunt.models.checkpoint import checkpoint_of
from molehunt.models.load import open_model
from molehunt.verbs import _features_page

HOSTILE = (
    "\x1b]0;owned\x07\x1b[2J\u202e[red]{{7*7}}<script>alert(1)</script>"
    '"]}</script><img src=x onerror=alert(2)>'
)


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with text, an autoencoder, a store, labels and pages."""
    here = tmp_path_factory.mktemp("features")
    lines = [{"text": f"{HOSTILE} number {i} of the lines"} for i in range(60)]
    (here / "text.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
    (here / "one.txt").write_text("\n".join(f"ZZZ {i} ZZZ" for i in range(12)))
    (here / "other.txt").write_text("\n".join(f"aaa {i} aaa" for i in range(12)))
    sae, store, labels, site = (str(here / n) for n in ("saes/resid_post.1", "store", "labels", "site"))
    reading = f"--text {here / 'text.jsonl'} --context 64"
    for line in (
        f"sae train {here / 'saes'} --addresses resid_post.1 {reading} --model tiny --latents 40 --k 4 "
        "--tokens 2000 --batch 256",
        f"features build {store} --sae {sae} {reading} --tokens 6000",
        f"label {store} {labels} --learn 20 --test 8",
        f"features pages {store} --out {site} --labels {labels} --examples 6",
    ):
        assert main([*line.split(), "--json"]) == 0, line
    return here


def said(capfd: pytest.CaptureFixture[str], *args: str | Path) -> str:
    """What a command printed, which must be well."""
    capfd.readouterr()
    assert main([str(a) for a in args]) == 0
    return capfd.readouterr().out


def test_a_feature_is_shown_with_exact_counts_and_hostile_text_as_text(
    rooms: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    eleventh = open_features(rooms / "store").at_tokens(np.array([11]))  # right after an escape
    feature = int(eleventh[1][0])
    args = ("features", "show", rooms / "store", "--feature", str(feature), "--examples", "1000")
    found = json.loads(said(capfd, *args, "--labels", rooms / "labels", "--json"))
    card = found["card"]
    assert len(card["examples"]) == min(1000, card["count"]) > 50 and sum(card["counts"]) == card["count"]
    assert card["highest"] == max(e["value"] for e in card["examples"]) and card["read"] == 6000
    assert len(card["raised"]) == len(card["near"]) == 10 and (
        found["label"] is None or found["label"]["feature"] == feature
    )
    shown = said(capfd, *args[:-1], "400", "--labels", rooms / "labels")
    assert shows_as_text(shown) and "⟦" in shown and f"fires at {card['count']:,} of 6,000" in shown
    assert "\\x1b" in shown or "\\u202e" in shown


def test_searches_find_what_is_there(rooms: Path, capfd: pytest.CaptureFixture[str]) -> None:
    store = rooms / "store"
    text = json.loads(said(capfd, "features", "search", store, "--match", "script", "--json"))["found"]
    assert text and text[0]["score"] > 0 and 0 < text[0]["here"] <= 1
    mine = json.loads(said(capfd, "features", "search", store, "--example", HOSTILE, "--json"))["found"]
    assert mine and mine[0]["here"] > 0
    assert shows_as_text(said(capfd, "features", "search", store, "--match", "script"))
    sets = ("--one", rooms / "one.txt", "--other", rooms / "other.txt", "--deals", "100")
    apart = json.loads(said(capfd, "features", "search", store, *sets, "--json"))
    assert apart["documents"] == [12, 12] and apart["clear"] >= 1
    assert apart["apart"][0]["p"] == pytest.approx(1 / 101) and abs(apart["apart"][0]["z"]) > apart["chance"]
    same = ("--one", rooms / "one.txt", "--other", rooms / "one.txt", "--deals", "50")
    assert json.loads(said(capfd, "features", "search", store, *same, "--json"))["clear"] == 0
    assert "corrected for all" in said(capfd, "features", "search", store, *sets)


def test_pages_are_whole_inert_and_linked(rooms: Path) -> None:
    site = rooms / "site"
    pages = sorted((site / "feature").iterdir())
    assert len(pages) == 40
    index = (site / "index.html").read_text("utf-8")
    for page in [site / "index.html", *pages]:
        html = page.read_text("utf-8")
        scripts = re.findall(r"<script[^>]*>", html)
        assert len(scripts) == (2 if page.name == "index.html" else 0)
        assert "alert(1)</script>" not in html and "<img" not in html and shows_as_text(html)
        assert "default-src" in html and "style=" not in html and "://" not in html.replace("http-eq", "")
        for link in re.findall(r'href="([^"#]+\.html)"', html):
            assert (page.parent / link).is_file(), link
    rows = json.loads(re.search(r'id="rows">(.*?)</script>', index, re.S)[1])  # type: ignore[index]
    scored = json.loads((rooms / "labels" / "label.json").read_text())["detection"].get("n", 0)
    assert [r[0] for r in rows] == list(range(40)) and sum(r[5] is not None for r in rows) == scored
    busy = max(rows, key=lambda r: r[1])
    html = (site / "feature" / f"{busy[0]}.html").read_text("utf-8")
    assert html.count("<li>") == 6 and "<svg" in html and 'class="s' in html
    assert f"Fires at {busy[1]:,} of 6,000 tokens" in html


def test_pages_go_on_and_are_made_anew_for_other_labels(
    rooms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "site"
    shutil.copytree(rooms / "site", site)
    before = {p.name: p.read_bytes() for p in (site / "feature").iterdir()}
    (site / "feature" / "7.html").unlink()
    (site / "index.html").unlink()
    made = []
    render = _features_page.render_feature
    monkeypatch.setattr(_features_page, "render_feature", lambda p: made.append(p.feature) or render(p))
    pages = ("features", "pages", rooms / "store", "--out", site, "--examples", "6")
    said(capfd, *pages, "--labels", rooms / "labels")
    assert made == [7] and {p.name: p.read_bytes() for p in (site / "feature").iterdir()} == before
    assert (site / "index.html").read_bytes() == (rooms / "site" / "index.html").read_bytes()
    said(capfd, *pages)
    assert len(made) == 41


def test_labels_are_counted_reckoned_and_go_on(
    rooms: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    summary = json.loads((rooms / "labels" / "label.json").read_text())
    assert summary["reader"] == "statistics" and summary["asked"] == 0 and summary["cost"]["features"] == 40
    assert summary["detection"].get("n", 0) + summary["not_measured"]["detection"] == 40
    args = ("label", rooms / "store", rooms / "labels", "--learn", "20", "--test", "8")
    before = (rooms / "labels" / "labels.jsonl").read_bytes()
    shown = said(capfd, *args, "--output")
    assert shows_as_text(shown) and "Means over features" in shown and "output" in shown
    summary = json.loads((rooms / "labels" / "label.json").read_text())
    assert (
        "not made" in json.dumps(summary["output"]) and len(summary["outputs"]) == 40 - summary["unlabelled"]
    )
    page = (rooms / "labels" / "label.html").read_text()
    assert page.count("<tr>") == 41 and "<script" not in page and "feature/" not in page
    said(capfd, *args, "--output", "--pages", rooms / "site")
    page = (rooms / "labels" / "label.html").read_text()
    links = re.findall(r'<a href="([^"#]+)">(\d+)</a>', page)
    assert len(links) == 40 and all((rooms / "labels" / where).is_file() for where, _ in links)
    assert all(where == f"../site/feature/{number}.html" for where, number in links)
    raised = (rooms / "labels" / "raised.jsonl").read_bytes()
    after = (rooms / "labels" / "labels.jsonl").read_bytes()
    kept = [json.loads(line) for line in after.removeprefix(before).splitlines()]
    assert {str(x["feature"]): x["output"] for x in kept} == summary["outputs"]
    said(capfd, *args, "--output")
    assert (rooms / "labels" / "raised.jsonl").read_bytes() == raised
    assert (rooms / "labels" / "labels.jsonl").read_bytes() == after
    scored = next((x for x in kept if x["output"]["is"] == "Measure"), None)
    if scored is not None:
        shown = said(
            capfd, "features", "show", rooms / "store", "--feature", str(scored["feature"]), "--labels",
            rooms / "labels",
        )  # fmt: skip
        assert "output" in shown
    asks = (
        "label",
        rooms / "store",
        tmp_path / "x",
        "--reader",
        "anyone/reads",
        "--price-in",
        "3",
        "--dry-run",
    )
    cost = json.loads(said(capfd, *asks, "--json"))
    assert cost["questions"] > 40 and cost["tokens_in"] > 1000 and cost["price_most"] > 0
    more = json.loads(said(capfd, *asks, "--json", "--output"))
    assert more["questions"] == cost["questions"] + 8 * 40 and more["price_most"] > cost["price_most"]
    assert not (tmp_path / "x").exists()


def test_two_commands_do_not_label_or_write_pages_in_one_folder(
    rooms: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for line in ("label STORE OUT --learn 20 --test 8", "features pages STORE --out OUT"):
        args = line.replace("STORE", str(rooms / "store")).replace("OUT", str(tmp_path / "out")).split()
        with alone(tmp_path / "out"):
            capfd.readouterr()
            check_refusal(main(args), *capfd.readouterr(), "Another command is at work")
        assert list(tmp_path.iterdir()) == []


def test_a_store_is_built_into_an_empty_folder(rooms: Path, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    line = f"features build {tmp_path / 'store'} --sae {rooms / 'saes' / 'resid_post.1'} --tokens 200"
    assert main([*line.split(), "--text", str(rooms / "text.jsonl")]) == 0
    assert len(open_features(tmp_path / "store").counts()) == 40
    assert [p.name for p in tmp_path.iterdir()] == ["store"]


class Parrot:
    """Says yes to everything and picks the first list; every eighth of its letters gets lost."""

    name = "parrot"

    def __init__(self) -> None:
        self.asked = self.letters = self.labels = 0

    def ask(self, questions: list[str], max_tokens: int) -> list[str | NotMeasured]:
        self.asked += len(questions)
        return [self.answer(q) for q in questions]

    def answer(self, question: str) -> str | NotMeasured:
        if "begins with LABEL:" in question:
            self.labels += 1
            return f"LABEL: lines of text, kind {self.labels}"
        if "Answer with one letter" in question:
            self.letters += 1
            return NotMeasured("the reader failed: lost") if self.letters % 8 == 0 else "A"
        return str([1] * int(re.search(r"list of (\d+) numbers", question)[1]))  # type: ignore[index]


def test_a_reader_is_held_against_counting_and_all_its_questions_are_counted(
    rooms: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    parrot = Parrot()
    monkeypatch.setattr("molehunt.models.readers.open_reader", lambda name, parallel: parrot)
    counted = [json.loads(x) for x in (rooms / "labels" / "labels.jsonl").read_text().splitlines()]
    chosen = list(dict.fromkeys(str(x["feature"]) for x in counted if x["rule"]))
    assert len(chosen) >= 3  # features for which counting finds something
    args = ("label", rooms / "store", tmp_path / "read", "--reader", "any/parrot", "--features", *chosen)
    args += ("--learn", "20", "--test", "8", "--others", "2", "--output")
    shown = said(capfd, *args)
    value = json.loads((tmp_path / "read" / "label.json").read_text())
    n, letters = len(chosen), 8 * len(chosen)
    # The same question is asked once, and counted each time; the labels and scores are fewer than all.
    assert parrot.labels == n and 0 < parrot.letters <= letters < parrot.asked <= value["asked"]
    assert value["failed"] == value["unanswered"] >= parrot.letters // 8 > 0
    assert abs(value["cost"]["questions"] - value["asked"]) <= 0.1 * value["asked"]
    over = value["detection_over_counting"]
    # Saying yes to everything is a balanced accuracy of one half.
    assert value["detection"]["value"] == 0.5 and over["n"] == n and "same stretches" in over["how"]
    rows = [json.loads(line) for line in (tmp_path / "read" / "labels.jsonl").read_text().splitlines()]
    last = {r["feature"]: r for r in rows}
    gaps = [r["detection"]["value"] - r["counted_detection"]["value"] for r in last.values()]
    assert over["value"] == pytest.approx(np.mean(gaps)) and over["low"] <= over["value"] <= over["high"]
    assert "detection over counting" in shown and "output by counting" in shown
    assert {str(f): r["output"] for f, r in last.items()} == value["outputs"]


def test_a_reader_that_stands_in_no_lineage_may_not_label(
    rooms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    write_lineage(tmp_path / "line", begun(checkpoint_of(open_model("tiny:gpt2"), tmp_path), "2026-01-01"))
    args = ["label", str(rooms / "store"), str(tmp_path / "x"), "--reader", "local:tiny"]
    capfd.readouterr()
    assert main([*args, "--lineage", str(tmp_path / "line")]) == 2
    out, err = capfd.readouterr()
    assert out == "" and "This version may not judge" in err and not (tmp_path / "x").exists()
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tmp_path / "line", HOME)
    assert main(args) == 2, "the default one is asked where none is named"
    assert str(HOME) in capfd.readouterr().err and not (tmp_path / "x").exists()


WRONG = {
    "features build new": "--sae",
    "features build new --sae nowhere": "nowhere",
    "features build new --sae SAE --model tiny:gpt2": "resid_post.1",
    "features build store --sae SAE --text one.txt": "there already",
    "features build new --sae SAE --text nowhere.txt": "nowhere.txt",
    "features show store": "--feature",
    "features show store --feature 40": "no feature 40",
    "features show nowhere --feature 1": "store.json",
    "features show store --feature 1 --labels one.txt": "line 1",
    "features search store": "--match",
    "features search store --one one.txt": "--other",
    "features search store --match a --example b": "one of",
    "features search store --one nowhere.txt --other one.txt": "nowhere.txt",
    "features pages store": "--out",
    "features pages store --out saes": "not empty",
    "label store labels": "begun with another",
    "label store saes": "not empty",
    "label store new --features 99": "no feature 99",
    "label store new --reader someone": "'someone'",
    "label store new --test 1": "--test",
    "label store labels --pages nowhere": "no pages",
    "label store labels --pages strange": "another autoencoder",
    "label store labels --pages old": "do not say",
}


def test_mistakes_get_one_sentence_and_leave_nothing(
    rooms: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(rooms)
    for name, of in (("strange", {"autoencoder": "0" * 64}), ("old", {})):
        (rooms / name).mkdir()
        (rooms / name / "index.html").write_text("pages")
        (rooms / name / "pages.json").write_text(json.dumps({"key": "x", **of}))
    before = {str(p) for p in rooms.rglob("*")}
    for line, names in WRONG.items():
        code = main(line.replace("SAE", "saes/resid_post.1").split())
        check_refusal(code, *capfd.readouterr(), names)
        assert {str(p) for p in rooms.rglob("*")} == before, line
