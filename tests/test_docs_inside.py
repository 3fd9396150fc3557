"""Every command of the second tutorial works, in its order, made small for the tiny model."""

import re
import shlex
from pathlib import Path

import pytest

from molehunt.cli import main
from molehunt.models.written import save_adapter

PAGE = Path(__file__).parent.parent / "docs" / "102_look_inside.md"
BLOCKS = re.findall(r"^```sh tiny\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
SMALL = {
    "capture": "--model tiny --tokens 1500 --context 64",
    "sae train": "--latents 40 --k 4 --tokens 1500 --batch 256",
    "sae train cross": "--model tiny:written --context 64",
    "sae eval": "--model tiny --tokens 300 --context 64",
    "label": "--learn 6 --test 4 --others 3",
}
"""What the tiny model's commands are given besides: it has two layers, and nobody wants to wait."""


def test_the_commands_do_what_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    monkeypatch.chdir(tmp_path)
    for name, word in (("mornings", "sun"), ("evenings", "moon")):
        (tmp_path / f"{name}.txt").write_text("\n".join(f"{word} {i} {word}" for i in range(6)))
    lines = [line for block in BLOCKS for line in block.splitlines()]
    assert len(lines) == 13
    save_adapter(tmp_path / "runs/first/suspects/NAME")
    for line in lines:
        command = line.replace("resid_post.15", "resid_post.1").partition(" > ")[0]
        command = command.replace("diff default", "diff tiny:written")
        small = " ".join(s for start, s in SMALL.items() if command.startswith(f"molehunt {start}"))
        command = command.replace("--most 50", "--most 5")
        assert main([*shlex.split(command)[1:], *small.split()]) == 0, line
        assert capfd.readouterr().out
    assert (tmp_path / "site" / "index.html").is_file() and len(
        list((tmp_path / "site/feature").iterdir())
    ) == 40
