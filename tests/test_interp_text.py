"""Text comes from the model's own chats, from datasets with configurations, and from files of any length."""

from pathlib import Path

import pytest

from molehunt.cli import main
from molehunt.core.errors import UserError
from molehunt.interp import chats, corpora
from molehunt.interp.capture import open_capture
from molehunt.interp.chats import CHATS, kept_chats, sample_chats
from molehunt.interp.corpora import documents
from molehunt.interp.reading import ReadSpec, contexts
from molehunt.models.tiny import tiny_model
from molehunt.verbs._chats import questions

MODEL = tiny_model()
ASKED = [f"What is {n}?" for n in range(7)]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MOLEHUNT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(chats, "BLOCK", 3)
    return tmp_path / "cache" / "chats"


def test_chats_are_sampled_once_for_a_model_and_seed_and_read_as_chats(cache):
    sample_chats(MODEL, ASKED, 1, count=5, max_tokens=6)
    rows = list(kept_chats(MODEL.fingerprint, 1))
    assert 0 < len(rows) <= 5 and {r["messages"][0]["content"] for r in rows} <= set(ASKED)
    before = {p: p.stat().st_mtime_ns for p in cache.rglob("*.json")}
    assert len(before) == 3  # two blocks and the plan
    sample_chats(MODEL, ASKED, 1, count=5, max_tokens=6)
    assert {p: p.stat().st_mtime_ns for p in cache.rglob("*.json")} == before
    (first, *_) = documents(CHATS, MODEL.tokenizer, seed=1, model=MODEL.fingerprint)
    said = MODEL.tokenizer.decode(first)
    assert said.startswith("<|im_start|>user") and rows[0]["messages"][0]["content"] in said
    assert len({c.document for c in contexts(MODEL, ReadSpec((CHATS,), ("embed",), seed=1))}) == len(rows)
    for model, seed in ((tiny_model(seed=1), 1), (MODEL, 2)):
        with pytest.raises(UserError, match="no builtin:chats of this model"):
            next(documents(CHATS, model.tokenizer, seed=seed, model=model.fingerprint))


def test_killed_while_it_samples_it_goes_on_to_the_same_chats(cache, monkeypatch):
    sample_chats(MODEL, ASKED, count=7, max_tokens=6)
    whole = {p.name: p.read_bytes() for p in cache.rglob("*.json")}
    (last,) = cache.rglob("002.json")
    last.unlink()
    with pytest.raises(UserError, match="no builtin:chats"):
        next(kept_chats(MODEL.fingerprint))
    sample_chats(MODEL, ASKED, count=7, max_tokens=6)
    assert {p.name: p.read_bytes() for p in cache.rglob("*.json")} == whole


def test_other_questions_are_asked_anew(cache):
    sample_chats(MODEL, ASKED, count=7, max_tokens=2)
    sample_chats(MODEL, ["Why?"], count=7, max_tokens=2)
    assert {r["messages"][0]["content"] for r in kept_chats(MODEL.fingerprint)} <= {"Why?"}
    assert sorted(p.name for p in cache.rglob("*.json")) == ["000.json", "plan.json"]


def test_the_verb_samples_what_it_is_asked_to_read(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(chats, "COUNT", 4)
    asked = ["capture", str(tmp_path / "a"), "--model", "tiny", "--addresses", "embed", "--tokens", "40"]
    assert main([*asked, "--text", CHATS, "--context", "32"]) == 0, capfd.readouterr().err
    held = open_capture(tmp_path / "a")
    assert held.rows == 40 and held.about["spec"]["text"] == [CHATS]
    assert len(questions()) > 400 and all(q.strip() for q in questions())


def dataset(folder: Path) -> Path:
    """Two configurations, one of which names its text otherwise."""
    folder.mkdir()
    (folder / "one.jsonl").write_text('{"text": "from one"}\n')
    (folder / "two.jsonl").write_text('{"body": "from two"}\n')
    parts = [
        f"- config_name: {n}\n  data_files:\n  - split: test\n    path: {n}.jsonl\n" for n in ("one", "two")
    ]
    (folder / "README.md").write_text("---\nconfigs:\n" + "".join(parts) + "---\n")
    return folder


def test_a_dataset_is_read_by_configuration_split_and_column(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    name, tokenizer = f"hf:{dataset(tmp_path / 'set')}", MODEL.tokenizer
    (ids,) = documents(f"{name}#one:test", tokenizer)
    assert tokenizer.decode(ids) == "from one"
    (ids,) = documents(f"{name}#two:test", tokenizer, "body")
    assert tokenizer.decode(ids) == "from two"
    for source, column, says in (
        (f"{name}#two:test", "", "no column .*body.* with --column"),
        (f"{name}:test", "", r"#CONFIG with one of .*one.*two"),
        (f"{name}#three:test", "", "three"),
        (f"{name}#one:train", "", "train"),
        (f"hf:{tmp_path / 'gone'}", "", "cannot be read"),
    ):
        with pytest.raises(UserError, match=says) as error:
            list(documents(source, tokenizer, column))
        assert "\n" not in str(error.value)


def test_a_long_file_is_several_documents_that_together_are_its_text(tmp_path, monkeypatch):
    lines = [f"{n} " + "x" * (n % 9) for n in range(40)]
    text = "\n".join(lines) + "\n\n" + "y" * 130 + " end"
    (tmp_path / "a.txt").write_text(text)
    read = lambda: [MODEL.tokenizer.decode(d) for d in documents(str(tmp_path / "a.txt"), MODEL.tokenizer)]  # noqa: E731
    assert read() == [text]
    for size in (len(text), len(text) - 1, 50, 7):
        monkeypatch.setattr(corpora, "PIECE", size)
        pieces = read()
        assert "".join(pieces) == text and max(map(len, pieces)) <= size
        assert (len(pieces) == 1) == (size >= len(text))
    monkeypatch.setattr(corpora, "PIECE", 50)
    assert all(p.endswith("\n") for p in read()[:4])


def test_of_a_long_file_no_more_than_a_piece_is_held(tmp_path, monkeypatch):
    monkeypatch.setattr(corpora, "PIECE", 64)
    (tmp_path / "a.md").write_text("a line\n" * 100_000)
    asked = []

    with (tmp_path / "a.md").open() as file:
        pieces = corpora._pieces(lambda size: asked.append(size) or file.read(size))
        for _ in range(3):
            next(pieces)
    assert 0 < sum(asked) < 64 * 6
