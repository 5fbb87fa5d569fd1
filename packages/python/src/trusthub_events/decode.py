"""Reads the event in a record: JSON or Avro, with the attributes of CloudEvents in headers or in the value."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from . import _read
from .errors import SchemaUnavailable, Unreadable, UnknownType
from .record import Content, Record, content, parse_json
from .types import READERS, Data

WriterSchema = Callable[[int], str]
"""Returns the Avro schema that a registry has under an id, as JSON. What it raises is passed on: the record must be
read again later, and not be skipped."""

WriterSchemas = WriterSchema | Literal["bundled"]
"""`"bundled"` reads Avro with the schemas of this package. That is right only while the bridge has the version of the
package: a record of another version is unreadable, or has texts in the wrong fields."""


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
    record: Record, *, types: Collection[str] = READERS.keys(), writer_schema: WriterSchemas | None = None
) -> Event:
    """Reads the event in a record.

    The value of a record of another type than `types` is not read. Avro needs `writer_schema`.

    Raises:
        UnknownType: the type is none of `types`.
        Unreadable: the record violates the contract of its type. A tombstone has no value, and is unreadable, too: in
            the topic of states, check for it first.
        SchemaUnavailable: the record is Avro and there is no `writer_schema`, or it returned the schema of something
            else. The record must be read again, and not be skipped.
        ImportError: the record is Avro, and fastavro is not installed.
    """
    return decode_content(content(record), types, writer_schema)


def decode_content(found: Content, types: Collection[str], writer_schema: WriterSchemas | None) -> Event:
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


def _value(found: Content, writer_schema: WriterSchemas | None) -> object:
    if found.parsed is not None:
        return found.parsed
    if found.schema_id is not None:
        if writer_schema is None:
            raise SchemaUnavailable(
                f"the record is Avro with the schema {found.schema_id}: pass writer_schema, which asks the schema "
                'registry for it, or writer_schema="bundled" if the bridge has the version of this package'
            )
        # Only readers of Avro need the library.
        from ._avro import read_avro

        schema = None if writer_schema == "bundled" else str(writer_schema(found.schema_id))
        return read_avro(found.type, found.data, schema)
    try:
        return parse_json(found.data)
    except ValueError:
        raise Unreadable("it is not JSON") from None
