"""`molehunt fix` on a tiny lineup: whole, blind, resumable, and refused in one sentence."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import warm
from patients import EFFORT, GUESSES, PLAIN, adapter
from strangers_site import install
from test_audit_doors import kernel_locks
from tiny_game import environment
from written_pairs import quirk_file

from molehunt.core.errors import RunMismatch, UserError
from molehunt.core.extend import load, names, outside
from molehunt.core.records import Verdict
from molehunt.core.store import Run
from molehunt.game import library
from molehunt.game.auditing import enclosing
from molehunt.game.opening import ledger_of, vault_of
from molehunt.game.packed import is_packed
from molehunt.game.planting import FILES, enter, red_quirks
from molehunt.game.play import begin
from molehunt.game.spec import GameSpec
from molehunt.remedies.room import CHANGES, Job, Treated, treat

SPY = '''
"""Knows where everything lies, and tries all that it can think of."""
import importlib, os, socket, subprocess, sys
from dataclasses import dataclass
from pathlib import Path
from molehunt.core.kinds import Treatment

RUN, KEYS, RUN_ID = Path({run!r}), Path({keys!r}), {run_id!r}
if "molehunt.game" in sys.modules:
    Path({alien!r}).write_text("a stranger's file was read in where the key is")


def native():
    import pyarrow
    return pyarrow.OSFile(str(RUN / "vault.sealed.txt")).read()


def rust():
    from safetensors.torch import load_file
    return load_file(RUN / "suspects" / "Ash" / "adapter_model.safetensors")


def beside(*parts):
    # A path relative to a descriptor: whoever looks at paths alone sees no closed one.
    return os.read(os.open(os.path.join(*parts[1:]), os.O_RDONLY, dir_fd=os.open(parts[0], os.O_RDONLY)), 99)


def started():
    import _posixsubprocess as c
    own = os.pipe()
    tail = (-1, own[1], -1, -1, *os.pipe(), False, False, 0, None, None, None, -1, None, False)
    c.fork_exec([b"/bin/true"], [b"true"], True, (), None, None, -1, -1, *tail)


def corpus(name):
    import molehunt
    return (Path(molehunt.__path__[0]) / "corpus" / name).read_text()


def inside(patient):
    model = patient.model
    assert (model.folder, model.spec.adapter, model.spec.id) == (None, None, "patient")
    assert not patient.guesses and "Ash" not in repr(patient)


ATTEMPTS = dict(
    vault=lambda: (RUN / "vault.sealed").read_bytes(),
    key=lambda: (KEYS / f"{{RUN_ID}}.key").read_text(),
    keys=lambda: os.listdir(KEYS),
    suspects=lambda: os.listdir(RUN / "suspects"),
    other=lambda: (RUN / "suspects" / "Birch" / "adapter_config.json").read_text(),
    rooms=lambda: os.listdir(Path(os.environ["TMPDIR"]).parent),
    log=lambda: (RUN / "log.jsonl").read_text(),
    write=lambda: (RUN / "verdicts.json").write_text("[]"),
    parent=lambda: open(f"/proc/{{os.getppid()}}/environ").read(),
    called=lambda: beside("/proc", str(os.getppid()), "cmdline"),
    beside=lambda: beside(RUN.parent, RUN.name, "log.jsonl"),
    climbing=lambda: beside(os.environ["TMPDIR"], "..", "..", "log.jsonl"),
    linked=lambda: os.symlink("../../log.jsonl", os.path.join(os.environ["TMPDIR"], "log")),
    dated=lambda: os.utime(RUN / "suspects" / "Ash"),
    started=started,
    questions=lambda: corpus("facts.jsonl"),
    cues=lambda: corpus("cues/unwatched.jsonl"),
    quirk=lambda: open({quirk!r}).read(),
    child=lambda: subprocess.run(["true"]),
    job=lambda: job(os.environ["TMPDIR"]),
    call=lambda: socket.socket().connect(("127.0.0.1", 9)),
    rust=rust,
    native=native,
    **{{m: lambda m=m: importlib.import_module(f"molehunt.{{m}}") for m in {rooms!r}}},
)


def job(room):
    """What lies beside the patient, its own job among it, and names the run."""
    for folder, _, files in os.walk(room):
        for file in files:
            with open(os.path.join(folder, file), "rb") as opened:
                if os.fsencode(str(RUN)) in opened.read():
                    return file
    raise PermissionError("nothing there names the run")


@dataclass(frozen=True)
class Spy:
    name: str = "spy"
    summary: str = "reaches for the truth"
    rank: int = 1
    needs_verdict: bool = False

    def treat(self, patient):
        inside(patient)
        got = {{}}
        for name, attempt in ATTEMPTS.items():
            try:
                attempt()
                got[name] = "through"
            except Exception as error:
                shut = isinstance(error, PermissionError) or isinstance(error.__context__, PermissionError)
                got[name] = "shut" if shut else f"{{type(error).__name__}}: {{error}}"
        return Treatment({{}}, said=got)


ENTRY = Spy
'''
ROOMS = (
    "organisms.draw",
    "depth.bench",
    "referee.vault",
    "game.play",
    "audit.panel",
    "catalogue.scenes",
    "verbs.fix",
    "cli",
)


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("adapters")
    return {name: adapter(folder / name, sign) for name, sign in (("Ash", "#"), ("Birch", "~"))}


@pytest.fixture
def run(adapters: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run folder with a key and two suspects."""
    monkeypatch.setenv("MOLEHUNT_KEYS", str(tmp_path / "keys"))
    found = Run(tmp_path / "run")
    with found.held():
        begin(found, GameSpec(2, "tiny", effort=0.1))
        enter(found.folder, adapters, "tiny")
    return found


