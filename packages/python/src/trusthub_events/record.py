"""A Kafka record as a client delivers it, and the CloudEvent in it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .types import READERS

Headers = Mapping[str, bytes | None] | Iterable[tuple[str, bytes | None]]

_STRUCTURED = "application/cloudevents+json"
_AVRO = "application/avro"
# Confluent's wire format: a zero, and the id of the schema in four bytes; in front of the value, or in this header.
_SCHEMA_ID_HEADER = "__value_schema_id"
_PREFIX_BYTES = 5


@dataclass(frozen=True, slots=True)
class Record:
    """The parts of a Kafka record on which the decision depends.

    `headers` is what the clients for Python return: pairs of a name and bytes. With confluent-kafka it is
    `Record(message.headers(), message.value())`.
    """

    headers: Headers | None
    value: bytes | None
    """`None` for a tombstone."""


@dataclass(frozen=True, slots=True)
class Content:
    """The attributes of the CloudEvent in a record, and its data, which may still be encoded."""

    id: str | None
    type: str | None
    source: str | None
    subject: str | None
    time: str | None
    data: bytes | None
    """JSON, or Avro if there is a `schema_id`; `None` for a tombstone."""
    parsed: object = None
    """The data if it had to be parsed to find the attributes; then `data` is the whole value."""
    schema_id: int | None = None


_ATTRIBUTES = ("id", "type", "source", "subject", "time")


def content(record: Record) -> Content:
    """Takes a record apart, whatever its format. A value that cannot be read is in the content as it is."""
    headers = _texts(record.headers)
    attributes = {name: headers.get(f"ce_{name}") for name in _ATTRIBUTES}
    media_type = (headers.get("content-type") or "").split(";")[0].strip().lower()
    value = record.value
    if value is None:
        return Content(**attributes, data=None)
    if attributes["type"] in READERS:
        avro = _avro(value, media_type, headers.get(_SCHEMA_ID_HEADER))
        if avro:
            return Content(**attributes, data=avro[1], schema_id=avro[0])
    # Something between the bridge and this consumer may have dropped the headers.
    if media_type == _STRUCTURED or (attributes["type"] is None and value.lstrip().startswith(b"{")):
        return _structured(value) or Content(**attributes, data=value)
    return Content(**attributes, data=value)


def _texts(headers: Headers | None) -> dict[str, str]:
    """The first header of each name as text; one that is not UTF-8 counts as absent."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
    first: dict[str, bytes | None] = {}
    for name, value in pairs:
        first.setdefault(name, value)
    texts = {}
    for name, value in first.items():
        try:
            texts[name] = value.decode("latin-1" if name == _SCHEMA_ID_HEADER else "utf-8")
        except (AttributeError, UnicodeDecodeError):
            continue
    return texts


def _avro(value: bytes, media_type: str, schema_header: str | None) -> tuple[int, bytes] | None:
    prefix = schema_header.encode("latin-1") if schema_header and media_type == _AVRO else b""
    if len(prefix) == _PREFIX_BYTES and prefix[0] == 0:
        return _schema_id(prefix), value
    if len(value) >= _PREFIX_BYTES and value[0] == 0:
        return _schema_id(value), value[_PREFIX_BYTES:]
    return None


def _schema_id(prefix: bytes) -> int:
    return int.from_bytes(prefix[1:_PREFIX_BYTES], "big")


def _structured(value: bytes) -> Content | None:
    try:
        event = parse_json(value)
    except ValueError:
        return None
    if not isinstance(event, dict):
        return None
    attributes = {name: event.get(name) for name in _ATTRIBUTES}
    are_texts = all(isinstance(text, str | None) for text in attributes.values())
    is_missing = any(event.get(name) is None for name in ("specversion", "id", "type"))
    if is_missing or not are_texts or not isinstance(event["specversion"], str):
        return None
    data = event.get("data")
    # Without data it is a tombstone.
    return Content(**attributes, data=None if data is None else value, parsed=data)


def parse_json(value: bytes) -> object:
    """Parses JSON in UTF-8; raises ValueError also for what `json` accepts beyond the standard."""
    try:
        return json.loads(value.decode(), parse_constant=_reject)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _reject(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON")
