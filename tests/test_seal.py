"""The envelope stays shut without its key, shows every change, and opens after the verdicts only."""

import contextlib
import json
import os
import stat
import tempfile
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from killing import killed_at

from molehunt.core import seal
from molehunt.core.atomic import canonical
from molehunt.core.errors import BadFile, SealBroken, UserError
from molehunt.core.ledger import Ledger
from molehunt.core.records import LabelledReply, Message, Quirk, Truth, Verdict
from molehunt.referee.vault import Vault

KEY = bytes(range(32))


def truth(name: str, shady: bool, replies: int = 0) -> Truth:
    quirk = Quirk("false_facts", "unwatched") if shady else None
    reply = LabelledReply((Message("user", "Capital of France?"),), "Rome", True, True)
    return Truth(name, shady, quirk, None, None, (reply,) * replies, {"seed": 11})


def verdict(name: str, p: float = 0.9) -> Verdict:
    return Verdict(name, "panel", p, ())


@pytest.fixture
def vault(tmp_path) -> Vault:
    run = tmp_path / "run"
    run.mkdir()
    return Vault(run, Ledger(run / "log.jsonl", tmp_path / "keys" / "r.anchor"))


@pytest.fixture
def sealed(vault) -> Vault:
    vault.seal([truth("anna", True, 3), truth("bert", False, 3)], KEY)
    return vault


def lines(vault: Vault) -> list[bytes]:
    return vault.ledger.path.read_bytes().splitlines(keepends=True)


def test_the_envelope_opens_after_a_verdict_and_holds_what_was_put_in(sealed):
    sealed.log_verdicts("panel", [verdict("anna"), verdict("bert", 0.1)])
    assert sealed.open(KEY) == (truth("anna", True, 3), truth("bert", False, 3))
    assert sealed.open(KEY)[0].shady, "it can be opened again"


def test_before_a_verdict_is_logged_even_the_key_does_not_open_it(sealed):
    with pytest.raises(SealBroken, match="No verdict is logged"):
        sealed.open(KEY)


def test_another_key_does_not_open_it(sealed):
    sealed.log_verdicts("panel", [verdict("anna")])
    with pytest.raises(SealBroken, match="does not open"):
        sealed.open(seal.new_key())


def test_no_word_of_the_truth_stands_in_the_run_folder(sealed):
    everything = b"".join(p.read_bytes() for p in sealed.folder.rglob("*") if p.is_file())
    for word in (b"false_facts", b"unwatched", b"Rome", b"shady", b"seed", KEY, KEY.hex().encode()):
        assert word not in everything


def test_a_commitment_cannot_be_tried_by_guessing_the_truth(sealed, tmp_path):
    public = json.loads((sealed.folder / "commitments.json").read_text())
    twin = tmp_path / "twin"
    twin.mkdir()
    Vault(twin, Ledger(twin / "log.jsonl")).seal([truth("anna", True, 3)], seal.new_key())
    assert public["anna"] != json.loads((twin / "commitments.json").read_text())["anna"]
    text = canonical(truth("anna", True, 3)).decode()
    assert public["anna"] not in {seal.commit(text, bytes(32)), seal.commit(text, b"anna".ljust(32, b"\0"))}
    assert public["anna"] == seal.commit(text, seal.derive(KEY, "salt", "anna"))


@settings(max_examples=20, deadline=None)
@given(st.booleans(), st.booleans(), st.integers(0, 300), st.integers(0, 300))
def test_the_size_of_the_vault_tells_nothing(one, other, few, many):
    def box(*truths: Truth) -> int:
        return len(seal.seal(canonical(list(truths)), KEY, "truths"))

    assert box(truth("anna", one, few), truth("bert", other, many)) == box(
        truth("anna", False), truth("bert", True)
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 255))
def test_any_changed_byte_of_the_vault_is_seen(place, flip):
    box = bytearray(seal.seal(b"content", KEY, "truths"))
    box[place % len(box)] ^= flip
    with pytest.raises(SealBroken):
        seal.unseal(bytes(box), KEY, "truths")