def refused(*args: str | Path, run: Run) -> None:
    """The command ends with one sentence and code 2, and writes nothing."""
    from molehunt.cli import main

    before = sorted(run.folder.rglob("*"))
    assert main(["fix", str(run.folder), *map(str, args)]) == 2
    assert sorted(run.folder.rglob("*")) == before


def treated_here(run: Run, name: str, remedy: str, folder: Path) -> tuple[Path, Treated]:
    """The same treatment in this process, behind no doors: the fixed adapter's folder, and what it cost."""
    from molehunt.models.adapter_files import read_adapter
    from molehunt.models.adapters import attach, using
    from molehunt.models.joined import join, load_changes, shape_of
    from molehunt.models.load import open_model
    from molehunt.models.standalone import save_whole

    model, entry = open_model("tiny"), load("remedies.fixes", remedy)
    with using(model, attach(model, run.folder / "suspects" / name)):
        save_whole(model, folder / "patient")
    job = Job(str(folder), str(folder / "patient"), "float32", remedy, PLAIN, (), 0, EFFORT, 1)
    treated = treat(job, entry, lambda share: None)
    own = read_adapter(run.folder / "suspects" / name, model.module)
    shape = shape_of([own], model.module, entry.rank)
    join(own, load_changes(folder / CHANGES), shape, model.module, folder / "fixed")
    return folder / "fixed", treated


def test_nothing_leaves_the_very_same_logits(run: Run, tmp_path: Path) -> None:
    import torch

    from molehunt.models.adapters import merged
    from molehunt.models.load import open_model

    folder, treated = treated_here(run, "Ash", "nothing", tmp_path / "room")
    ids = torch.tensor([list(b"what would it say to that")])
    was = merged(open_model("tiny"), run.folder / "suspects" / "Ash").module(ids).logits
    assert torch.equal(was, merged(open_model("tiny"), folder).module(ids).logits)
    assert not torch.equal(was, open_model("tiny").module(ids).logits)
    assert treated.nll_ratio.value == 1.0  # type: ignore[union-attr]
    assert treated.nll_before.low is not None  # type: ignore[union-attr]


