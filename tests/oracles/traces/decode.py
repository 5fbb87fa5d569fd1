"""Decodes an export request in Protocol Buffers with the official definitions, and prints it in OTLP's JSON.

The ids are bytes, for which OTLP's JSON has hexadecimal digits, unlike the JSON of Protocol Buffers.
"""

import base64
import json
import sys

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

IDS = ("traceId", "spanId", "parentSpanId")


def with_hexadecimal_ids(value):
    if isinstance(value, list):
        return [with_hexadecimal_ids(item) for item in value]
    if isinstance(value, dict):
        return {
            name: base64.b64decode(item).hex() if name in IDS else with_hexadecimal_ids(item)
            for name, item in value.items()
        }
    return value


request = ExportTraceServiceRequest()
request.ParseFromString(sys.stdin.buffer.read())
json.dump(with_hexadecimal_ids(MessageToDict(request, use_integers_for_enums=True)), sys.stdout)
