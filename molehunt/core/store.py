"""A run folder: which stages are whole, who may write, and every file read back with care.

A stage is done when `stages.json` holds its name with the hash of what went in; it is noted
there only after its files were renamed into place, so that after `kill -9` anywhere the same
command goes on from the last whole stage. One process holds the folder at a time.
"""

import contextlib
import fcntl
import hashlib
import hmac
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from molehunt.core.atomic import canonical, read_json, read_jsonl, sweep, write_bytes, write_json, write_jsonl
from molehunt.core.errors import BadFile, MolehuntError, UserError
from molehunt.core.record_json import from_json
from molehunt.core.records import (
    Evidence,
    Failure,
    Measure,
    Message,
    NotMeasured,
    Score,
    Transcript,
    Truth,
    Verdict,
)
from molehunt.core.seal import derive

T = TypeVar("T")

_TURN = pa.struct([("role", pa.string()), ("content", pa.string())])
_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("suspect", pa.string()),
        ("messages", pa.list_(_TURN)),
        ("reply", pa.string()),
        ("temperature", pa.float64()),
        ("seed", pa.int64()),
        ("max_tokens", pa.int64()),
        ("model", pa.string()),
        ("tags", pa.map_(pa.string(), pa.string())),
    ]
)


def stage_key(inputs: Any) -> str:
    """Hex SHA-256 of the canonical JSON of what goes into a stage."""
    return hashlib.sha256(canonical(inputs)).hexdigest()