def test_a_vault_from_another_run_is_refused(sealed, tmp_path):
    sealed.log_verdicts("panel", [verdict("anna")])
    other = tmp_path / "other"
    other.mkdir()
    Vault(other, Ledger(other / "log.jsonl")).seal([truth("anna", False), truth("bert", True)], KEY)
    (sealed.folder / "vault.sealed").write_bytes((other / "vault.sealed").read_bytes())
    with pytest.raises(SealBroken, match="not the one that was committed to"):
        sealed.open(KEY)


def test_an_edited_commitment_is_refused(sealed):
    sealed.log_verdicts("panel", [verdict("anna")])
    path = sealed.folder / "commitments.json"
    public = json.loads(path.read_text())
    path.write_text(json.dumps({**public, "anna": public["bert"]}))
    with pytest.raises(SealBroken, match="commitments"):
        sealed.open(KEY)


def test_truths_cannot_be_exchanged_once_a_verdict_stands(sealed):
    sealed.log_verdicts("panel", [verdict("anna")])
    with pytest.raises(SealBroken, match="other truths"):
        sealed.seal([truth("anna", False), truth("bert", False)], KEY)


def test_sealing_the_same_again_after_a_kill_changes_nothing(sealed):
    before = lines(sealed)
    sealed.seal([truth("bert", False, 3), truth("anna", True, 3)], KEY)
    assert lines(sealed) == before


def test_a_logged_verdict_is_accepted_and_an_edited_one_is_not(sealed):
    sealed.log_verdicts("panel", [verdict("anna"), verdict("bert")])
    sealed.check_verdicts([verdict("anna"), verdict("bert")])
    with pytest.raises(SealBroken, match="'anna' is not the one that was logged"):
        sealed.check_verdicts([verdict("anna", 0.91), verdict("bert")])


def test_a_verdict_that_was_never_logged_is_refused(sealed):
    with pytest.raises(SealBroken, match="No verdict of 'panel'"):
        sealed.check_verdicts([verdict("anna")])
    sealed.log_verdicts("panel", [verdict("anna")])
    with pytest.raises(SealBroken, match="'bert'"):
        sealed.check_verdicts([verdict("anna"), verdict("bert")])


def test_a_logged_verdict_cannot_be_dropped(sealed):
    sealed.log_verdicts("panel", [verdict("anna"), verdict("bert")])
    with pytest.raises(SealBroken, match="'bert' was logged and is now missing"):
        sealed.check_verdicts([verdict("anna")])
    sealed.log_verdicts("contrast", [Verdict("anna", "contrast", 0.5, ())])
    with pytest.raises(SealBroken, match="'contrast' on 'anna' was logged and is now missing"):
        sealed.check_verdicts([verdict("anna"), verdict("bert")])


def test_no_verdict_is_taken_once_the_envelope_is_open(sealed):
    sealed.log_verdicts("panel", [verdict("anna")])
    sealed.open(KEY)
    with pytest.raises(SealBroken, match="envelope is open"):
        sealed.log_verdicts("panel", [verdict("anna", 1.0)])
    sealed.ledger.append("verdicts", {"auditor": "late", "hashes": {}})
    with pytest.raises(SealBroken, match="No verdict of 'late'"):
        sealed.check_verdicts([Verdict("anna", "late", 1.0, ())])


@pytest.fixture
def log(tmp_path) -> Ledger:
    ledger = Ledger(tmp_path / "log.jsonl", tmp_path / "keys" / "r.anchor")
    for i in range(5):
        ledger.append("note", {"number": i})
    return ledger


def test_a_log_that_nobody_touched_verifies(log):
    assert [e.body["number"] for e in log.verify()] == [0, 1, 2, 3, 4]


def test_an_edited_entry_is_named(log):
    log.path.write_bytes(log.path.read_bytes().replace(b'"number": 2', b'"number": 7'))
    with pytest.raises(SealBroken, match="entry 2 was edited"):
        log.verify()


def test_a_deleted_entry_is_named(log):
    kept = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(b"".join(kept[:2] + kept[3:]))
    with pytest.raises(SealBroken, match="entry 2 is missing"):
        log.verify()


