"""Encodes values with one Avro schema and decodes them with another: {"writer": …, "reader": …, "values": […]} on stdin becomes
the list of the decoded values on stdout."""

import io
import json
import sys

import fastavro

given = json.load(sys.stdin)
writer, reader = (fastavro.parse_schema(given[name]) for name in ("writer", "reader"))


def decoded(value):
    buffer = io.BytesIO()
    # Strict: a field that is missing although it has a default is an error, and so is one that the schema does not have.
    fastavro.schemaless_writer(buffer, writer, value, strict=True)
    buffer.seek(0)
    return fastavro.schemaless_reader(buffer, writer, reader)


print(json.dumps([decoded(value) for value in given["values"]]))
