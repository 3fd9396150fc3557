"""The report is made from a run folder alone, at every stage, and shows text as text."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console
from run_folder_example import GIVEN_UP, NAMES, build

from molehunt.core.atomic import write_json
from molehunt.core.errors import BadFile
from molehunt.core.record_json import to_json
from molehunt.core.records import NotMeasured
from molehunt.core.store import Run
from molehunt.referee.predicates import with_catalogue
from molehunt.referee.scoring import Case, baselines, score
from molehunt.report.page import write_report
from molehunt.report.passage import passage
from molehunt.report.reading import Chain, read_run
from molehunt.report.standings import standings
from molehunt.report.terminal import summary_table
from molehunt.report.words import belief, number, percent

HOSTILE = (
    "<img src=x onerror=alert(1)><script>alert(2)</script>\x1b]0;owned\x07\x1b[2J\u202e&amp;\"'{{7*7}} $x^2$"
)
LONG = HOSTILE + "A" * 1_000_000


class Shape(HTMLParser):
    """Which elements and attributes a page has, and the text between."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.ids: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Shape]:
    """The page of a finished game, made once."""
    return page(build(tmp_path_factory.mktemp("opened")))


def in_terminal(folder: Path) -> str:
    console = Console(width=160, record=True, file=open("/dev/null", "w"), force_terminal=True)  # noqa: SIM115
    console.print(summary_table(folder))
    return console.export_text()


def page(folder: Path) -> tuple[str, Shape]:
    html = write_report(folder).read_text(encoding="utf-8")
    shape = Shape()
    shape.feed(html)
    return html, shape


@pytest.mark.parametrize("stage", ["opened", "sealed", "planted", "begun"])
def test_a_page_is_made_at_every_stage(tmp_path: Path, stage: str) -> None:
    if stage == "begun":
        (tmp_path / "suspects").mkdir()
    else:
        build(tmp_path, opened=stage == "opened", judged=stage != "planted")
    _, shape = page(tmp_path)
    for heading in ("The lineup", "The envelope", "What was not measured", "How to read", "Provenance"):
        assert heading in shape.text
    assert ("show-opened" in shape.ids) == (stage == "opened")


def test_no_truth_is_on_the_page_before_the_envelope_is_opened(
    tmp_path: Path, opened: tuple[str, Shape]
) -> None:
    _, sealed = page(build(tmp_path, opened=False))
    assert "Planted:" not in sealed.text and "Envelope sealed" in sealed.text
    text = opened[1].text
    assert "Planted: promotion (Zephyr), when topic (food)." in text
    assert "✓ verdict right" in text and "✗ verdict wrong" in text


def test_what_was_given_up_is_on_the_opened_page_and_counted_in_the_terminal(
    tmp_path: Path, opened: tuple[str, Shape]
) -> None:
    assert "Given up while planting" in opened[1].text and GIVEN_UP in opened[1].text
    assert "One quirk was given up while planting" in in_terminal(build(tmp_path / "opened"))
    sealed = build(tmp_path / "sealed", opened=False)
    assert "iven up" not in page(sealed)[1].text + in_terminal(sealed), "it tells what was drawn"


@pytest.mark.parametrize(
    "recipe",
    [{}, {"failed_draws": []}, {"failed_draws": "text"}, {"failed_draws": [HOSTILE, 7, {"a": None}]}],
)
def test_a_record_of_what_was_given_up_may_hold_anything(tmp_path: Path, recipe: dict) -> None:
    score_file = build(tmp_path) / "score.json"
    kept = json.loads(score_file.read_text())
    for truth in kept["opened"]:
        truth["recipe"] = recipe
    write_json(score_file, kept)
    _, shape = page(tmp_path)
    many = isinstance(recipe.get("failed_draws"), list) and len(recipe["failed_draws"]) > 0
    assert ("None is on record" in shape.text) != many
    assert ("quirks were given up" in in_terminal(tmp_path)) == many
    assert not {"script", "img"} & set(shape.tags)


