"""The seal: keys outside the run folder, salted commitments, and a box whose size tells nothing.

A truth is committed to as SHA-256 of a 32-byte salt and its canonical JSON. The box is
AES-256-GCM (library `cryptography`) over the compressed content, padded to a fixed multiple.
Everything else that must be secret and repeatable (salts, red stage keys) is derived from
the run's one key by HMAC-SHA-256 with a purpose, so nothing is used twice. The red seed is
drawn on its own and lies beside the key.
The key lies in `$MOLEHUNT_KEYS` or `~/.config/molehunt/keys`, mode 600, named by run id alone.
"""

import hashlib
import hmac
import os
import re
import secrets
import zlib
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from molehunt.core.atomic import write_bytes
from molehunt.core.errors import BadFile, SealBroken, UserError

PADDING = 1 << 20
"""Bytes; every box is a multiple of it. A game's truths, compressed, fill a small part of one."""

USUAL_KEYS = Path("~/.config/molehunt/keys")
"""Where keys lie unless `$MOLEHUNT_KEYS` says otherwise."""

_HEAD = b"molehunt vault 1\n"
_NONCE = 12


def new_key() -> bytes:
    """32 random bytes."""
    return secrets.token_bytes(32)


def new_run_id() -> str:
    """A random name for a run: tells nothing, not even when it was made."""
    return secrets.token_hex(8)


def derive(key: bytes, purpose: str, *parts: str) -> bytes:
    """32 bytes that only the key's holder can make: for one purpose, and the same every time."""
    text = b"\x1f".join(p.encode() for p in (purpose, *parts))
    return hmac.new(key, text, hashlib.sha256).digest()


def commit(truth_json: str, salt: bytes) -> str:
    """Hex SHA-256 over salt (32 bytes) and truth: published before the audit, checked after it.

    Raises:
        ValueError: a salt of another length, which would let the border shift.
    """
    if len(salt) != 32:
        raise ValueError("a salt is 32 bytes")
    return hashlib.sha256(salt + truth_json.encode()).hexdigest()


def seal(content: bytes, key: bytes, label: str) -> bytes:
    """The content, compressed, padded and encrypted. `label` must be given again to open it."""
    packed = zlib.compress(content, 9)
    body = len(packed).to_bytes(8, "big") + packed
    body += bytes(-len(body) % PADDING)
    nonce = secrets.token_bytes(_NONCE)
    return _HEAD + nonce + AESGCM(key).encrypt(nonce, body, _HEAD + label.encode())


def unseal(box: bytes, key: bytes, label: str) -> bytes:
    """The content of a box.

    Raises:
        SealBroken: not a box, another key, another label, or a changed byte.
    """
    nonce = box[len(_HEAD) : len(_HEAD) + _NONCE]
    if not box.startswith(_HEAD) or len(nonce) < _NONCE:
        raise SealBroken("The vault is not one that this version sealed.")
    try:
        body = AESGCM(key).decrypt(nonce, box[len(_HEAD) + _NONCE :], _HEAD + label.encode())
    except (InvalidTag, ValueError):
        raise SealBroken("The vault does not open: it was changed, or this is another run's key.") from None
    size = int.from_bytes(body[:8], "big")
    return zlib.decompress(body[8 : 8 + size])


def keys_folder() -> Path:
    """Where keys lie: `$MOLEHUNT_KEYS`, or `~/.config/molehunt/keys`."""
    return Path(os.environ.get("MOLEHUNT_KEYS") or USUAL_KEYS).expanduser()


def key_path(run_id: str) -> Path:
    """Where that run's key lies (or would lie).

    Raises:
        BadFile: a run id that is no plain name, such as one with a slash.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", run_id):
        raise BadFile(f"{run_id[:80]!r} is no run id: letters, digits, - and _, 64 at most.")
    return keys_folder() / f"{run_id}.key"


def save_key(run_id: str, key: bytes, run_folder: Path) -> Path:
    """Keep a run's key, mode 600 in a folder of mode 700; an existing one is not replaced.

    Raises:
        UserError: the keys' folder lies inside the run folder, cannot be one, or holds another key.
    """
    path = key_path(run_id)
    if path.resolve().is_relative_to(run_folder.resolve()):
        raise UserError(
            f"The keys' folder {path.parent} lies inside the run folder {run_folder}; "
            "set MOLEHUNT_KEYS to a folder outside it."
        )
    if path.exists():
        if load_key(run_id) != key:
            raise UserError(f"{path} already holds another key; give the run another id.")
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.parent.chmod(0o700)
    except OSError as error:
        raise UserError(
            f"{path.parent} cannot hold keys: {error.strerror}; set MOLEHUNT_KEYS to a folder that may be "
            "written to."
        ) from None
    write_bytes(path, key.hex().encode() + b"\n", mode=0o600)
    return path


def load_key(run_id: str) -> bytes:
    """The key of a run.

    Raises:
        BadFile: it is not here, is no key, or others may read it.
    """
    path = key_path(run_id)
    try:
        text, mode = path.read_text(), path.stat().st_mode
        key = bytes.fromhex(text.strip())
    except FileNotFoundError:
        raise BadFile(
            f"There is no key at {path}: a vault opens only where its game was planted "
            "(or set MOLEHUNT_KEYS to the folder that holds the key)."
        ) from None
    except (OSError, ValueError):
        raise BadFile(f"{path} cannot be read as a key.") from None
    if mode & 0o077:
        raise BadFile(f"The key {path} may be read by others; run `chmod 600 {path}`.")
    if len(key) != 32:
        raise BadFile(f"{path} should hold 32 bytes as hex.")
    return key
