"""A consumer of the events: keeps the latest status of every profile and prints its decision about each record.

README.md says how to run it. The package trusthub-events has the rules; this file only passes records from Kafka to them.
"""

import json
import os
import signal
import sys
from functools import lru_cache
from urllib.request import urlopen

from confluent_kafka import Consumer

from trusthub_events import Record, Skipped, View

# What a Kafka with authentication needs.
SECURITY = {
    "KAFKA_SECURITY_PROTOCOL": "security.protocol",
    "KAFKA_SASL_MECHANISM": "sasl.mechanism",
    "KAFKA_SASL_USERNAME": "sasl.username",
    "KAFKA_SASL_PASSWORD": "sasl.password",
    "KAFKA_SSL_CA_LOCATION": "ssl.ca.location",
}

# How soon a signal is noticed while no record arrives.
POLL_SECONDS = 0.2

REGISTRY_SECONDS = 10


def main():
    signals = received_signals()
    consumer = subscribe()
    # In memory, and so empty at each start: docs/consume/offsets.md says where a real consumer keeps it.
    view = View(writer_schema())
    try:
        while not signals:
            message = consumer.poll(POLL_SECONDS)
            if message is None:
                continue
            if message.error():
                log(message.error())  # the client reconnects automatically
                continue
            report(message, view.apply(Record(message.headers(), message.value())))
            # Only after the record is applied: otherwise a crash would lose it. If this commit is lost, the event
            # is read again, and a view that has it recognizes its ce_id.
            consumer.commit(message, asynchronous=True)
    finally:
        consumer.close()


def subscribe():
    """Joins the consumer group, without automatic commits."""
    consumer = Consumer(
        {
            "bootstrap.servers": required("KAFKA_BOOTSTRAP_SERVERS"),
            "group.id": required("KAFKA_GROUP_ID"),
            "enable.auto.commit": False,
            # A new group reads the whole history, from which the view is built.
            "auto.offset.reset": "earliest",
        }
        | {setting: os.environ[name] for name, setting in SECURITY.items() if name in os.environ}
    )
    consumer.subscribe([os.environ.get("KAFKA_TOPIC", "trusthub.profile-status-changed")])
    return consumer


def writer_schema():
    """The function that asks the schema registry for the schemas of records in Avro, each once."""
    registry = os.environ.get("SCHEMA_REGISTRY_URL", "").rstrip("/")

    @lru_cache
    def schema(schema_id):
        with urlopen(f"{registry}/schemas/ids/{schema_id}", timeout=REGISTRY_SECONDS) as response:
            return json.load(response)["schema"]

    # Without it, a record in Avro ends the program, which continues there at its next start.
    return schema if registry else None


def required(variable):
    return os.environ.get(variable) or sys.exit(f"{variable} is required")


def received_signals():
    """A list that is empty until the process receives SIGTERM or SIGINT."""
    signals = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: signals.append(received))
    return signals


def report(message, decision):
    """Prints one JSON line for every record, and one line to stderr for a record that an operator should check."""
    print(json.dumps(decision.outcome()), flush=True)
    if isinstance(decision, Skipped) and decision.problem:
        position = f"{message.topic()}[{message.partition()}]@{message.offset()}"
        log(f"skipped: the record at {position} {decision.problem}")


def log(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
