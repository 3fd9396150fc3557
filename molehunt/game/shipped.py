"""The lineup that comes with the package: unpacked by the word `starter`, opened by the key beside it.

Three files lie in `molehunt/starter`: `lineup.tar.xz` (a planted run folder), `lineup.json` (every file of
it with its size and hash) and `envelope.json` (key and anchor). Each unpacked folder is a copy of its own:
`copy.json` holds a random name, under which its log is anchored and its fingerprints are salted, so that
several copies on one machine don't get in each other's way. The envelope is read when verdicts stand in
the copy's log, and not before; no audit process reads it.

What this cannot tell you: whether somebody has looked. The key ships in the clear beside the vault, so
whoever wants to knows the answers. The seal stops accident and import.
"""

import hashlib
import io
import json
import lzma
import re
import secrets
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from molehunt.core.atomic import read_json, whole_folder, write_json
from molehunt.core.errors import BadFile, UserError
from molehunt.core.record_json import from_json

SHIPPED = Path(__file__).parent.parent / "starter"
STARTER = Path("starter")
"""The word that is taken for the lineup of the package, and the folder that it is unpacked into."""
ARCHIVE, LIST, ENVELOPE = "lineup.tar.xz", "lineup.json", "envelope.json"
COPY = "copy.json"
"""Marks an unpacked starter lineup and tells it apart from other copies."""
MOST_BYTES = 1 << 28
"""Largest sum of unpacked sizes that is believed."""
_KNOWN = re.compile(
    r"suspects/[A-Za-z0-9][A-Za-z0-9_-]{0,39}/(adapter_config\.json|adapter_model\.safetensors|README\.md)"
    r"|spec\.json|stages\.json|commitments\.json|vault\.sealed|log\.jsonl|README\.md"
)
_XZ = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 3, "lp": 1, "pb": 1}]
"""Numbers of two bytes: with these settings bfloat16 takes 7% less than with xz's own."""
_TIME = 946_684_800
"""2000-01-01 UTC, for every entry."""


@dataclass(frozen=True)
class Listed:
    """One file of the archive."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class Envelope:
    """What opens the starter lineup's vault: only for the referee, once verdicts are on record."""

    run_id: str
    key: str
    """32 bytes as hex."""
    anchor: Mapping[str, Any]
    """Index and hash of the log's last entry as it was made."""


def or_starter(folder: Path, hear: Callable[[float], None] = lambda share: None) -> Path:
    """The folder; where it is the word `starter` and nothing lies there, the package's lineup, unpacked.

    Raises:
        UserError: this installation carries none. BadFile: what it carries is damaged.
    """
    return unpack(folder, hear=hear) if folder == STARTER and not folder.exists() else folder


def unpacked(folder: Path) -> Path:
    """The folder, for what comes after an audit.

    Raises:
        UserError: it is the word `starter`, and nothing lies there.
    """
    if folder == STARTER and not folder.exists():
        raise UserError(
            "There is no folder starter here yet; `molehunt audit starter` unpacks one and audits it."
        )
    return folder


def unpack(target: Path, source: Path | None = None, hear: Callable[[float], None] = lambda _: None) -> Path:
    """Unpack a lineup into a new folder, wholly or not at all; every name, size and hash is checked.

    `source` is the folder with the three files; the package's own by default.

    Raises:
        UserError: there is none, or something lies at `target`. BadFile: a file is not what was packed.
    """
    source = source or SHIPPED
    listed = _listed(source)
    if target.exists():
        raise UserError(f"{target} is there already; choose another name, or delete it.")
    with whole_folder(target, still=True) as half:
        for done, (name, data) in enumerate(_read(source / ARCHIVE, listed), 1):
            (half / name).parent.mkdir(parents=True, exist_ok=True)
            (half / name).write_bytes(data)
            hear(done / len(listed))
        write_json(half / COPY, {"copy": secrets.token_hex(16)})
        if target.exists():
            raise UserError(f"Another process has unpacked {target} meanwhile; run the same command again.")
    return target


def shipped_spec(source: Path | None = None) -> Mapping[str, Any]:
    """The public spec of the package's lineup; nothing is unpacked. Errors as `unpack`."""
    source = source or SHIPPED
    spec = next(data for name, data in _read(source / ARCHIVE, _listed(source)) if name == "spec.json")
    return json.loads(spec)


