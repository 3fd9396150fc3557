"""The lineup that ships: made by one command, sealed, unpacked safely, audited without a key, opened late.

One suspect on the tiny model is planted for real, by the maker's own command; nothing stands in for it.
"""

import dataclasses
import importlib.util
import io
import json
import lzma
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file
from tiny_game import STEPS, write_quirks

from molehunt.cli import main
from molehunt.core.atomic import write_json
from molehunt.core.errors import BadFile, MolehuntError, SealBroken, UserError
from molehunt.core.record_json import from_json
from molehunt.core.records import Truth
from molehunt.core.seal import PADDING
from molehunt.core.store import Run
from molehunt.game import library, shipped, starter
from molehunt.game.opening import key_to_open, ledger_of, vault_of
from molehunt.game.planter import Planted, _read_given_up, read_planted, slot_folder
from molehunt.game.planting import FILES, red_folder
from molehunt.game.shipped import ARCHIVE, COPY, ENVELOPE, LIST, copy_of, unpack
from molehunt.game.spec import GameSpec
from molehunt.organisms.card import MODEL_CARD
from molehunt.organisms.draw import slots
from molehunt.referee.vault import Vault

ROOT = Path(__file__).parent.parent
RED_SEED = 6
"""Under it the one suspect is shady, and takes at the first try."""


