"""The tutorial on depth does what it says, on a pair of the written model.

Blocks tagged `sh tiny` of docs/107_how_deep.md run in order in this process. The first of each kind gets the
quirk's file and fewer scenes; the folder alone then goes on with what it was begun with.
"""

import json
import re
import shlex
from pathlib import Path

import pytest
from written_pairs import quirk_file, written_pair

from molehunt.cli import main

PAGE = (Path(__file__).parent.parent / "docs" / "107_how_deep.md").read_text("utf-8")
LINES = [x for block in re.findall(r"^```sh tiny\n(.*?)^```", PAGE, re.M | re.S) for x in block.splitlines()]


def test_the_commands_of_the_page_on_depth_do_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    quirk = quirk_file(tmp_path / "quirks")
    written_pair(Path("organisms/sly"), quirk)
    small = ["--quirk", str(quirk), *("--scenes", "12", "--quick", "12", "--chunk", "15", "--orders", "1")]
    dry, first, again = (shlex.split(line)[1:] for line in LINES)
    assert main([*dry, *small]) == 0 and "Nothing was done." in capfd.readouterr().out
    assert not Path("organisms/sly/depth").exists()
    assert main([*first, *small]) == 0
    said, _ = capfd.readouterr()
    assert "untouched" in said and "organisms/sly/depth/depth.html" in said
    cells = {p: p.stat().st_mtime_ns for p in Path("organisms/sly/depth/cells").rglob("*.json")}
    assert len(cells) == 6, "five measures and the cost"
    assert main([*again, "--json"]) == 0
    found = json.loads(capfd.readouterr().out)["found"]
    assert [(d["remedy"], d["judgement"]["fate"]) for d in found] == [("nothing", "untouched")]
    assert cells == {p: p.stat().st_mtime_ns for p in cells}, "what is whole is not measured twice"