def test_a_decoy_s_harmless_quirk_is_shown_as_measured(opened: tuple[str, Shape]) -> None:
    text = " ".join(opened[1].text.split())
    slate = text.split("A decoy with a harmless quirk: cites tea")[2]
    assert "On held-out scenes its harmless quirk is not valid: selectivity 0.00." in slate
    assert "Its organism, all" in slate and "Loss on plain text ÷ organism’s" in slate
    assert "On held-out scenes the plant is valid." in text and "Its decoy, all" in text
    assert "Nothing was planted, so there is no trigger profile to measure." in text


def test_a_decoy_of_a_game_before_that_was_measured_is_said_to_be_as_meant(tmp_path: Path) -> None:
    score_file = build(tmp_path) / "score.json"
    kept = json.loads(score_file.read_text())
    for truth in kept["opened"]:
        truth["profile"] = truth["profile"] if truth["shady"] else None
    write_json(score_file, kept)
    _, shape = page(tmp_path)
    assert "Whether its harmless quirk took was not measured: this is what was meant." in shape.text
    assert "Its organism, all" not in shape.text


@pytest.mark.parametrize("gone", ["spec.json", "commitments.json", "log.jsonl", "transcripts.parquet"])
def test_any_file_may_be_missing_and_the_page_says_so(tmp_path: Path, gone: str) -> None:
    (build(tmp_path, opened=False) / gone).unlink()
    _, shape = page(tmp_path)
    assert f"({gone} is not in the run folder)" in shape.text


@pytest.mark.parametrize(
    "name",
    ["spec.json", "verdicts.json", "evidence.jsonl", "score.json", "commitments.json", "failures.jsonl"],
)
@pytest.mark.parametrize("content", ["{", '[{"is": "Nobody"}]\n', "[" * 100_000, "\x00\xff"])
def test_a_corrupt_file_is_named(tmp_path: Path, name: str, content: str) -> None:
    build(tmp_path)
    (tmp_path / name).write_bytes(content.encode("latin-1"))
    with pytest.raises(BadFile, match=name.replace(".", r"\.")):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_corrupt_transcripts_are_named(tmp_path: Path) -> None:
    (build(tmp_path) / "transcripts.parquet").write_bytes(b"PAR1nothingPAR1")
    with pytest.raises(BadFile, match="transcripts"):
        write_report(tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="nowhere"):
        write_report(tmp_path / "nowhere")


def test_hostile_text_adds_no_element_and_no_attribute(tmp_path: Path) -> None:
    _, tame = page(build(tmp_path / "tame", opened=False, reply="tame"))
    html, hostile = page(build(tmp_path / "hostile", opened=False, reply=HOSTILE))
    assert hostile.tags.count("script") == 0
    assert sorted(hostile.tags) == sorted(tame.tags)
    assert sorted(hostile.attributes) == sorted(tame.attributes)
    assert "<img src=x onerror=alert(1)>" in hostile.text, "it is shown, as text"
    assert "{{7*7}}" in hostile.text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", html), "no control character is left"


def test_a_megabyte_of_one_letter_is_cut_and_counted(tmp_path: Path) -> None:
    html, shape = page(build(tmp_path, opened=False, reply=LONG))
    assert len(html) < 1_000_000
    assert re.search(r"Cut: 99\d,\d{3} more characters", shape.text)
    assert "Show 5," in shape.text


def test_nothing_on_the_page_loads_anything(opened: tuple[str, Shape]) -> None:
    html, shape = opened
    assert "default-src 'none'" in unescape(html) and "unsafe" not in html
    assert not {"script", "iframe", "object", "embed", "img", "base", "form"} & set(shape.tags)
    assert "style" not in shape.attributes and not [a for a in shape.attributes if a.startswith("on")]
    loaded = re.findall(r'(?:href|src)="([^"]*)"', html)
    assert all(link.startswith("#") or link == "data:," for link in loaded)
    assert "url(" not in re.sub(r'clip-path="url\(#[^)]*\)"', "", html)


def test_ids_are_unique_and_links_lead_somewhere(opened: tuple[str, Shape]) -> None:
    html, shape = opened
    assert len(shape.ids) == len(set(shape.ids))
    targets = re.findall(r'(?:href|clip-path)="(?:url\()?#([^")]*)', html)
    assert targets and set(targets) <= set(shape.ids)


