"""Reads FHIR JSON tolerantly: bytes in, slim structs out, with the paths of the fields that could not be read.

A resource is first decoded strictly into its slim struct, in one pass that skips all other elements. Only
where that fails is it decoded a second time and mended field by field: a list where one element belongs, an object
where a list belongs, a number where a code belongs. What cannot be mended is left out and named; the rest of the
resource stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import inspect

ABSENT = msgspec.Raw()  # an element that is not there
JsonBytes = bytes | msgspec.Raw
T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)


class Unreadable(ValueError):
    """Not JSON, or nothing that can be mended into what should be there. The message never contains the content."""


class _Odd(Exception):
    """This value cannot be mended into the type asked for."""


class Reader(Generic[T]):
    """Reads JSON into `shape`, a slim struct or the type of one element, tolerantly."""

    def __init__(self, shape: type[T]) -> None:
        self._decoder = msgspec.json.Decoder(shape)
        self._type = inspect.type_info(shape)

    def read(self, raw: JsonBytes) -> tuple[T, tuple[str, ...]]:
        """The struct, and the paths of the fields that could not be read ("code.coding[1].code").

        Raises Unreadable where not even the outermost shape is there.
        """
        try:
            return self._decoder.decode(raw), ()
        except msgspec.ValidationError:
            pass
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as cause:
            raise Unreadable("not JSON") from cause
        notes: list[str] = []
        try:
            return _mend(self._type, msgspec.json.decode(raw), "", notes), tuple(notes)
        except _Odd:
            raise Unreadable("not of its type") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as cause:
            raise Unreadable("not JSON") from cause


def is_null(raw: JsonBytes) -> bool:
    """Whether these bytes are JSON's null."""
    return bytes(memoryview(raw)[:8]).strip() == b"null"


def read_elements(resource: msgspec.Struct, shape: type[S]) -> S:
    """The elements of `shape`, from a struct that has them as bytes; unreadable ones are left out."""
    elements: dict[str, Any] = {}
    for name, reader in _element_readers(shape):
        raw = getattr(resource, name)
        if raw is not ABSENT:
            try:
                elements[name] = reader.read(raw)[0]
            except Unreadable:
                continue
    return shape(**elements)


@cache
def _element_readers(shape: type[msgspec.Struct]) -> tuple[tuple[str, Reader[Any]], ...]:
    return tuple((field.name, Reader(field.type)) for field in msgspec.structs.fields(shape))


def _mend(kind: inspect.Type, value: Any, path: str, notes: list[str]) -> Any:
    """`value` as `kind`, with what had to be left out added to `notes`. Raises _Odd where nothing fits."""
    match kind:
        case inspect.UnionType(types=arms):
            return _mend_union(arms, value, path, notes)
        case inspect.ListType(item_type=item):
            values = value if isinstance(value, list) else [] if value is None else [value]
            return list(_mend_items(item, values, path, notes))
        case inspect.StructType():
            return _mend_struct(kind, _only(value), path, notes)
        case inspect.StrType():
            return _mend_string(_only(value))
        case inspect.IntType():
            return _mend_integer(_only(value))
        case inspect.BoolType():
            return _mend_boolean(_only(value))
        case inspect.RawType():
            return msgspec.Raw(msgspec.json.encode(value))
        case inspect.NoneType() if value is None:
            return None
    raise _Odd


def _mend_struct(kind: inspect.StructType, value: Any, path: str, notes: list[str]) -> Any:
    if not isinstance(value, dict):
        raise _Odd
    fields: dict[str, Any] = {}
    for field in kind.fields:
        if field.encode_name not in value:
            continue
        field_path = f"{path}.{field.encode_name}" if path else field.encode_name
        try:
            fields[field.name] = _mend(field.type, value[field.encode_name], field_path, notes)
        except _Odd:
            notes.append(field_path)
    return kind.cls(**fields)


def _mend_items(item: inspect.Type, values: list[Any], path: str, notes: list[str]) -> Iterator[Any]:
    for index, value in enumerate(values):
        try:
            yield _mend(item, value, f"{path}[{index}]", notes)
        except _Odd:
            notes.append(f"{path}[{index}]")


def _mend_union(arms: tuple[inspect.Type, ...], value: Any, path: str, notes: list[str]) -> Any:
    for arm in arms:
        attempt: list[str] = []
        try:
            mended = _mend(arm, value, path, attempt)
        except _Odd:
            continue
        notes.extend(attempt)
        return mended
    raise _Odd


def _mend_string(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise _Odd


def _mend_integer(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    raise _Odd


def _mend_boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise _Odd


def _only(value: Any) -> Any:
    """The one element of a list of one: some servers write a list where FHIR has a single element."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value