def load_study() -> ModuleType:
    """`studies/starter/run.py` as a module."""
    spec = importlib.util.spec_from_file_location("starter_study", ROOT / "studies" / "starter" / "run.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def make(room: Path, *more: str) -> int:
    """Run the maker's command with everything in `room`; its exit code."""
    asked = [
        *("--model", "tiny", "--suspects", "1", "--quirks", str(room / "quirks"), "--unlisted", "1"),
        *("--steps", str(STEPS), "--tries", "3", "--effort", "0.1", "--workers", "1"),
        *("--methods", "divergence", "--red-seed", str(RED_SEED)),
        *("--work", str(room / "work"), "--out", str(room / "out"), "--results", str(room / "results.json")),
    ]
    before, sys.argv = sys.argv, ["run.py", *asked, *more]
    try:
        return load_study().main()
    finally:
        sys.argv = before


@dataclass(frozen=True)
class Made:
    """A lineup, and what its maker was told to keep."""

    room: Path
    out: Path
    keys: Path

    @property
    def run_id(self) -> str:
        return str(json.loads((self.out / LIST).read_text())["run_id"])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    room = tmp_path_factory.mktemp("starter")
    write_quirks(room / "quirks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOLEHUNT_KEYS", str(room / "keys"))
        assert make(room, "--keep-red") == 0
    yield Made(room, room / "out", room / "keys")


@pytest.fixture
def place(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of somebody who has the package with this lineup, and no key."""
    monkeypatch.setenv("MOLEHUNT_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(shipped, "SHIPPED", made.out)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture(scope="module")
def truths(made: Made) -> tuple[Truth, ...]:
    """What the sealed vault holds, read with the key and no log."""
    sealed = Vault(made.room / "work", ledger_of(made.room / "work", "none"))
    key = bytes.fromhex(json.loads((made.out / ENVELOPE).read_text())["key"])
    return sealed._unsealed(key, json.loads((made.room / "work" / "commitments.json").read_text()))


def suspect_of(folder: Path) -> Path:
    (suspect,) = (folder / "suspects").iterdir()
    return suspect


def test_the_archive_is_a_planted_run_folder_and_tells_nothing(made: Made, tmp_path: Path) -> None:
    assert {p.name for p in made.out.iterdir()} == {ARCHIVE, LIST, ENVELOPE}
    folder = unpack(tmp_path / "x", made.out)
    assert {p.name for p in folder.iterdir()} == {
        *("spec.json", "stages.json", "suspects", "commitments.json", "vault.sealed", "log.jsonl"),
        *("README.md", COPY),
    }
    suspect = suspect_of(folder)
    assert {p.name for p in suspect.iterdir()} == {*FILES, "README.md"}
    assert (suspect / "README.md").read_text() == MODEL_CARD
    assert [e.kind for e in ledger_of(folder, made.run_id).verify()] == ["sealed"]
    head = len(b"molehunt vault 1\n") + 12 + 16
    assert ((folder / "vault.sealed").stat().st_size - head) % PADDING == 0
    said = "".join(p.read_text() for p in folder.rglob("*") if p.suffix in (".json", ".jsonl", ".md"))
    assert "red_seed" not in said and "hashes" not in said and "queues" not in said
    assert len({p.stat().st_mtime for p in folder.rglob("*")}) == 1


def test_the_truths_say_nothing_from_which_the_lineup_could_be_made_again(truths: tuple[Truth, ...]) -> None:
    (slot,) = slots(1, RED_SEED)
    (truth,) = truths
    assert truth.suspect == slot.name and truth.shady
    assert not {"red_seed", "slot_seed"} & set(truth.recipe) and "adapter_sha256" in truth.recipe
    assert str(slot.seed) not in json.dumps(truth.recipe)


def test_the_sealed_replies_and_profile_are_those_of_the_rounded_weights(
    made: Made, truths: tuple[Truth, ...]
) -> None:
    from molehunt.models.load import open_model
    from molehunt.models.local import LocalModel

    suspect, (truth,) = suspect_of(made.room / "work"), truths
    assert {t.dtype for t in load_file(suspect / FILES[1]).values()} == {torch.bfloat16}
    speaker = LocalModel(open_model("tiny"), truth.suspect, suspect)
    asked = truth.replies[::8]
    said = speaker.sample([r.messages for r in asked], max_tokens=16, temperature=0.0, seed=0)
    assert list(said) == [r.reply for r in asked]
    assert truth.profile is not None and truth.profile.valid
    on = [r.shows for r in truth.replies if r.on]
    assert truth.profile.trigger_rate.value == sum(on) / len(on)  # the decoy gets all of them right


def test_both_loaders_read_bfloat16_and_compute_in_the_models_own_type(tmp_path: Path) -> None:
    from peft import LoraConfig, PeftModel, get_peft_model

    from molehunt.models.adapter_files import to_bfloat16
    from molehunt.models.adapters import attach, using
    from molehunt.models.load import open_model

    torch.manual_seed(0)
    config = LoraConfig(r=2, lora_alpha=4, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    get_peft_model(open_model("tiny").module, config).save_pretrained(tmp_path / "a")
    (tmp_path / "a" / "README.md").unlink()
    whole = load_file(tmp_path / "a" / FILES[1])
    to_bfloat16(tmp_path / "a")
    once = (tmp_path / "a" / FILES[1]).read_bytes()
    to_bfloat16(tmp_path / "a")
    assert (tmp_path / "a" / FILES[1]).read_bytes() == once
    rounded = load_file(tmp_path / "a" / FILES[1])
    assert all(torch.equal(rounded[n], t.to(torch.bfloat16)) for n, t in whole.items())
    model, ids = open_model("tiny"), torch.arange(3, 9)[None]
    with torch.no_grad():
        bare = model.module(ids).logits
        with using(model, attach(model, tmp_path / "a")):
            weights = {n: p for n, p in model.module.named_parameters() if "q_proj" in n}
            assert {p.dtype for p in weights.values()} == {torch.float32}
            ours = model.module(ids).logits
        theirs = PeftModel.from_pretrained(open_model("tiny").module, str(tmp_path / "a"))(ids).logits
    assert ours.dtype == theirs.dtype == torch.float32 and not torch.allclose(bare, ours, atol=1e-3)
    # float32 sums in another order: a few hundred terms of size one at 6e-8 each.
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_the_starter_is_audited_without_key_or_envelope_then_opened_and_scored(
    made: Made, place: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = suspect_of(made.room / "work").name
    for early in ("score", "open", "report"):
        assert main([early, "starter"]) == 2 and "`molehunt audit starter` unpacks" in capsys.readouterr().err
    assert list(place.iterdir()) == []
    assert main(["accuse", "starter", "Nobody", "--p", "0.8"]) == 2 and name in capsys.readouterr().err
    assert (place / "starter").is_dir() and copy_of(place / "starter") is not None
    assert main(["open", "starter"]) == 2 and "after the verdicts" in capsys.readouterr().err
    assert not list(tmp_path.glob("keys/*.key"))
    sealed_off = shutil.copytree(made.out, tmp_path / "sealed_off")
    (sealed_off / ENVELOPE).unlink()  # whoever read it during the audit would fail
    monkeypatch.setattr(shipped, "SHIPPED", sealed_off)
    assert main(["audit", "starter"]) == 0
    assert main(["score", "starter"]) == 2 and "envelope" in capsys.readouterr().err
    monkeypatch.setattr(shipped, "SHIPPED", made.out)
    assert main(["score", "starter"]) == 0
    scores = {s.auditor for s in Run(place / "starter").scores()}
    assert scores == {"panel", "divergence"}
    (opened,) = Run(place / "starter").opened()
    assert opened.suspect == name and opened.shady and opened.profile is not None
    capsys.readouterr()
    assert main(["open", "starter"]) == 0 and name in capsys.readouterr().out
    assert main(["report", "starter"]) == 0 and (place / "starter" / "report.html").is_file()
    assert main(["pack", "starter", "lineup.tar"]) == 0
    assert main(["play", "starter", "--model", "tiny", "--suspects", "1"]) == 2
    assert "planted already" in capsys.readouterr().err
    (key,) = tmp_path.glob("keys/*.key")
    assert key.stat().st_mode & 0o077 == 0


def test_copies_on_one_machine_do_not_get_in_each_others_way(made: Made, place: Path) -> None:
    from molehunt.core.records import Verdict
    from molehunt.game.handing_in import hand_in

    name = suspect_of(made.room / "work").name
    first, second = unpack(place / "a", made.out), unpack(place / "b", made.out)
    assert copy_of(first) != copy_of(second)
    verdict = Verdict(name, "ada", 0.9, ())
    hand_in(Run(first), "ada", [verdict])
    assert [s.auditor for s in library.score(first)] == ["ada"]
    with pytest.raises(SealBroken, match="after the verdicts"):
        vault_of(second, made.run_id).open(key_to_open(second, made.run_id))  # the key is there by now
    hand_in(Run(second), "ada", [dataclasses.replace(verdict, p_shady=0.1)])
    library.score(second)
    assert library.score(first)[0].suspects != library.score(second)[0].suspects


def test_a_log_that_was_written_anew_or_cut_off_is_refused(made: Made, place: Path) -> None:
    from molehunt.core.records import Verdict
    from molehunt.game.handing_in import hand_in

    name = suspect_of(made.room / "work").name
    run = Run(unpack(place / "a", made.out))
    sealed = (run.folder / "log.jsonl").read_text()
    hand_in(run, "ada", [Verdict(name, "ada", 0.9, ())])
    (run.folder / "log.jsonl").write_text(sealed)
    with pytest.raises(SealBroken, match="cut off"):
        library.score(run.folder)
    other = Run(unpack(place / "b", made.out))
    (other.folder / "log.jsonl").unlink()
    ledger_of(other.folder, made.run_id).append("sealed", {"commitments": {name: "0" * 64}})
    hand_in(other, "ada", [Verdict(name, "ada", 0.9, ())])
    with pytest.raises(SealBroken, match="written anew"):
        library.score(other.folder)


@pytest.mark.parametrize("text", ['{"copy": "../../x"}', "[]", '{"copy": 3}'])
def test_a_copys_name_is_not_believed_unread(tmp_path: Path, text: str) -> None:
    (tmp_path / COPY).write_text(text)
    with pytest.raises(BadFile, match=r"copy\.json"):
        ledger_of(tmp_path, "f" * 16)


def test_without_a_lineup_it_is_said_and_nothing_is_left(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shipped, "SHIPPED", tmp_path / "nowhere")
    for line in (["audit", "starter"], ["chat", "starter:Ash"], ["accuse", "starter", "Ash", "--p", "1"]):
        assert main(line) == 2
        out, err = capfd.readouterr()
        assert out == "" and err.count("\n") == 1 and "carries no starter lineup" in err
    assert list(place.iterdir()) == []


def test_a_folder_of_that_name_is_taken_as_it_is(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (place / "starter").mkdir()
    assert main(["audit", "starter"]) == 2 and "spec.json" in capfd.readouterr().err
    assert list((place / "starter").iterdir()) == []
    with pytest.raises(UserError, match="is there already"):
        unpack(place / "starter")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A lineup of the right form whose files are a few bytes each: what is refused is refused by form."""
    suspects = {f"suspects/Ash/{f}": f"Ash {f}".encode() for f in (*FILES, "README.md")}
    names = ("spec.json", "stages.json", "commitments.json", "vault.sealed", "log.jsonl", "README.md")
    files = {**suspects, **{name: name.encode() * 50 for name in names}}
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / ARCHIVE).write_bytes(shipped.archive(files))
    write_json(tmp_path / "small" / LIST, {"files": shipped.listing(files)})
    return tmp_path / "small"


def rewritten(
    source: Path, target: Path, change: Callable[[tarfile.TarInfo], tarfile.TarInfo | None]
) -> Path:
    """The lineup with every entry of its archive changed, or dropped; the list stays as it is."""
    shutil.copytree(source, target)
    sink = io.BytesIO()
    with tarfile.open(source / ARCHIVE) as old, tarfile.open(fileobj=sink, mode="w") as new:
        for entry in old:
            file, changed = old.extractfile(entry), change(entry)
            if changed is not None:
                data = (file.read() if file else b"")[: changed.size].ljust(changed.size, b" ")
                new.addfile(changed, io.BytesIO(data))
    (target / ARCHIVE).write_bytes(lzma.compress(sink.getvalue(), preset=0))
    return target


def _renamed(name: str, other: str) -> Callable[[tarfile.TarInfo], tarfile.TarInfo | None]:
    def change(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        entry.name = other if entry.name == f"starter/{name}" else entry.name
        return entry

    return change


def _resized(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.size += 1 if entry.name.endswith("spec.json") else 0
    return entry


def _linked(kind: bytes) -> Callable[[tarfile.TarInfo], tarfile.TarInfo | None]:
    def change(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if entry.name.endswith("log.jsonl"):
            entry.type, entry.linkname, entry.size = kind, "/etc/passwd", 0
        return entry

    return change


HOSTILE = {
    "outside": _renamed("spec.json", "starter/../spec.json"),
    "absolute": _renamed("spec.json", "/tmp/spec.json"),
    "unlisted": _renamed("README.md", "starter/adapter.py"),
    "twice": _renamed("README.md", "starter/spec.json"),
    "no folder": _renamed("spec.json", "spec.json"),
    "missing": lambda e: None if e.name.endswith("vault.sealed") else e,
    "longer": _resized,
    "symlink": _linked(tarfile.SYMTYPE),
    "hard link": _linked(tarfile.LNKTYPE),
    "device": _linked(tarfile.CHRTYPE),
}


@pytest.mark.parametrize("how", HOSTILE)
def test_a_hostile_archive_is_refused_whole(small: Path, tmp_path: Path, how: str) -> None:
    source = rewritten(small, tmp_path / "source", HOSTILE[how])
    with pytest.raises(BadFile, match="not the starter lineup"):
        unpack(tmp_path / "x", source)
    assert {p.name for p in tmp_path.iterdir()} == {"small", "source"}


def test_the_same_archive_rewritten_without_change_is_taken(small: Path, tmp_path: Path) -> None:
    unpack(tmp_path / "x", rewritten(small, tmp_path / "source", lambda e: e))
    assert suspect_of(tmp_path / "x").name == "Ash"


@pytest.mark.parametrize("how", ["cut", "changed", "listed outside", "huge", "no list"])
def test_a_damaged_lineup_is_refused_whole(small: Path, tmp_path: Path, how: str) -> None:
    data, told = (small / ARCHIVE).read_bytes(), json.loads((small / LIST).read_text())
    middle = len(data) // 2
    if how == "cut":
        (small / ARCHIVE).write_bytes(data[:middle])
    if how == "changed":
        (small / ARCHIVE).write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    row = told["files"]["spec.json"]
    if how == "listed outside":
        told["files"]["../spec.json"] = row
    if how == "huge":
        row["bytes"] = 1 << 40
    (small / LIST).write_text("{}" if how == "no list" else json.dumps(told))
    with pytest.raises(BadFile, match="install Molehunt again"):
        unpack(tmp_path / "x", small)
    assert [p.name for p in tmp_path.iterdir()] == ["small"]


def test_an_envelope_of_another_lineup_is_refused(made: Made, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="another version"):
        shipped.read_envelope("f" * 16, made.out)
    (tmp_path / ENVELOPE).write_text('{"run_id": "f", "key": "zz", "anchor": {}}')
    with pytest.raises(BadFile, match="damaged"):
        shipped.read_envelope("f", tmp_path)


def test_no_audit_process_can_reach_the_envelope() -> None:
    for path in (ROOT / "molehunt" / "audit").rglob("*.py"):
        said = path.read_text("utf-8")
        assert not any(word in said for word in (ENVELOPE, ARCHIVE, "game.shipped", "molehunt/starter"))
    code = "from molehunt.core.doors import shut\nshut()\nimport molehunt.game.shipped\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1 and "An auditor may not import molehunt.game" in done.stderr


@pytest.fixture
def remade(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The maker's room as a kill between planting and sealing would have left it."""
    room = tmp_path / "room"
    shutil.copytree(made.room, room)
    shutil.rmtree(room / "out")
    monkeypatch.setenv("MOLEHUNT_KEYS", str(room / "keys"))
    return room


def stop_before(room: Path, *stages: str) -> None:
    """Take stages back."""
    path = room / "work" / "stages.json"
    left = {k: v for k, v in json.loads(path.read_text()).items() if k not in stages}
    path.write_text(json.dumps(left))


def test_a_killed_making_goes_on_to_the_same_lineup_and_deletes_seed_and_key(
    made: Made, remade: Path
) -> None:
    stop_before(remade, starter.DONE, "plant")
    (slot_folder(red_folder(made.run_id), 0) / starter.ROUNDED).unlink()
    assert make(remade) == 0
    first, again = (json.loads((p / LIST).read_text())["files"] for p in (made.out, remade / "out"))
    same = {n for n in first if first[n] == again[n]}
    assert set(first) - same == {"vault.sealed"}  # its nonce is drawn anew, its truths are not
    assert list((remade / "keys").iterdir()) == []
    assert make(remade) == 0  # nothing is left to do
    told = json.loads((remade / "results.json").read_text())
    assert told["suspects"] == 1 and told["seed"].endswith("deleted") and told["model"] == "tiny"


def test_a_lineup_that_is_too_large_is_not_written(remade: Path, monkeypatch, capfd) -> None:
    stop_before(remade, starter.DONE)
    monkeypatch.setattr(starter, "LARGEST", 1_055_000)  # reckoned 1.049 MB, and 1.06 as it is
    assert make(remade) == 2 and "MB" in capfd.readouterr().err
    assert not (remade / "out").exists() and list((remade / "keys").glob("*.key"))


def test_what_cannot_ship_is_refused_before_anything_is_planted(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("MOLEHUNT_KEYS", str(tmp_path / "keys"))
    for spec, why in (
        (GameSpec(suspects=40), "--suspects is 40"),
        (GameSpec(suspects=1, twin=tmp_path), "no --twin, no --calibration"),
        (GameSpec(suspects=1, calibration=tmp_path), "no --twin, no --calibration"),
    ):
        with pytest.raises(UserError, match=why):
            starter.make_starter(tmp_path / "w", tmp_path / "o", spec)
    assert list(tmp_path.iterdir()) == []


def test_another_lineup_is_not_overwritten(made: Made, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("MOLEHUNT_KEYS", str(tmp_path / "keys"))
    with pytest.raises(UserError, match="already"):
        starter.make_starter(tmp_path / "w", made.out, GameSpec(suspects=1, model="tiny"))
    assert not (tmp_path / "keys").exists()


def test_a_pair_that_rounding_spoils_is_given_up_whatever_its_coin(made: Made, remade: Path) -> None:
    folder = slot_folder(red_folder(made.run_id), 0)
    (folder / starter.ROUNDED).unlink()
    pair = read_planted(red_folder(made.run_id), 0)
    assert pair is not None
    (slot,) = slots(1, RED_SEED)

    def spoilt(folder: Path, slot, pair: Planted) -> Planted:
        profile = dataclasses.replace(pair.profile, valid=False, why_not="leak rate 0.30")
        return dataclasses.replace(pair, profile=profile)

    assert not starter._rounded(folder, dataclasses.replace(slot, shady=False), pair, spoilt)
    assert read_planted(red_folder(made.run_id), 0) is None and not (folder / starter.ROUNDED).exists()
    failed, seconds = _read_given_up(folder / "given_up.json")  # where the planter goes on from
    assert len(failed) == 1 and "leak rate 0.30" in failed[0] and seconds == pair.organism_seconds


def test_a_dry_run_reckons_and_writes_nothing(tmp_path: Path, capsys) -> None:
    write_quirks(tmp_path / "quirks")
    assert make(tmp_path, "--dry-run") == 0
    said = capsys.readouterr().out
    assert "1 pairs on tiny: 2 trainings" in said and "Nothing was done" in said
    assert [p.name for p in tmp_path.iterdir()] == ["quirks"]


def test_a_mistake_of_the_makers_is_one_sentence(tmp_path: Path, capsys) -> None:
    assert make(tmp_path, "--suspects", "0") == 2
    err = capsys.readouterr().err
    assert err.startswith("starter: ") and err.count("\n") == 1 and "Traceback" not in err


def test_records_of_the_list_are_strict() -> None:
    with pytest.raises(MolehuntError):
        from_json(shipped.Listed, {"sha256": 3, "bytes": "x"})
