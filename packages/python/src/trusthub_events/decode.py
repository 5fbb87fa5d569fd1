"""Reads the event in a record: JSON or Avro, with the attributes of CloudEvents in headers or in the value."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from . import _read
from .errors import Unreadable, UnknownType
from .record import Content, Record, content, parse_json
from .types import READERS, Data

WriterSchema = Callable[[int], str]
"""Returns the Avro schema that a registry has under an id, as JSON. What it raises is passed on: the record must be
read again later, and not be skipped."""


@dataclass(frozen=True, slots=True)
class Event:
    """A CloudEvent of the bridge."""

    id: str
    """Equal for repeats."""
    type: str
    time: datetime
    """When the callback arrived, or when Trust Hub was asked."""
    source: str | None
    subject: str | None
    data: Data


def decode(
    record: Record, *, types: Collection[str] = READERS.keys(), writer_schema: WriterSchema | None = None
) -> Event:
    """Reads the event in a record.

    The value of a record of another type than `types` is not read. Without `writer_schema`, Avro is read with the
    schemas of this package, which is right only if the bridge has the same version.

    Raises:
        UnknownType: the type is none of `types`.
        Unreadable: the record violates the contract of its type. A tombstone has no value, and is unreadable, too: in
            the topic of states, check for it first.
        ImportError: the record is Avro, and fastavro is not installed.
    """
    return decode_content(content(record), types, writer_schema)


def decode_content(found: Content, types: Collection[str], writer_schema: WriterSchema | None) -> Event:
    if found.data is None:
        raise Unreadable("has no value")
    if found.type not in types or found.type not in READERS:
        raise UnknownType(f'is of the type "{found.type or ""}"')
    if found.id is None:
        raise Unreadable("has no ce_id")
    if found.time is None:
        raise Unreadable("has no ce_time")
    try:
        time = _read.parsed_time(found.time)
    except Unreadable:
        raise Unreadable("has an invalid ce_time") from None
    try:
        data = READERS[found.type](_value(found, writer_schema))
    except Unreadable as error:
        raise Unreadable(f"has a value that is not an event: {error}") from None
    return Event(found.id, found.type, time, found.source, found.subject, data)


def _value(found: Content, writer_schema: WriterSchema | None) -> object:
    if found.parsed is not None:
        return found.parsed
    if found.schema_id is not None:
        # Only readers of Avro need the library.
        from ._avro import read_avro

        schema = writer_schema(found.schema_id) if writer_schema else None
        return read_avro(found.type, found.data, schema)
    try:
        return parse_json(found.data)
    except ValueError:
        raise Unreadable("it is not JSON") from None
