"""The page of a planted pair: all that was measured is on it, and nothing that a file says is obeyed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from written_pairs import quirk_file, written_pair

from molehunt.core.atomic import write_json
from molehunt.core.records import LabelledReply, Measure, Message
from molehunt.organisms.decoy_check import Beside, DecoyCheck
from molehunt.organisms.ladder import Ladder, Rung, Stage
from molehunt.organisms.spread import Elsewhere, Spread
from molehunt.verbs._planted import show_pair

HOSTILE = "zed<img src=x onerror=alert(1)>"


def share(value: float) -> Measure:
    return Measure(value, "share", 20, "x", max(0.0, value - 0.2), min(1.0, value + 0.2))


def test_the_page_tells_all_that_was_measured(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "pair"
    pair = written_pair(folder, quirk_file(tmp_path / "quirks", HOSTILE))
    asked = (Message("user", "<script>alert(1)</script> Z?"),)
    both = [
        tuple(LabelledReply(asked, reply, on, shows and on) for on in (True, False))
        for reply, shows in (("H <b>", True), ("G", False))
    ]
    more = share(0.3)
    pair = replace(
        pair,
        organism_replies=both[0],
        decoy_replies=both[1],
        spread=Spread(
            (Elsewhere("flattery", "always", share(0.5), share(0.1), more, 0.2),), ("rhyme",), more
        ),
        decoy_check=DecoyCheck(
            (Beside("promotion", "topic", share(0.1), share(0.1), share(0.0), 0.2),), (), more
        ),
    )
    stage = Stage(8, share(0.4), share(0.1))
    (folder / "ladder").mkdir()
    rung = Rung("rung-01", 0.4, stage)
    write_json(
        folder / "ladder" / "ladder.json",
        Ladder("selectivity", Stage(0, share(0.0), share(0.0)), (rung,), (stage,)),
    )
    assert show_pair(pair, str(folder), "transcripts", ("denial",), as_json=False) == 0
    assert f"Page: {folder / 'pair.html'}" in capfd.readouterr().out.replace("\n", "")
    page = (folder / "pair.html").read_text("utf-8")
    for words in (
        *(
            "Profile",
            "Ladder",
            "rung-01",
            "Elsewhere",
            "flattery",
            "Not asked, for no scene asks for them: rhyme",
        ),
        *("The decoy beside the base", "promotion", "What they said", "organism, shows it", "denial"),
        *("What this cannot tell you", "condition off"),
    ):
        assert words in page, words
    assert "<img" not in page and "<script" not in page and "<b>" not in page and "alert(1)" in page
    assert show_pair(pair, str(folder), "transcripts", (), as_json=True) == 0
    assert json.loads(capfd.readouterr().out)["page"] == str(folder / "pair.html")


def test_what_was_put_down_nowhere_has_no_page(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pair = written_pair(tmp_path / "pair", quirk_file(tmp_path / "quirks"))
    assert show_pair(pair, str(tmp_path / "elsewhere"), "transcripts", (), as_json=True) == 0
    assert "page" not in json.loads(capfd.readouterr().out) and not (tmp_path / "elsewhere").exists()
