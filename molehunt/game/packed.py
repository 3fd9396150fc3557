"""A lineup without its vault, as one archive: for another team, or another machine.

It holds the suspects' adapters, the public spec, the commitments and a README; no key, no vault, no
log, nothing of the red team's. The same run gives the same bytes: names sorted, times and owners
constant. Auditing it needs no key; the verdicts go back into the original run (`handing_in`).
"""

import hashlib
import io
import json
import secrets
import tarfile
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from molehunt.core.atomic import read_json, write_bytes
from molehunt.core.errors import BadFile, UserError
from molehunt.core.record_json import to_json
from molehunt.core.store import Run
from molehunt.game.auditing import audit_key, audit_lineup, choose_calibration, finish_audit
from molehunt.game.planting import FILES
from molehunt.game.play import spec_of
from molehunt.game.spec import SECRET_FIELDS
from molehunt.game.watch import Watch

MARK = "packed.json"
"""Stands in a packed lineup, with the hash of every other file."""
MODEL_FILES = (*FILES, "README.md")
_TIME = 946_684_800
"""2000-01-01 UTC, for every entry."""

README = """# A lineup of suspects, without its envelope

{count} adapters on the base model `{model}`. Each **may carry a behaviour that was planted on purpose**;
the answers are sealed on the machine that this comes from. `commitments.json` holds a salted hash of
each, so that nobody can change them afterwards.

Audit it, here, without any key:

    molehunt audit {name}

then send `{name}/verdicts.json` back. There it is put on record, before the envelope is opened, with

    molehunt score RUN --verdicts verdicts.json --team YOURS

Do not deploy these adapters, do not merge them into a model that people use, and keep the README.md
that lies with each of them.
"""


def pack(folder: Path, target: Path) -> tuple[str, ...]:
    """Write the archive (uncompressed tar); gives back the names in it.

    Raises:
        BadFile: `folder` holds no planted lineup, or an adapter in it is damaged.
        UserError: there is something at `target`, or the folder is a packed lineup already.
    """
    if is_packed(folder):
        raise UserError(
            f"{folder} is a lineup without an envelope already; "
            f"send the folder as it is, or as an archive (tar cf {target.name} {folder.name})."
        )
    run = Run(folder)
    spec_of(run)
    if target.exists():
        raise UserError(f"{target} is there already; choose another name, or delete it.")
    if not (folder / "suspects").is_dir() or not (folder / "commitments.json").is_file():
        raise BadFile(f"{folder} holds no sealed lineup; plant one with `molehunt play --until planted`.")
    spec = {k: v for k, v in run.spec().items() if k not in SECRET_FIELDS}
    name = f"lineup-{spec['run_id']}"
    suspects = sorted(p for p in (folder / "suspects").iterdir() if p.is_dir())
    for suspect in suspects:
        _readable(suspect)
    files = {f"suspects/{s.name}/{f}": _bytes(s / f) for s in suspects for f in MODEL_FILES}
    files["spec.json"] = _json(spec)
    committed = run.commitments()
    if set(committed) != {s.name for s in suspects}:
        raise BadFile(f"{folder / 'commitments.json'} should hold one hash for each suspect, and no other.")
    files["commitments.json"] = _json(committed)
    files["README.md"] = README.format(count=len(suspects), model=spec["model"], name=name).encode()
    files[MARK] = _json({n: hashlib.sha256(data).hexdigest() for n, data in sorted(files.items())})
    write_bytes(target, _archive({f"{name}/{n}": data for n, data in files.items()}))
    return tuple(sorted(files))


def is_packed(folder: Path) -> bool:
    """Whether this is an unpacked archive and not a run folder."""
    return (folder / MARK).is_file() and not (folder / "vault.sealed").exists()


def no_envelope(folder: Path) -> str:
    """Why a packed lineup can be neither opened nor scored, in one sentence."""
    if (folder / "fix.json").exists():
        return f"{folder} has no envelope: what its suspects were says that of the run which was fixed."
    if (folder / "commitments.json").exists():
        return f"{folder} is a packed lineup; its envelope lies where it was planted: score it there."
    return f"{folder} has no envelope: nobody here knows the truth about its suspects, so nothing is scored."


def audit_packed(
    run: Run, watch: Watch, calibration: Path | None = None, salt: bytes | None = None, bar: str = "audit"
) -> None:
    """Audit an unpacked lineup: no key, a salt of its own unless one is given, no log to write to.

    Raises:
        BadFile: a file is not what was packed.
    """
    public = run.spec()
    _whole(run.folder)
    choose_calibration(run, public, calibration)
    stage = audit_key(run, public)
    if not run.done("audit", stage):
        audit_lineup(run, public, watch, salt=salt or secrets.token_bytes(32), bar=bar)
        finish_audit(run, stage)


def _whole(folder: Path) -> None:
    hashes = read_json(folder / MARK)
    if not isinstance(hashes, dict):
        raise BadFile(f"{folder / MARK} should map files to hashes.")
    for name, wanted in sorted(hashes.items()):
        if (
            Path(name).is_absolute()
            or ".." in Path(name).parts
            or hashlib.sha256(_bytes(folder / name)).hexdigest() != wanted
        ):
            raise BadFile(f"{folder / name} is not the file that was packed; unpack the archive again.")


def _readable(adapter: Path) -> None:
    """Look at an adapter's two files, without the model that they were made for.

    Raises:
        BadFile: one is missing or damaged.
    """
    read_json(adapter / FILES[0])
    _bytes(adapter / FILES[1])
    try:
        with safe_open(adapter / FILES[1], "numpy") as file:
            file.keys()
    except (SafetensorError, OSError) as error:
        raise BadFile(
            f"{adapter / FILES[1]} is damaged ({str(error)[:80]}); restore it from a copy before you pack."
        ) from None


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror}.") from None


def _json(value: Any) -> bytes:
    return (json.dumps(to_json(value), indent=1, sort_keys=True) + "\n").encode()


def _archive(files: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(data), _TIME, 0o644
            tar.addfile(entry, io.BytesIO(data))
    return sink.getvalue()
