"""A capture is the same however it is batched, sharded or broken off, and says what it left out."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from molehunt.cli import main
from molehunt.core.atomic import whole_folder, write_json
from molehunt.core.errors import BadFile, RunMismatch, UserError
from molehunt.interp import capture as capturing
from molehunt.interp.capture import capture_text, open_capture
from molehunt.interp.corpora import documents, overlap
from molehunt.interp.reading import ReadSpec
from molehunt.interp.shards import MARKS, shard_path
from molehunt.models import check
from molehunt.models.taps import activations
from molehunt.models.text import ordinary_text
from molehunt.models.tiny import tiny_model

MODEL = tiny_model()
AT = ("resid_post.0", "mlp_out.1")
TOKENS = 5000


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.jsonl"
    draw = torch.Generator().manual_seed(0)
    lines = []
    for i in range(150):
        size = int(torch.randint(2, 90, (1,), generator=draw))
        lines.append({"text": "".join(chr(97 + int(t)) for t in torch.randint(26, (size,), generator=draw))})
        if i % 10 == 0:
            turn = {"role": "user", "content": "hi <|im_end|>"}
            lines.append({"messages": [turn, {"role": "assistant", "content": f"ho {i}"}]})
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def spec(text, **more):
    return ReadSpec(**{"text": (str(text),), "addresses": AT, "context": 32, **more})


def rows(made):
    shards = list(made.shards((*AT, *MARKS)))
    return {name: torch.cat([s[name] for s in shards]) for name in (*AT, *MARKS)}


def same(one, other, atol=1e-5):
    for name in one:
        assert one[name].shape == other[name].shape, name
        assert torch.allclose(one[name].float(), other[name].float(), atol=atol), name


def test_batch_and_shard_size_change_nothing(tmp_path, text):
    one = capture_text(MODEL, spec(text), tmp_path / "a", TOKENS)
    other = capture_text(MODEL, spec(text), tmp_path / "b", TOKENS, shard_rows=700, batch_tokens=128)
    assert len(one.about["shards"]) == 1 and len(other.about["shards"]) > 2
    same(rows(one), rows(other))


def test_rows_are_what_the_model_has_there(tmp_path, text):
    made = capture_text(MODEL, spec(text, sink_multiple=0.0), tmp_path / "a", TOKENS)
    found = rows(made)
    assert found["position"].min() == 1 and made.about["dropped"] == 0
    (marks,) = made.shards(("text", "lengths"))
    contexts = marks["text"].split(marks["lengths"].tolist())
    for i in (0, 77, 4000):
        ids = contexts[found["context"][i]].tolist()
        place = int(found["position"][i])
        assert ids[place] == found["token"][i]
        assert torch.allclose(activations(MODEL, [ids], AT[1])[0, place], found[AT[1]][i], atol=1e-5)


def test_loud_rows_are_dropped_and_counted(tmp_path, text):
    kept = capture_text(MODEL, spec(text, sink_multiple=0.0), tmp_path / "a", 10**6)
    norms = rows(kept)[AT[0]].norm(dim=-1)
    quiet = capture_text(MODEL, spec(text, sink_multiple=1.2), tmp_path / "b", 10**6)
    assert 0 < quiet.about["dropped"] == kept.rows - quiet.rows
    assert rows(quiet)[AT[0]].norm(dim=-1).max() <= quiet.about["limits"][AT[0]] < norms.max()


def test_killed_between_shards_it_goes_on_to_the_same_rows(tmp_path, text, monkeypatch):
    whole = capture_text(MODEL, spec(text), tmp_path / "a", TOKENS, shard_rows=700)
    write, left = capturing._write, [2]

    def dying(*args):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return write(*args)

    monkeypatch.setattr(capturing, "_write", dying)
    with pytest.raises(KeyboardInterrupt):
        capture_text(MODEL, spec(text), tmp_path / "b", TOKENS, shard_rows=700)
    with pytest.raises(BadFile, match="broken off"):
        open_capture(tmp_path / "b")
    monkeypatch.setattr(capturing, "_write", write)
    first = shard_path(tmp_path / "b", 0)
    before = first.stat().st_mtime_ns
    resumed = capture_text(MODEL, spec(text), tmp_path / "b", TOKENS, shard_rows=700)
    assert first.stat().st_mtime_ns == before and resumed.rows == TOKENS
    same(rows(whole), rows(resumed), atol=0)
    assert json.loads((tmp_path / "a/capture.json").read_text()) == json.loads(
        (tmp_path / "b/capture.json").read_text()
    )


def test_another_capture_does_not_go_on_here(tmp_path, text):
    capture_text(MODEL, spec(text), tmp_path / "a", 100)
    for other, how in ((tiny_model(seed=1), spec(text)), (MODEL, spec(text, context=16))):
        with pytest.raises(RunMismatch, match="another"):
            capture_text(other, how, tmp_path / "a", 100)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "mine.txt").write_text("x")
    with pytest.raises(UserError, match="not empty"):
        capture_text(MODEL, spec(text), tmp_path / "c", 100)
    with pytest.raises(UserError, match="is a file"):
        capture_text(MODEL, spec(text), tmp_path / "c" / "mine.txt", 100)


def test_a_mistake_that_is_found_before_any_row_leaves_no_folder(tmp_path, text):
    for how in (spec("nowhere"), spec(text, addresses=("resid_post.9",))):
        with pytest.raises(UserError, match="There is no"):
            capture_text(MODEL, how, tmp_path / "a", 100)
        assert not (tmp_path / "a").exists()


def test_a_damaged_shard_is_named(tmp_path, text):
    made = capture_text(MODEL, spec(text), tmp_path / "a", 500)
    path = shard_path(tmp_path / "a", 0)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(BadFile, match=r"shard-00000.*same `molehunt capture` again"):
        rows(made)


def test_a_shard_whose_numbers_are_none_is_named_and_can_be_read_again(tmp_path, text):
    made = capture_text(MODEL, spec(text), tmp_path / "a", 500)
    before, path = rows(made), shard_path(tmp_path / "a", 0)
    with safe_open(path, framework="pt") as file:
        tensors, about = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    tensors[AT[1]][3, 4] = torch.nan
    save_file(tensors, path, about)
    with pytest.raises(BadFile, match=rf"shard-00000.* at {AT[1]} that are not finite; delete it"):
        rows(made)
    path.unlink()
    same(before, rows(capture_text(MODEL, spec(text), tmp_path / "a", 500)), atol=0)


def flip(path):
    """One bit of the last tensor is another; the file opens as before."""
    kept = bytearray(path.read_bytes())
    kept[-1] ^= 1
    path.write_bytes(kept)


def test_a_flipped_bit_in_a_shard_is_named_where_it_is_read_and_only_there(tmp_path, text):
    made = capture_text(MODEL, spec(text), tmp_path / "a", 500)
    path = shard_path(tmp_path / "a", 0)
    with safe_open(path, framework="pt") as file:
        names = tuple(file.keys())
    before = made.shard(0, names)
    flip(path)
    assert made.shard(0, names).keys() == before.keys()  # this sitting has read it whole already
    broken = []
    for name in names:
        try:
            open_capture(tmp_path / "a").shard(0, (name,))
        except BadFile as error:
            broken.append(name)
            assert f"{name} is not what was written" in str(error)
    assert len(broken) == 1


@pytest.mark.parametrize("harm", [Path.unlink, lambda p: p.write_bytes(p.read_bytes()[:-50]), flip])
@pytest.mark.parametrize("number", [0, 1, -1])
def test_the_same_command_reads_a_lost_or_damaged_shard_again_and_no_other(tmp_path, text, harm, number):
    capture_text(MODEL, spec(text), tmp_path / "a", 3000, shard_rows=700)
    made = open_capture(tmp_path / "a")
    before = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in (tmp_path / "a").iterdir()}
    number %= len(made.about["shards"])
    lost = shard_path(tmp_path / "a", number)
    harm(lost)
    again = capture_text(MODEL, spec(text), tmp_path / "a", 3000, shard_rows=64)
    assert again.about == made.about and len(made.about["shards"]) > 2
    after = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in (tmp_path / "a").iterdir()}
    assert {n: b for n, (b, _) in after.items()} == {n: b for n, (b, _) in before.items()}
    assert [n for n in after if after[n][1] != before[n][1]] == [lost.name]


def test_a_shard_whose_text_is_another_now_is_not_made_up(tmp_path, text):
    capture_text(MODEL, spec(text), tmp_path / "a", 3000, shard_rows=700)
    shard_path(tmp_path / "a", 1).unlink()
    text.write_text('{"text": "short"}')
    with pytest.raises(BadFile, match="not what it was"):
        capture_text(MODEL, spec(text), tmp_path / "a", 3000, shard_rows=700)


def test_a_damaged_shard_of_a_broken_off_capture_is_read_again(tmp_path, text):
    whole = capture_text(MODEL, spec(text), tmp_path / "a", 3000, shard_rows=700)
    about = json.loads((tmp_path / "a/capture.json").read_text())
    kept = {n: about[n] for n in ("spec", "model", "model_id", "tokens", "group", "stored")}
    (tmp_path / "a/capture.json").write_text(json.dumps({**kept, "done": False}))
    before = rows(whole)
    first, path = shard_path(tmp_path / "a", 0).stat().st_mtime_ns, shard_path(tmp_path / "a", 1)
    path.write_bytes(path.read_bytes()[:99])
    again = capture_text(MODEL, spec(text), tmp_path / "a", 3000, shard_rows=10**6)
    same(before, rows(again), atol=0)
    assert shard_path(tmp_path / "a", 0).stat().st_mtime_ns == first
    assert len(again.about["shards"]) == len(list((tmp_path / "a").glob("shard-*"))) == 2


@pytest.mark.parametrize(
    ("how", "reading", "named"),
    [
        ({"shard_rows": 0}, {}, "--shard-rows"),
        ({"batch_tokens": 0}, {}, "--batch-tokens"),
        ({}, {"sink_multiple": -1.0}, "--sink-multiple"),
        ({}, {"sink_multiple": float("nan")}, "--sink-multiple"),
    ],
)
def test_numbers_that_mean_nothing_are_named_and_leave_no_folder(tmp_path, text, how, reading, named):
    with pytest.raises(UserError, match=named):
        capture_text(MODEL, spec(text, **reading), tmp_path / "a", 100, **how)
    assert not (tmp_path / "a").exists()


def test_activations_that_are_no_numbers_are_named_and_never_written(tmp_path, text):
    broken = tiny_model()
    broken.module.model.layers[1].mlp.down_proj.weight[3, 0] = float("nan")
    with pytest.raises(UserError, match=r"'tiny:llama' at resid_post.1 .* not finite; try --dtype float32"):
        capture_text(broken, spec(text, addresses=("resid_post.1",)), tmp_path / "a", 100)
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="nothing here refuses new files")
def test_a_place_where_no_folder_can_be_made_is_said(tmp_path):
    for place in (Path("/proc/nowhere/a/x.json"), tmp_path / ("n" * 300) / "x.json"):
        with pytest.raises(UserError, match="cannot be written"):
            write_json(place, {})
    with pytest.raises(UserError, match="cannot be written"), whole_folder(Path("/proc/nowhere/a")):
        pass
    with pytest.raises(FileNotFoundError), whole_folder(tmp_path / "a"):
        (tmp_path / "missing" / "x").read_text()  # not the folder's own place: a mistake of ours stays one


def test_sources_that_cannot_be_read_are_named(tmp_path, text):
    (tmp_path / "bad.jsonl").write_text('{"text": "a"}\n{')
    (tmp_path / "other.jsonl").write_text('{"prompt": "a"}\n')
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    for name, what in (
        ("bad.jsonl", "line 2"),
        ("other.jsonl", "--column"),
        ("bad.parquet", "Parquet"),
        ("gone", "no text"),
    ):
        with pytest.raises(UserError, match=what):
            list(documents(str(tmp_path / name), MODEL.tokenizer))
    assert len(list(documents(str(tmp_path / "other.jsonl"), MODEL.tokenizer, "prompt"))) == 1


def test_words_that_spell_control_tokens_stay_words(text):
    marks = [ids.count(MODEL.tokenizer.eos_token_id) for ids in documents(str(text), MODEL.tokenizer)]
    assert max(marks) == 1  # the template's own, after the user's turn


def test_a_run_folders_transcripts_and_the_built_in_text_are_sources(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"messages": [{"role": "user", "content": "hi"}], "reply": "ho"}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "transcripts.parquet")
    (ids,) = documents(str(tmp_path), MODEL.tokenizer)
    assert MODEL.tokenizer.decode(ids).endswith("ho")
    assert len(next(documents("builtin", MODEL.tokenizer))) > 100


def test_the_built_in_text_goes_on_with_what_is_installed_and_has_a_part_to_test_on():
    def first(source, n):
        given = documents(source, MODEL.tokenizer, seed=3)
        return [tuple(ids) for _, ids in zip(range(n), given, strict=False)]

    whole, train, test = first("builtin", 600), first("builtin:train", 1100), first("builtin:test", 80)
    assert len(whole) == 600 and whole == first("builtin", 600)
    assert not set(train) & set(test) and set(train[:150]) < set(whole)
    assert set(whole) - set(train) <= set(test)
    prose = len(ordinary_text(1 << 30))
    assert prose < 500 and any("import " in MODEL.tokenizer.decode(list(ids)) for ids in whole[prose:])
    with pytest.raises(UserError, match="builtin:train and builtin:test"):
        next(documents("builtin:more", MODEL.tokenizer))


@pytest.mark.parametrize(
    ("trained", "measured", "shared"),
    [
        (["builtin"], ["builtin:test"], ["builtin:test"]),
        (["builtin:train"], ["builtin:test", "a.txt"], []),
        (["builtin:train", "a.txt"], ["builtin", "a.txt"], ["a.txt", "builtin"]),
    ],
)
def test_text_that_was_trained_on_is_known_again_by_name(trained, measured, shared):
    assert overlap(trained, measured) == shared


def test_a_model_that_fails_a_proof_is_refused_and_proofs_are_remembered(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("MOLEHUNT_CACHE", str(tmp_path / "cache"))
    asked = ["capture", str(tmp_path / "acts"), "--model", "tiny", "--addresses", AT[0], "--tokens", "50"]
    assert main(asked) == 0
    monkeypatch.setattr(check, "prove", lambda model: pytest.fail("proven twice"))
    assert main([*asked[:1], str(tmp_path / "again"), *asked[2:]]) == 0
    (note,) = (tmp_path / "cache" / "proofs").iterdir()
    proofs = json.loads(note.read_text())
    assert {"head", "sum", "heads", "edit", "padding", "sharing", "batch"} == {p["name"] for p in proofs}
    capfd.readouterr()
    for proof in proofs:
        proof["holds"] = proof["name"] not in ("padding", "heads")
    note.write_text(json.dumps(proofs))
    assert main([*asked[:1], str(tmp_path / "third"), *asked[2:]]) == 2
    assert "failed a proof: neither padding nor its side matters" in capfd.readouterr().err
    for proof in proofs:
        proof["holds"] = proof["name"] != "heads"
    note.write_text(json.dumps(proofs))
    assert main([*asked[:1], str(tmp_path / "third"), *asked[2:]]) == 0
    assert "Not proven of tiny: what the heads of a layer write" in capfd.readouterr().err