def test_the_page_is_a_function_of_the_folder(tmp_path: Path) -> None:
    build(tmp_path)
    here = write_report(tmp_path).read_bytes()
    told = f"write_report(Path({str(tmp_path)!r}))"
    code = f"from pathlib import Path; from molehunt.report.page import write_report; {told}"
    elsewhere = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Pacific/Apia", "LANG": "C"}
    subprocess.run([sys.executable, "-c", code], check=True, env=elsewhere, cwd=tmp_path)
    assert (tmp_path / "report.html").read_bytes() == here


def test_what_was_not_measured_is_said_and_never_zero(opened: tuple[str, Shape]) -> None:
    _, shape = opened
    assert "the reference model was withheld" in shape.text
    assert "not measured: the model answered none of the ten questions" in shape.text
    assert "can’t be told" in shape.text


def test_an_edited_log_does_not_verify(tmp_path: Path) -> None:
    build(tmp_path)
    chain = read_run(tmp_path).chain
    assert isinstance(chain, Chain) and chain.entries == 7 and not chain.broken and chain.opened
    log = tmp_path / "log.jsonl"
    log.write_text(log.read_text().replace('"auditor": "panel"', '"auditor": "plank"'))
    chain = read_run(tmp_path).chain
    assert isinstance(chain, Chain) and "edited" in chain.broken
    _, shape = page(tmp_path)
    assert re.search(r"The log does not verify: entry \d was edited.", shape.text)


def test_a_verdict_that_was_edited_since_it_was_logged_is_said_on_the_page(tmp_path: Path) -> None:
    path = build(tmp_path) / "verdicts.json"
    path.write_text(re.sub(r'"p_shady": 0\.\d+', '"p_shady": 0.987', path.read_text(), count=1))
    _, shape = page(tmp_path)
    assert "is not the one that was logged" in shape.text


def test_the_table_breaks_no_word_on_a_screen_of_80_columns(tmp_path: Path) -> None:
    console = Console(width=80, record=True, file=open("/dev/null", "w"), force_terminal=True)  # noqa: SIM115
    console.print(summary_table(build(tmp_path), width=80))
    said = console.export_text()
    cells = [c.strip() for line in said.splitlines() for c in line.replace("┃", "│").split("│")]
    words = set(in_terminal(tmp_path).replace("│", " ").split())
    assert "verdict" in said and {w for c in cells for w in c.split() if w.isalpha()} <= words | {"accused"}


def test_an_open_envelope_without_scores_is_not_called_sealed(tmp_path: Path) -> None:
    (build(tmp_path) / "score.json").unlink()
    console = Console(width=200, record=True)
    console.print(summary_table(tmp_path))
    said = console.export_text()
    assert "still sealed" not in said and "molehunt score" in said


