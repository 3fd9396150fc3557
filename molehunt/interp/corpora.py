"""Text from wherever it lies, as token ids, one document at a time.

A source is written as one word:

    builtin               the documentation that any Python carries, then the sources and descriptions of
                          what is installed (`models.text`); of it, `builtin:test` is a sixteenth of the
                          passages and packages by their hash, `builtin:train` the rest, both mixed
    builtin:chats         what the model that reads answers to questions (`interp.chats`); sampled beforehand
    FILE.txt, .md, .py    one document; a longer one than a million characters is several, cut at line ends
    FILE.jsonl, .parquet  a row a document: `messages` (a chat, with `reply` if there) or `text`
    RUN                   a run folder: the conversations of its transcripts.parquet
    FOLDER                every file of these kinds in it, sorted by path
    hf:NAME[#CONFIG][:SPLIT]   a Hugging Face dataset by name, or by the path of its folder, streamed (`train`
                          unless said), in one of its configurations where it has several

Memory holds one document or row of a source at a time (of Parquet, so many rows), however long it is. Chats
are rendered by the model's own template; nothing in a message can end its turn.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from molehunt.core.errors import BadFile, UserError
from molehunt.core.records import Message, Messages
from molehunt.core.store import no_parquet
from molehunt.interp.chats import CHATS, kept_chats
from molehunt.models.prompts import prompt_ids, text_ids
from molehunt.models.text import installed_text, ordinary_text

PROSE = (".txt", ".md", ".rst", ".py")
KINDS = (*PROSE, ".jsonl", ".parquet")
TEST = 16
"""Documents whose hash begins with a byte below this are `builtin:test`."""
PIECE = 1_000_000
"""Characters of the longest plain text that is one document."""
ROWS = 256
"""Rows of a Parquet file that are read at once."""


def documents(
    source: str, tokenizer: Any, column: str = "", seed: int = 0, model: str = ""
) -> Iterator[list[int]]:
    """Token ids of every document of a source, in its own order (`builtin` in the seed's).

    `column` names the column that holds text or messages, where it has another name; `model` is the
    fingerprint of whose chats `builtin:chats` is.

    Raises:
        UserError, BadFile: no such source, or a file, row or column that cannot be read.
    """
    if source == CHATS:
        for row in kept_chats(model, seed):
            yield from _ids(tokenizer, row, "messages", source)
    elif source.partition(":")[0] == "builtin":
        for text in _builtin(source, seed):
            if ids := text_ids(tokenizer, text):
                yield ids
    elif source.startswith("hf:"):
        for row in _hub(source):
            yield from _ids(tokenizer, row, column, source)
    else:
        for path in _files(Path(source)):
            for row in _rows(path):
                yield from _ids(tokenizer, row, column, str(path))


def conversations(source: str, column: str = "") -> Iterator[tuple[Messages, str]]:
    """Every conversation of a source that ends with a reply: what led up to it, and the reply itself.

    Raises:
        UserError, BadFile: as `documents`; a row that holds text alone is refused.
    """
    if source.partition(":")[0] == "builtin":
        raise UserError("The built-in text holds no conversations; give a file, a folder, or hf:NAME.")
    paths = [None] if source.startswith("hf:") else _files(Path(source))
    for path in paths:
        for row in _hub(source) if path is None else _rows(path):
            where = source if path is None else str(path)
            if not isinstance(row, Mapping):
                raise BadFile(f"{where} holds a row that is no object with named fields.")
            name = column or next((c for c in ("messages", "conversations") if c in row), "")
            if isinstance(row.get(name), str) or name not in row:
                raise UserError(f"{where} holds a row without a conversation; name its column with --column.")
            messages = _messages(row[name], row.get("reply"), where)
            if len(messages) > 1 and messages[-1].role == "assistant" and messages[-1].content.strip():
                yield messages[:-1], messages[-1].content


def overlap(trained: Sequence[str], measured: Sequence[str]) -> list[str]:
    """Sources of `measured` of which some text is in `trained` too, as far as their names say."""
    parts = {"builtin": {"train", "test"}, "builtin:train": {"train"}, "builtin:test": {"test"}}
    held = set().union(*(parts.get(t, {t}) for t in trained))
    return sorted(m for m in set(measured) if parts.get(m, {m}) & held)


def _builtin(source: str, seed: int) -> Iterator[str]:
    """Documents of the built-in text, or of the part of it that is named."""
    part = source.partition(":")[2]
    if part not in ("", "train", "test"):
        raise UserError(
            f"There is no text {source!r}; the built-in text has builtin:train and builtin:test, and {CHATS}."
        )
    prose = ((text, text) for text in ordinary_text(1 << 30, seed))
    sources = ((_package(name), text) for name, text in installed_text(seed))
    for name, text in _mixed(prose, sources) if part else chain(prose, sources):
        held_out = hashlib.sha256(name.encode("utf-8", "replace")).digest()[0] < TEST
        if not part or held_out == (part == "test"):
            yield text


def _mixed(*given: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """One of each in turn, then what is left: what is learnt from should not change its kind halfway."""
    return (one for some in zip_longest(*given) for one in some if one is not None)


def _package(path: str) -> str:
    """The package that an installed file is of, its own even where another carries a copy of it."""
    parts = path.split("/")
    return parts[parts.index("_vendor") + 1] if "_vendor" in parts[:-1] else parts[0]


def _ids(tokenizer: Any, row: Any, column: str, where: str) -> Iterator[list[int]]:
    if not isinstance(row, Mapping):
        raise BadFile(f"{where} holds a row that is no object with named fields.")
    name = column or next((c for c in ("messages", "conversations", "text") if c in row), "")
    if name not in row:
        raise UserError(
            f"{where} has no column {name or 'text or messages'!r}; name one of "
            f"{', '.join(map(str, row))[:200]} with --column."
        )
    found = row[name]
    if isinstance(found, str):
        ids = text_ids(tokenizer, found)
    else:
        ids = _chat_ids(tokenizer, found, row.get("reply"), where)
    if ids:
        yield ids


def _chat_ids(tokenizer: Any, turns: Any, reply: Any, where: str) -> list[int]:
    messages = _messages(turns, reply, where)
    if messages and messages[-1].role == "assistant":
        *before, last = messages
        return prompt_ids(tokenizer, tuple(before)) + text_ids(tokenizer, last.content) if before else []
    return prompt_ids(tokenizer, messages) if messages else []


def _messages(turns: Any, reply: Any, where: str) -> Messages:
    try:
        messages = [Message(t["role"], str(t["content"])) for t in turns]
    except (TypeError, KeyError):
        raise BadFile(f"{where} holds a chat whose turns lack `role` or `content`.") from None
    return (*messages, Message("assistant", reply)) if isinstance(reply, str) else tuple(messages)


def _files(path: Path) -> list[Path]:
    if (path / "transcripts.parquet").is_file():
        return [path / "transcripts.parquet"]
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.suffix in KINDS and p.is_file())
        if not found:
            raise BadFile(f"{path} holds no file of the kinds {', '.join(KINDS)}.")
        return found
    if not path.is_file():
        raise BadFile(f"There is no text {str(path)!r}; give builtin, a file, a folder, or hf:NAME.")
    if path.suffix not in KINDS:
        raise BadFile(f"{path} is of no kind that is read here ({', '.join(KINDS)}).")
    return [path]


def _rows(path: Path) -> Iterator[Any]:
    if path.suffix in PROSE:
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                yield from ({"text": piece} for piece in _pieces(file.read))
        except OSError as error:
            raise BadFile(f"{path} cannot be read: {error.strerror}.") from None
    elif path.suffix == ".jsonl":
        with path.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield json.loads(line)
                except (ValueError, RecursionError):
                    raise BadFile(f"{path} line {number} is not whole JSON.") from None
    else:
        try:
            with pq.ParquetFile(path, buffer_size=1 << 20) as file:  # else a column is read whole
                for batch in file.iter_batches(ROWS):
                    yield from batch.to_pylist()
        except (pa.ArrowException, OSError) as error:
            raise no_parquet(path, error) from None


def _pieces(read: Callable[[int], str]) -> Iterator[str]:
    """A text whole, or where it is long in pieces of at most PIECE characters, cut at line ends if any."""
    held = ""
    while True:
        held += read(PIECE + 1 - len(held))
        if len(held) <= PIECE:
            break
        ends = (held.rfind(mark, PIECE // 2, PIECE) + len(mark) for mark in ("\n\n", "\n", " "))
        cut = next((end for end in ends if end > PIECE // 2), PIECE)
        yield held[:cut]
        held = held[cut:]
    if held:
        yield held


def _hub(source: str) -> Iterator[Any]:
    from datasets import load_dataset  # Its import costs a second and few need it.

    where, _, split = source.removeprefix("hf:").partition(":")
    name, _, config = where.partition("#")
    try:
        yield from load_dataset(name, config or None, split=split or "train", streaming=True)
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        if "onfig name is missing" in lines[0]:
            known = re.search(r"\[.*\]", " ".join(lines))
            raise UserError(
                f"The dataset {name!r} has several configurations; write hf:{name}#CONFIG with one of "
                f"{known[0][:300] if known else 'them'}."
            ) from error
        raise UserError(f"The dataset {where!r} cannot be read: {lines[0][:200].rstrip('.')}.") from error
