"""Reads Avro with fastavro."""

import io
import json
from functools import lru_cache
from importlib.resources import files

try:
    import fastavro
except ImportError as error:
    raise ImportError("a record is Avro: install trusthub-events[avro]") from error

from .errors import SchemaUnavailable, Unreadable
from .types import SCHEMAS

# More schemas than a topic has.
_MAX_SCHEMAS = 256


def read_avro(event_type: str, encoded: bytes, writer_schema: str | None) -> object:
    """Returns the value as parsed JSON has it. A field that the writer did not have gets its default.

    Without a schema of the writer, that of this package is used.
    """
    bundled = _bundled(event_type)
    writer = bundled if writer_schema is None else _of_writer(writer_schema, bundled["name"])
    buffer = io.BytesIO(encoded)
    try:
        value = fastavro.schemaless_reader(buffer, writer, bundled)
    # fastavro raises whatever the bytes lead to.
    except Exception:  # noqa: BLE001
        raise Unreadable("it is not Avro of its schema") from None
    if buffer.read(1):
        raise Unreadable("it is longer than its schema says")
    return value


@lru_cache
def _bundled(event_type: str):
    return fastavro.parse_schema(json.loads((files(__package__) / "schemas" / SCHEMAS[event_type]).read_text()))


@lru_cache(_MAX_SCHEMAS)
def _of_writer(schema: str, name: str):
    """Parses a schema. One of another record is no property of the record that is read, which must not be skipped."""
    try:
        parsed = fastavro.parse_schema(json.loads(schema))
    # fastavro raises whatever the schema leads to.
    except Exception:  # noqa: BLE001
        parsed = None
    if not isinstance(parsed, dict) or parsed.get("name") != name:
        raise SchemaUnavailable(
            f"the schema of the writer is not an Avro schema of {name}; check that the registry is that of the topic"
        )
    return parsed
