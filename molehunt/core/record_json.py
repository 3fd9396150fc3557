"""Records as plain JSON values and back, without losing which union member stood there."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, TypeVar

from molehunt.core.errors import BadFile

T = TypeVar("T")
LATER: Mapping[str, Any] = {"later": True}
"""Metadata of a field that records from before lack: left out where it is None, so that theirs, written anew,
are the same bytes. What was logged of them is a hash of these."""


def to_json(record: Any) -> Any:
    """Records to plain JSON values; a union member that is a record carries its name in `is`."""
    if dataclasses.is_dataclass(record) and not isinstance(record, type):
        body = {
            f.name: to_json(getattr(record, f.name)) for f in dataclasses.fields(record) if _said(f, record)
        }
        return {"is": type(record).__name__, **body}
    if isinstance(record, Mapping):
        return {str(k): to_json(v) for k, v in record.items()}
    if isinstance(record, (list, tuple)):
        return [to_json(v) for v in record]
    return record


def from_json(kind: type[T], value: Any) -> T:
    """The inverse of `to_json`.

    Raises:
        BadFile: a field is missing or unknown, or a value has the wrong shape.
    """
    return _read(kind, value, kind.__name__)


def _said(field: dataclasses.Field[Any], record: Any) -> bool:
    return "later" not in field.metadata or getattr(record, field.name) is not None


def _read(kind: Any, value: Any, where: str) -> Any:
    origin = typing.get_origin(kind)
    if kind is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        return _read_union(typing.get_args(kind), value, where)
    if origin is Literal:
        if value not in typing.get_args(kind):
            raise BadFile(f"{where} is {value!r}, which is none of {typing.get_args(kind)}.")
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise BadFile(f"{where} should be a list.")
        return tuple(_read(typing.get_args(kind)[0], v, f"{where}[{i}]") for i, v in enumerate(value))
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, dict):
            raise BadFile(f"{where} should be an object.")
        return {k: _read(typing.get_args(kind)[1], v, f"{where}.{k}") for k, v in value.items()}
    if dataclasses.is_dataclass(kind):
        return _read_record(kind, value, where)
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise BadFile(f"{where} is a number beyond all measure.") from None
    if isinstance(kind, type) and isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    raise BadFile(f"{where} should be of type {getattr(kind, '__name__', kind)}, not {type(value).__name__}.")


def _read_union(members: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in members:
        return None
    name = value.get("is") if isinstance(value, dict) else None
    for member in members:
        if member is type(None) or (name is not None and getattr(member, "__name__", None) != name):
            continue
        return _read(member, value, where)
    raise BadFile(f"{where} is none of what may stand there.")


def _read_record(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise BadFile(f"{where} should be an object.")
    if value.get("is", kind.__name__) != kind.__name__:
        raise BadFile(f"{where} is a {value['is']}, not a {kind.__name__}.")
    hints, fields = _shape(kind)
    unknown = set(value) - set(fields) - {"is"}
    if unknown:
        raise BadFile(f"{where} has an unknown field {sorted(unknown)[0]!r}; known: {', '.join(fields)}.")
    missing = [
        n
        for n, f in fields.items()
        if n not in value and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise BadFile(f"{where} lacks the field {missing[0]!r}.")
    return kind(**{n: _read(hints[n], value[n], f"{where}.{n}") for n in fields if n in value})


@cache
def _shape(kind: Any) -> tuple[Mapping[str, Any], Mapping[str, dataclasses.Field[Any]]]:
    """Types and fields of a record, by name: read off its source once, not once a record."""
    return typing.get_type_hints(kind), {f.name: f for f in dataclasses.fields(kind)}
