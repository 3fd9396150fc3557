"""Every command of the third tutorial works, in its order, made small for the tiny model."""

import re
import shlex
from pathlib import Path

import pytest

from molehunt.character.constitution import FIELDS, parse
from molehunt.character.constitution_check import TAGS
from molehunt.cli import main

PAGE = (Path(__file__).parent.parent / "docs" / "103_moral_uncertainty.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh tiny\n(.*?)^```", PAGE, re.M | re.S)
SMALL = {
    "molehunt moral": " --limit 1 --parts dilemmas",
    "molehunt character train": " --model tiny --limit 2 --steps 1 --prefer-steps 1 --batch 2 --max-tokens 4 "
    "--try-out 2 --checks 1",
    "molehunt character measure": " --model tiny --limit 1 --max-tokens 4 --parts chat agentic",
}
"""What the tiny model is given besides: nobody wants to wait."""


def test_the_commands_do_what_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [line for block in BLOCKS for line in block.splitlines()]
    assert len(lines) == 11
    for line in lines:
        command, _, file = line.partition(" > ")
        small = next((more for verb, more in SMALL.items() if command.startswith(verb)), "")
        if small:
            command = command.replace("default", "tiny") + small
        assert main(shlex.split(command)[1:]) == 0, line
        said = capfd.readouterr().out
        assert said
        if file:
            (tmp_path / file).write_text(said)
    assert {p.name for p in (tmp_path / "morals").iterdir()} >= {
        *("asked.jsonl", "results.json", "choices.parquet", "moral.html")
    }
    assert (tmp_path / "conduct" / "character.html").is_file()
    assert all((tmp_path / name / "adapter").is_dir() for name in ("kinder", "unsure", "certain"))
    listed = set(re.findall(r"`(\w+\.jsonl?)`", PAGE.split("| file |")[1].split("\n\n")[0]))
    assert {"lessons.jsonl", "live.jsonl"} <= listed <= {p.name for p in (tmp_path / "kinder").iterdir()}


def test_the_form_on_the_page_is_the_form() -> None:
    shown = re.search(r"^```md\n(.*?)^```", PAGE, re.M | re.S)
    assert shown is not None
    one = parse(shown[1])
    assert one.principles[0].yields_to == ("no-harm",) and len(one.principles[0].examples) == 1
    assert all(f"{name}:" in shown[1] for name in FIELDS)
    assert all(f"`{tag}`" in PAGE for tag in TAGS)