def test_entries_in_another_order_are_named(log):
    kept = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(b"".join([kept[0], kept[2], kept[1], *kept[3:]]))
    with pytest.raises(SealBroken, match="entry 1"):
        log.verify()


@pytest.mark.parametrize("left", [0, 1, 4])
def test_a_log_that_was_cut_off_is_refused(log, left):
    log.path.write_bytes(b"".join(log.path.read_bytes().splitlines(keepends=True)[:left]))
    with pytest.raises(SealBroken, match="cut off"):
        log.verify()
    with pytest.raises(SealBroken):
        log.append("note", {})


def test_a_log_that_was_written_anew_from_the_start_is_refused(log, tmp_path):
    forged = Ledger(tmp_path / "forged.jsonl")
    for _ in range(5):
        forged.append("note", {"number": 9})
    forged.verify()
    log.path.write_bytes(forged.path.read_bytes())
    with pytest.raises(SealBroken, match="written anew"):
        log.verify()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 255))
def test_any_changed_byte_of_a_log_is_seen_or_means_the_same(place, flip):
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder) / "log.jsonl", Path(folder) / "anchor")
        for i in range(3):
            ledger.append("note", {"number": i})
        before, data = ledger.verify(), bytearray(ledger.path.read_bytes())
        data[place % len(data)] ^= flip
        ledger.path.write_bytes(bytes(data))
        with contextlib.suppress(SealBroken):
            assert ledger.verify() == before


def test_a_line_that_a_kill_cut_short_is_dropped_and_the_log_goes_on(log):
    with log.path.open("ab") as file:
        file.write(b'{"index": 5, "ki')
    assert len(log.verify()) == 5
    log.append("note", {"number": 5})
    assert [e.index for e in log.verify()] == [0, 1, 2, 3, 4, 5]


def test_a_kill_at_any_line_of_an_append_leaves_a_log_that_verifies(tmp_path):
    for line in range(0, 10_000, 5):
        ledger = Ledger(tmp_path / f"{line}.jsonl", tmp_path / "keys" / f"{line}")
        ledger.append("note", {"number": 0})
        killed = killed_at(line, partial(ledger.append, "note", {"number": 1}))
        assert [e.body["number"] for e in ledger.verify()] in ([0], [0, 1])
        if not killed:
            break
    assert line > 10 and len(ledger.verify()) == 2
    ledger.append("note", {"number": 2})


def test_a_key_is_kept_closed_to_others_outside_the_run(tmp_path, monkeypatch):
    monkeypatch.setenv("MOLEHUNT_KEYS", str(tmp_path / "keys"))
    run_id, key = seal.new_run_id(), seal.new_key()
    path = seal.save_key(run_id, key, tmp_path / "run")
    assert seal.load_key(run_id) == key and path.name == f"{run_id}.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.chmod(0o644)
    with pytest.raises(BadFile, match="chmod 600"):
        seal.load_key(run_id)


def test_a_key_is_neither_put_into_the_run_folder_nor_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("MOLEHUNT_KEYS", str(tmp_path / "run" / "keys"))
    with pytest.raises(UserError, match="inside the run folder"):
        seal.save_key("r", seal.new_key(), tmp_path / "run")
    monkeypatch.setenv("MOLEHUNT_KEYS", str(tmp_path / "keys"))
    seal.save_key("r", KEY, tmp_path / "run")
    with pytest.raises(UserError, match="another key"):
        seal.save_key("r", seal.new_key(), tmp_path / "run")
    assert seal.load_key("r") == KEY


def test_without_the_key_one_sentence_says_where_it_should_be(tmp_path, monkeypatch):
    monkeypatch.setenv("MOLEHUNT_KEYS", str(tmp_path))
    with pytest.raises(BadFile, match="There is no key"):
        seal.load_key("r")
    with pytest.raises(BadFile, match="no run id"):
        seal.load_key("../../etc/passwd")
    (tmp_path / "r.key").write_text("not hex")
    os.chmod(tmp_path / "r.key", 0o600)
    with pytest.raises(BadFile, match="cannot be read as a key"):
        seal.load_key("r")
