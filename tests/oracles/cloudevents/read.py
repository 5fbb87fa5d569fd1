"""Reads records with the Python SDK of CloudEvents: packages/testdata/records.json on stdin becomes a list of what it reads."""

import base64
import json
import sys
from datetime import UTC

from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, from_structured
from cloudevents.core.formats.json import JSONFormat


def read(record):
    headers = {name: base64.b64decode(value) for name, value in record["headers"]}
    message = KafkaMessage(headers, None, base64.b64decode(record["value"]))
    is_structured = headers["content-type"].startswith(b"application/cloudevents")
    event = (from_structured if is_structured else from_binary)(message, JSONFormat())
    time = event.get_time().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "id": event.get_id(),
        "type": event.get_type(),
        "source": event.get_source(),
        "subject": event.get_subject(),
        "time": time,
        "data": event.get_data(),
    }


print(json.dumps([read(record) for record in json.load(sys.stdin)]))
