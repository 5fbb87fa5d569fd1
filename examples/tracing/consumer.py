"""A consumer that continues the trace of each event: its span is a child of the one with which the service published it.

README.md says how to run it. `process` is where your own work belongs.
"""

import json
import os
import signal
import sys

from confluent_kafka import Consumer
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

# How soon a signal is noticed while no record arrives.
POLL_SECONDS = 0.2

TEXT_HEADERS = ("ce_id", "traceparent", "tracestate")

SCHEMA_URL = "https://opentelemetry.io/schemas/1.45.0"


def main():
    signals = received_signals()
    provider = TracerProvider()  # its resource and its sampler come from the variables OTEL_…
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    tracer = provider.get_tracer("example.traced-consumer", schema_url=SCHEMA_URL)
    group = required("KAFKA_GROUP_ID")
    consumer = Consumer(
        {
            "bootstrap.servers": required("KAFKA_BOOTSTRAP_SERVERS"),
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([os.environ.get("KAFKA_TOPIC", "trusthub.profile-status-changed")])
    try:
        while not signals:
            message = consumer.poll(POLL_SECONDS)
            if message is None:
                continue
            if message.error():
                print(message.error(), file=sys.stderr, flush=True)  # the client reconnects automatically
                continue
            handle(tracer, group, message)
            consumer.commit(message, asynchronous=True)
    finally:
        consumer.close()
        provider.shutdown()


def handle(tracer, group, message):
    """Processes one record in a span that continues its trace, and is linked to the span that created the record."""
    # Not all headers are text: `__value_schema_id` is a number.
    headers = {name: value.decode() for name, value in message.headers() or [] if name in TEXT_HEADERS and value}
    context = TraceContextTextMapPropagator().extract(headers)
    created = get_current_span(context).get_span_context()
    with tracer.start_as_current_span(
        f"process {message.topic()}",
        context=context,
        kind=SpanKind.CONSUMER,
        links=[Link(created)] if created.is_valid else [],
        attributes={
            "messaging.system.name": "kafka",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": message.topic(),
            "messaging.destination.partition.id": str(message.partition()),
            "messaging.consumer.group.name": group,
            "kafka.offset": message.offset(),
            "cloudevents.event_id": headers.get("ce_id", ""),
        },
    ):
        process(headers, message)


def process(headers, message):
    """Prints what arrived. A span that is started here is a child of that of `handle`."""
    trace_id = format(trace.get_current_span().get_span_context().trace_id, "032x")
    print(json.dumps({"ce_id": headers.get("ce_id"), "trace_id": trace_id}), flush=True)


def required(variable):
    return os.environ.get(variable) or sys.exit(f"{variable} is required")


def received_signals():
    """A list that is empty until the process receives SIGTERM or SIGINT."""
    signals = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: signals.append(received))
    return signals


if __name__ == "__main__":
    main()
