"""Reads Avro with fastavro."""

import io
import json
from functools import lru_cache
from importlib.resources import files

try:
    import fastavro
except ImportError as error:
    raise ImportError("a record is Avro: install trusthub-events[avro]") from error

from .errors import Unreadable
from .types import SCHEMAS

# More schemas than a topic has.
_MAX_SCHEMAS = 256


def read_avro(event_type: str, encoded: bytes, writer_schema: str | None) -> object:
    """Returns the value as parsed JSON has it. A field that the writer did not have gets its default."""
    bundled = _bundled(event_type)
    writer = _parsed(writer_schema) if writer_schema else bundled
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
def _parsed(schema: str):
    return fastavro.parse_schema(json.loads(schema))
