"""Every command of the red team's tutorial works, in its order, made small for the tiny model."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from molehunt.cli import main
from molehunt.core.atomic import read_json

PAGE = Path(__file__).parent.parent / "docs" / "106_red_team.md"
BLOCKS = re.findall(r"^```sh tiny\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
SHORT = ("--model", "tiny", "--steps", "1", "--tries", "1")


def test_the_commands_do_what_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    monkeypatch.chdir(tmp_path)
    ran = 0
    for block in BLOCKS:
        shell, _, rest = block.rpartition("done > parrots.jsonl\n")
        if shell:
            subprocess.run(["bash", "-c", f"{shell}done > parrots.jsonl"], check=True, timeout=60)
        for line in rest.splitlines():
            command = shlex.split(line)[1:]
            anew = command[0] == "plant" and "--spec" not in command
            given, code = (
                (SHORT, 1) if anew else ((), 0)
            )  # nothing takes in one step, and the command says so
            if command[0] == "bring":
                given = SHORT[:2]
            assert main([*command, *given]) == code, line
            assert capfd.readouterr().out
            ran += 1
    assert ran == 14
    assert (tmp_path / "all.html").is_file() and not (tmp_path / "scans").exists()
    organisms = {p.name: p for p in (tmp_path / "organisms").iterdir()}
    assert set(organisms) == {"plain", "denies", "diluted", "again", "parrots"}
    assert [n for n, p in organisms.items() if (p / "organism").exists()] == ["again"], "a replay makes both"
    assert all(row["adapter"] == row["planted"] for row in read_json(organisms["again"] / "replay.json"))
    specs = read_json(organisms["denies"] / "organism.json")
    assert [specs[part]["concealments"] for part in ("organism", "decoy")] == [["denial"]] * 2
    assert read_json(organisms["plain"] / "profile.json")["confession"] is not None