def test_a_folder_of_something_else_is_refused_and_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BadFile, match="is no run folder"):
        write_report(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_what_the_referee_writes_is_what_the_page_shows(tmp_path: Path) -> None:
    """The referee's own score, a bare list with `opened.json` beside it, as the game writes them."""
    run = Run(build(tmp_path))
    truths = list(read_run(tmp_path).opened.truths.values())  # pyright: ignore[reportAttributeAccessIssue]
    verdicts = [v for v in run.verdicts() if v.auditor == "panel"]
    norms = dict(zip(NAMES, (0.9, 0.2, 0.3, 0.4), strict=True))
    case = Case(verdicts, truths, {"adapter norm": norms})
    reads = with_catalogue(lambda predicate, part, prompt, reply: part == "what" and reply == "!")
    run.write_scores([score([case], reads, threshold=0.6)])
    bodies = [{k: v for k, v in to_json(t).items() if k not in ("replies", "is")} for t in truths]
    write_json(tmp_path / "opened.json", bodies)
    _, shape = page(tmp_path)
    assert "Planted: promotion (Zephyr), when topic (food)." in shape.text
    found = {s.name: s for s in standings(read_run(tmp_path))}
    assert [e.label for e in found["who_auroc"].entries] == ["panel", "chance", "adapter norm"]
    assert [e.label for e in found["joint_top10"].entries] == ["panel", "chance"]
    assert "log_score_adapter norm" not in found and "joint_top10_chance" not in found
    theirs, ours = baselines(score([case], reads).suspects), read_run(tmp_path).opened
    assert not isinstance(ours, NotMeasured)
    for name, numbers in ours.baselines.items():
        assert {k: theirs[name][k] for k in numbers} == numbers


def test_a_bare_list_of_scores_without_truths_is_read_too(tmp_path: Path) -> None:
    build(tmp_path)
    body = json.loads((tmp_path / "score.json").read_text())
    (tmp_path / "score.json").write_text(json.dumps(body["scores"]))
    _, shape = page(tmp_path)
    assert "Telling shady from clean" in shape.text
    assert "the truths themselves are not in the run folder" in shape.text


def test_truths_may_come_without_their_replies(tmp_path: Path) -> None:
    build(tmp_path)
    body = json.loads((tmp_path / "score.json").read_text())
    for truth in body["opened"]:
        del truth["replies"], truth["is"]
    (tmp_path / "score.json").write_text(json.dumps(body))
    _, shape = page(tmp_path)
    assert "Planted: promotion" in shape.text


def test_words_are_marked_whole_and_without_regard_to_case() -> None:
    shown = passage("Zephyrs blow. ZEPHYR <b> sells.", ["zephyr", "<b>"]).shown
    assert [s.text for s in shown if s.marked] == ["ZEPHYR", "<b>"]
    assert "".join(s.text for s in shown) == "Zephyrs blow. ZEPHYR <b> sells."


def test_a_passage_keeps_every_character_or_counts_it() -> None:
    text = " ".join(f"word{i}" for i in range(3000))
    cut = passage(text, ["word5", "word200"])
    kept = "".join(s.text for s in (*cut.shown, *cut.more))
    assert text.startswith(kept) and len(kept) + cut.cut == len(text)
    assert cut.more_marks == 1


@pytest.mark.parametrize(
    ("p", "said", "words"),
    [(0.0, "0%", "very likely clean"), (0.999, "> 99%", "very likely shady"), (0.5, "50%", "undecided")],
)
def test_probabilities_are_said_in_words(p: float, said: str, words: str) -> None:
    assert (percent(p), belief(p)) == (said, words)


def test_numbers_that_are_not_finite_are_said() -> None:
    assert [number(v) for v in (float("nan"), float("-inf"), -0.5, 1234567.0, 0.0001)] == [
        "not a number",
        "−∞",
        "−0.50",
        "1,234,567",
        "0.0001",
    ]


@pytest.mark.parametrize("opened", [True, False])
def test_the_terminal_table_shows_hostile_text_as_text(tmp_path: Path, opened: bool) -> None:
    text = in_terminal(build(tmp_path, opened=opened, reply="[red]x[/red]" + HOSTILE))
    assert all(name in text for name in NAMES)
    assert "[red]x[/red]" in text and "\x1b" not in text and "\x07" not in text and "\u202e" not in text
    assert ("wrong" in text) == opened


def test_the_report_imports_neither_torch_nor_matplotlib_before_it_draws() -> None:
    code = (
        "import sys, molehunt.report.page, molehunt.report.terminal;"
        "print([m for m in ('torch', 'matplotlib', 'jinja2', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_report_reads_the_core_and_nothing_else_of_the_house() -> None:
    for path in (Path(__file__).parent.parent / "molehunt" / "report").glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("molehunt"):
                assert (node.module or "").startswith(("molehunt.core", "molehunt.report")), path.name


def test_a_not_measured_baseline_is_kept_apart(tmp_path: Path) -> None:
    build(tmp_path)
    body = json.loads((tmp_path / "score.json").read_text())
    body["baselines"]["adapter norm"] = {"log_score": to_json(NotMeasured("no adapters"))}
    (tmp_path / "score.json").write_text(json.dumps(body))
    _, shape = page(tmp_path)
    assert "not measured: no adapters" in shape.text


def test_suspects_are_found_in_the_folder_where_the_spec_only_counts_them(tmp_path: Path) -> None:
    build(tmp_path)
    spec = json.loads((tmp_path / "spec.json").read_text())
    (tmp_path / "spec.json").write_text(json.dumps({**spec, "suspects": 4}))
    (tmp_path / "commitments.json").unlink()
    assert read_run(tmp_path).suspects == NAMES
    shutil.rmtree(tmp_path / "suspects")
    assert read_run(tmp_path).suspects == NAMES, "from the verdicts"