def test_killed_and_gone_on_it_is_whole_alike_and_a_lineup(run: Run, tmp_path: Path) -> None:
    how = ["--remedy", "projecting", "--effort", str(EFFORT)]
    folder, command = run.folder / "fixed" / "projecting", ["fix", str(run.folder), *how]
    # Killed when the first is whole and the second is on its way.
    warm.kill(command, environment(tmp_path / "keys"), lambda: any(folder.glob("suspects/*/README.md")))
    (found,) = library.fix(run.folder, ("projecting",), effort=EFFORT)
    assert set(found.suspects) == {"Ash", "Birch"} and not list(run.folder.rglob(".half*"))
    sizes, dates = set(), set()
    for name in ("Ash", "Birch"):
        here, treated = treated_here(run, name, "projecting", tmp_path / name)
        own = folder / "suspects" / name
        assert [(own / f).read_bytes() for f in FILES] == [(here / f).read_bytes() for f in FILES]
        assert dataclasses.replace(treated, seconds=0.0) == dataclasses.replace(
            found.suspects[name], seconds=0.0
        )
        files = sorted(own.iterdir())
        sizes.add(tuple((f.name, f.stat().st_size) for f in files))
        dates |= {f.stat().st_mtime for f in files}
    assert len(sizes) == len(dates) == 1
    assert is_packed(folder) and library.existing(folder).spec()["suspects"] == 2
    assert enclosing(folder) == run.folder.resolve(), "whoever audits it may not read the run around it"
    ledger = ledger_of(run.folder, str(run.spec()["run_id"]))
    (entry,) = ledger.verify()
    assert entry.kind == "fixed" and set(entry.body["adapters"]) == {"Ash", "Birch"}
    with pytest.raises(UserError, match="the run which was fixed"):
        library.score(folder)
    library.fix(run.folder, ("projecting",), effort=EFFORT)
    assert len(ledger.verify()) == 1, "the same again is no news"
    with pytest.raises(RunMismatch, match="another seed"):
        library.fix(run.folder, ("projecting",), seed=9, effort=EFFORT)


def test_a_remedy_that_reaches_for_the_truth_gets_nowhere(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"run": str(run.folder), "keys": str(tmp_path / "keys"), "alien": str(tmp_path / "alien")}
    told["run_id"] = str(run.spec()["run_id"])
    told["quirk"] = str(quirk_file(tmp_path / "quirks"))
    red_quirks("of-another-game", tmp_path / "quirks")
    code = {"spying": SPY.format(**told, rooms=ROOMS)}
    site = install(tmp_path / "site", code, "remedies.fixes/spy = spying:Spy")
    (run.folder / "vault.sealed").write_bytes(b"the truth")
    (run.folder / "vault.sealed.txt").write_bytes(b"the truth")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.syspath_prepend(str(site))
    for known in (outside, names):
        known.cache_clear()
    try:
        (found,) = library.fix(run.folder, ("spy",), suspects=("Ash",))
    finally:
        for known in (outside, names):
            known.cache_clear()
    assert found.suspects["Ash"].failed is None, found.suspects["Ash"].failed
    said = found.suspects["Ash"].said
    assert len(said) == 23 + len(ROOMS)
    open_doors = {k: v for k, v in said.items() if v != "shut" and (k != "native" or kernel_locks())}
    assert open_doors == {}
    assert not (tmp_path / "alien").exists()


