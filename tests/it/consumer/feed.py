"""Applies the rules of the Python package to records without Kafka.

For every line on stdin, a JSON array of the records of one partition, it prints one line: the array of decisions.
"""

import json
import sys

from trusthub_events import Record, View


def record(fields):
    headers = ((name, fields[name]) for name in ("ce_type", "ce_id", "ce_time"))
    value = fields["value"]
    pairs = [(name, text.encode()) for name, text in headers if text is not None]
    return Record(pairs, None if value is None else value.encode())


for line in sys.stdin:
    view = View()
    print(json.dumps([view.apply(record(fields)).outcome() for fields in json.loads(line)]), flush=True)