def secret_stage_key(key: bytes, inputs: Any) -> str:
    """As `stage_key`, but under the vault's key: nobody can try guesses at the inputs against it."""
    return hmac.new(derive(key, "stage"), canonical(inputs), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Run:
    """One run folder."""

    folder: Path

    @contextlib.contextmanager
    def held(self, wait: bool = False) -> Iterator["Run"]:
        """Hold the folder for this process, made if need be, and clear away half-written things.

        Raises:
            UserError: another process holds it, and `wait` does not say to wait for its end.
        """
        with _made(self.folder), _lock(self.folder / ".lock", wait=wait):
            sweep(self.folder)
            yield self

    def done(self, stage: str, key: str) -> bool:
        """Whether that stage was finished from the same inputs."""
        return self.stages().get(stage) == key

    def finish(self, stage: str, key: str) -> None:
        """Note that a stage is whole. Call it after the stage's files are in place."""
        with _lock(self.folder / ".stages.lock", wait=True):
            write_json(self.folder / "stages.json", dict(sorted({**self.stages(), stage: key}.items())))

    def stages(self) -> Mapping[str, str]:
        """Name to key of every whole stage."""
        path = self.folder / "stages.json"
        return _as(dict[str, str], read_json(path), path) if path.exists() else {}

    def spec(self) -> Mapping[str, Any]:
        """The resolved spec. Raises BadFile, as every reader here does, for a missing or corrupt file."""
        if not (self.folder / "spec.json").exists():
            raise BadFile(
                f"{self.folder} is no run folder, for it holds no spec.json; "
                "give one that `molehunt play` or `molehunt lineup` made."
            )
        return _as(dict[str, Any], read_json(self.folder / "spec.json"), self.folder / "spec.json")

    def write_spec(self, spec: Any) -> None:
        """Write the resolved spec, with versions and hashes; nothing of it may tell the truth."""
        write_json(self.folder / "spec.json", spec)

    def evidence(self) -> tuple[Evidence, ...]:
        """Every claim, in the order to which verdicts refer by row number."""
        return _lines(Evidence, self.folder / "evidence.jsonl")

    def write_evidence(self, rows: Sequence[Evidence]) -> None:
        """Write every claim."""
        write_jsonl(self.folder / "evidence.jsonl", rows)

    def failures(self) -> tuple[Failure, ...]:
        """Whatever raised; empty when there is no such file."""
        path = self.folder / "failures.jsonl"
        return _lines(Failure, path) if path.exists() else ()

    def write_failures(self, rows: Sequence[Failure]) -> None:
        """Write whatever raised."""
        write_jsonl(self.folder / "failures.jsonl", rows)

    def verdicts(self) -> tuple[Verdict, ...]:
        """Every auditor's verdicts, in one list."""
        return _list(Verdict, self.folder / "verdicts.json")

    def write_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Write every auditor's verdicts."""
        write_json(self.folder / "verdicts.json", list(verdicts))

    def scores(self) -> tuple[Score, ...]:
        """One score an auditor."""
        return self._scored("scores", Score)

    def opened(self) -> tuple[Truth, ...]:
        """The truths, as the envelope gave them when the verdicts were scored."""
        return self._scored("opened", Truth)

    def commitments(self) -> dict[str, str]:
        """A salted hash of each suspect's truth, by code name.

        Raises:
            BadFile: the file is none.
        """
        path = self.folder / "commitments.json"
        value = read_json(path)
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            raise BadFile(f"{path} should map each suspect to one hash.")
        return value

    def write_scores(
        self,
        scores: Sequence[Score],
        opened: Sequence[Truth] = (),
        baselines: Mapping[str, Mapping[str, Measure | NotMeasured]] | None = None,
    ) -> None:
        """Write `score.json`: one score an auditor, the opened truths, and measures of each baseline."""
        whole = {"scores": list(scores), "opened": list(opened), "baselines": baselines or {}}
        write_json(self.folder / "score.json", whole)

    def _scored(self, part: str, kind: type[T]) -> tuple[T, ...]:
        path = self.folder / "score.json"
        rows = _as(dict[str, Any], read_json(path), path).get(part)
        if not isinstance(rows, list):
            raise BadFile(f"{path} should hold a list of {part}; restore it from a copy.")
        return tuple(_as(kind, row, path) for row in rows)

    def transcripts(self) -> tuple[Transcript, ...]:
        """Every conversation of the audit."""
        return read_transcripts(self.folder / "transcripts.parquet")

    def write_transcripts(self, transcripts: Sequence[Transcript]) -> None:
        """Write every conversation of the audit."""
        write_transcripts(self.folder / "transcripts.parquet", transcripts)


def write_transcripts(path: Path, transcripts: Sequence[Transcript]) -> None:
    """Conversations as Parquet, one row each. Errors as `atomic.write_bytes`."""
    rows = [
        {
            **{name: getattr(t, name) for name in _SCHEMA.names},
            "messages": [{"role": m.role, "content": _encodable(m.content)} for m in t.messages],
            "reply": _encodable(t.reply),
            "tags": list(t.tags.items()),
        }
        for t in transcripts
    ]
    write_table(path, pa.Table.from_pylist(rows, schema=_SCHEMA))


def read_transcripts(path: Path) -> tuple[Transcript, ...]:
    """The inverse of `write_transcripts`.

    Raises:
        BadFile: it is missing, no Parquet, or holds other columns.
    """
    table = read_table(path)
    if not table.schema.equals(_SCHEMA):
        raise BadFile(f"{path} does not hold transcripts: its columns are {', '.join(table.schema.names)}.")
    try:
        return tuple(
            Transcript(
                **{
                    **row,
                    "messages": tuple(Message(**m) for m in row["messages"]),
                    "tags": dict(row["tags"]),
                }
            )
            for row in table.to_pylist()
        )
    except TypeError:
        raise BadFile(f"{path} holds a row without messages or tags.") from None


def write_table(path: Path, table: pa.Table) -> None:
    """Any table as Parquet, wholly or not at all."""
    sink = BytesIO()
    pq.write_table(table, sink)
    write_bytes(path, sink.getvalue())


def read_table(path: Path) -> pa.Table:
    """A Parquet file whole. Raises BadFile when it cannot be read as one."""
    if not path.exists():
        raise BadFile(f"There is no file {path}.")
    try:
        return pq.read_table(BytesIO(path.read_bytes()))
    except (pa.ArrowException, OSError) as error:
        raise no_parquet(path, error) from None


def no_parquet(path: Path, error: Exception) -> BadFile:
    """What to say of a file that could not be read as Parquet: the first sentence of why, and the mend."""
    why = str(error).splitlines()[0].split(". ")[0][:100].rstrip(".")
    return BadFile(f"{path} cannot be read as Parquet ({why}); fetch or make it again.")


def _encodable(text: str) -> str:
    # A lone surrogate has no UTF-8 form; Parquet and JSON readers elsewhere would choke on it.
    return text.encode("utf-8", "replace").decode()


def _lines(kind: type[T], path: Path) -> tuple[T, ...]:
    return tuple(_as(kind, row, path) for row in read_jsonl(path))


def _list(kind: type[T], path: Path) -> tuple[T, ...]:
    value = read_json(path)
    if not isinstance(value, list):
        raise BadFile(f"{path} should hold a list.")
    return tuple(_as(kind, row, path) for row in value)


def _as(kind: type[T], value: Any, path: Path) -> T:
    try:
        if kind.__name__ == "dict":
            if not isinstance(value, dict):
                raise BadFile("it should be an object.")
            return value  # pyright: ignore[reportReturnType]
        return from_json(kind, value)
    except MolehuntError as error:
        raise BadFile(f"{path} does not hold what it should: {error}") from None


@contextlib.contextmanager
def _made(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The run folder {folder} cannot be made: {error.strerror}; choose another."
        ) from None
    yield


@contextlib.contextmanager
def _lock(path: Path, *, wait: bool) -> Iterator[None]:
    # Python's descriptors close on exec, so a child started by `subprocess` never keeps the lock.
    try:
        number = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise UserError(
            f"{path.parent} cannot be written: {error.strerror}; choose another folder."
        ) from None
    try:
        fcntl.flock(number, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise UserError(
            f"Another process is at work on {path.parent}; wait for it, or choose another folder."
        ) from None
    finally:
        os.close(number)