def copy_of(folder: Path) -> str | None:
    """The name of an unpacked copy (32 hexadecimal digits); None for every other run folder.

    Raises:
        BadFile: `copy.json` holds no such name.
    """
    path = folder / COPY
    if not path.exists():
        return None
    body = read_json(path)
    name = body.get("copy") if isinstance(body, dict) else None
    if not isinstance(name, str) or not re.fullmatch(r"[0-9a-f]{32}", name):
        raise BadFile(f"{path} names no copy; delete the folder, and unpack the starter lineup again.")
    return name


def read_envelope(run_id: str, source: Path | None = None) -> Envelope:
    """What opens that run's vault. For the referee alone.

    Raises:
        UserError: this installation carries none, or another lineup's. BadFile: it is damaged.
    """
    path = (source or SHIPPED) / ENVELOPE
    if not path.exists():
        raise UserError("This installation carries no envelope of a starter lineup; install Molehunt again.")
    damaged = BadFile(f"{path} is damaged; install Molehunt again.")
    try:
        envelope = from_json(Envelope, read_json(path))
        key = bytes.fromhex(envelope.key)
    except (BadFile, ValueError):
        raise damaged from None
    if len(key) != 32 or not {"index", "hash"} <= set(envelope.anchor):
        raise damaged
    if envelope.run_id != run_id:
        raise UserError(
            "This lineup came with another version of Molehunt (spec.json names it); its envelope is there."
        )
    return envelope


def archive(files: Mapping[str, bytes]) -> bytes:
    """The archive of these files, sorted, times and owners constant: equal files give equal bytes."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(f"{STARTER}/{name}")
            entry.size, entry.mtime, entry.mode = len(data), _TIME, 0o644
            tar.addfile(entry, io.BytesIO(data))
    return lzma.compress(sink.getvalue(), filters=_XZ)


def listing(files: Mapping[str, bytes]) -> dict[str, Listed]:
    """Size and hash of every file.

    Raises:
        ValueError: a name that unpacking would refuse.
    """
    strange = [name for name in files if not _KNOWN.fullmatch(name)]
    if strange:
        raise ValueError(f"{strange[0]} has no place in a lineup")
    return {n: Listed(hashlib.sha256(data).hexdigest(), len(data)) for n, data in sorted(files.items())}


def _listed(source: Path) -> Mapping[str, Listed]:
    if not (source / LIST).is_file() or not (source / ARCHIVE).is_file():
        raise UserError(
            "This installation carries no starter lineup; plant your own with `molehunt play runs/first`."
        )
    body = read_json(source / LIST)
    try:
        listed = {name: from_json(Listed, row) for name, row in body["files"].items()}
    except (BadFile, AttributeError, KeyError, TypeError):
        raise _damaged(source / LIST) from None
    sizes = [row.bytes for row in listed.values()]
    if min(sizes, default=-1) < 0 or sum(sizes) > MOST_BYTES or not all(map(_KNOWN.fullmatch, listed)):
        raise _damaged(source / LIST)
    return listed


def _read(path: Path, listed: Mapping[str, Listed]) -> Iterator[tuple[str, bytes]]:
    """Every file of the archive: plain ones that are listed, each once, none missing. Links are refused."""
    missing = dict(listed)
    try:
        with tarfile.open(path, "r:xz") as tar:
            for entry in tar:
                folder, _, name = entry.name.partition("/")
                row = missing.pop(name, None) if folder == str(STARTER) else None
                if row is None or entry.type != tarfile.REGTYPE or entry.size != row.bytes:
                    raise _damaged(path)
                file = tar.extractfile(entry)
                data = file.read() if file else b""
                if hashlib.sha256(data).hexdigest() != row.sha256:
                    raise _damaged(path)
                yield name, data
    except (tarfile.TarError, lzma.LZMAError, EOFError):
        raise _damaged(path) from None
    if missing:
        raise _damaged(path)


def _damaged(path: Path) -> BadFile:
    return BadFile(f"{path} is not the starter lineup that was packed; install Molehunt again.")
