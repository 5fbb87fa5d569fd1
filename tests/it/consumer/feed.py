"""Applies the rules of the Python example to records without Kafka.

For every line on stdin, a JSON array of the records of one partition, it prints one line: the array of decisions.
"""

import json
import sys

from view import Record, View


def record(fields):
    value = fields["value"]
    return Record(**{**fields, "value": None if value is None else value.encode()})


for line in sys.stdin:
    view = View()
    print(json.dumps([view.apply(record(fields)).outcome() for fields in json.loads(line)]), flush=True)
