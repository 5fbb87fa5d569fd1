"""Applies the rules of the Python package to records without Kafka.

For every line on stdin, a JSON array of the records of one partition, it prints one line: the array of decisions. Headers and
values are in base64. The variable SCHEMAS has the Avro schemas of the writers, by id.
"""

import base64
import json
import os
import sys

from trusthub_events import Record, View

SCHEMAS = json.loads(os.environ["SCHEMAS"])


def record(fields):
    headers = [(name, base64.b64decode(value)) for name, value in fields["headers"]]
    value = fields["value"]
    return Record(headers, None if value is None else base64.b64decode(value))


for line in sys.stdin:
    view = View(lambda id: SCHEMAS[str(id)])
    print(json.dumps([view.apply(record(fields)).outcome() for fields in json.loads(line)]), flush=True)