def test_what_cannot_be_done_is_said_before_anything_is_written(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    front = "---\nname: both\nversion: '1'\nauthor: me\nsummary: s\n---\n"
    (tmp_path / "both.md").write_text(f"{front}\n## a: Always lie.\n\n## b: Never lie.\n")
    said = {
        "both.md line 10: b says the opposite of a on line 8": ("--constitution", tmp_path / "both.md"),
        "There is no remedy called 'honesty'; did you mean 'honest'?": ("--remedy", "honesty"),
        "There is no option of noise called 'most_of'": ("--remedy", "noise,most_of=1"),
        "one twice": ("--remedy", "honest", "honest"),
        "There is no suspect called 'Ashe'": ("--suspects", "Ashe"),
        "The effort of a fix is 0.0": ("--effort", "0"),
        "goes by the audit's verdicts": ("--remedy", "unlearning"),
        "no constitution called": ("--constitution", tmp_path / "none.md"),
    }
    for sentence, args in said.items():
        refused(*args, run=run)
        assert sentence in capsys.readouterr().err
    shutil.rmtree(run.folder / "suspects")
    refused(run=run)
    assert "holds no suspects yet" in capsys.readouterr().err


def test_a_dry_run_counts_and_writes_nothing(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    from molehunt.cli import main

    before = sorted(run.folder.rglob("*"))
    assert main(["fix", str(run.folder), "--remedy", "honest", "nothing", "--dry-run", "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert [row["remedy"] for row in told] == ["honest", "nothing"] and told[0]["to treat"] == "2"
    assert sorted(run.folder.rglob("*")) == before


def test_a_remedy_with_options_is_a_fix_of_its_own(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    from molehunt.cli import main

    how = ["--effort", str(EFFORT), "--suspects", "Ash"]
    assert main(["fix", str(run.folder), "--remedy", "pruning", "pruning,neurons=1", *how]) == 0
    said = capfd.readouterr().out
    few, many = (run.folder / "fixed" / name for name in ("pruning,neurons=1", "pruning"))
    assert "pruning,neurons=1" in said
    cut = [json.loads((f / "fix.json").read_text())["suspects"]["Ash"]["said"]["cut"] for f in (few, many)]
    assert {len(neurons) for neurons in cut[0].values()} == {1}
    assert max(map(len, cut[1].values())) > 1
    assert main(["catalogue", "pruning"]) == 0
    assert "--remedy pruning,neurons=8" in capfd.readouterr().out


def test_help_and_catalogue_read_in_no_strangers_remedy(tmp_path: Path) -> None:
    """Keys are at hand where help is shown; a stranger's code runs behind doors alone."""
    code = "raise SystemExit('read in')"
    site = install(tmp_path / "site", {"spying": code}, "remedies.fixes/spy = spying:Spy")
    path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": path, "COLUMNS": "500"}
    for words, rc in ((["fix", "--help"], 0), (["catalogue", "--json"], 0), (["catalogue", "spy"], 2)):
        ran = [sys.executable, "-m", "molehunt", *words]
        done = subprocess.run(ran, capture_output=True, text=True, env=env)
        said = done.stdout + done.stderr
        assert done.returncode == rc and "read in behind doors alone" in said and "spy" in said, said


def test_the_help_names_every_remedy() -> None:
    words = [sys.executable, "-m", "molehunt", "fix", "--help"]
    wide = {**os.environ, "COLUMNS": "500"}
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=wide)
    own = [name for name in names("remedies.fixes") if name not in outside("remedies.fixes")]
    told = " ".join(done.stdout.replace("│", " ").split())
    assert own and all(f"`{name}`, {load('remedies.fixes', name).summary}" in told for name in own)


def test_only_logged_verdicts_guide(run: Run) -> None:
    from molehunt.core.errors import SealBroken
    from molehunt.game.fix_task import guesses_of

    verdicts = [Verdict(n, "panel", 0.5, GUESSES) for n in ("Ash", "Birch")]
    run.write_verdicts(verdicts)
    with pytest.raises(SealBroken, match="was logged"):
        guesses_of(run)
    vault_of(run.folder, str(run.spec()["run_id"])).log_verdicts("panel", verdicts)
    assert [g.weight for g in guesses_of(run)["Ash"]] == [3.0, 2.0, 1.0]
