"""A consumer of the events: keeps the latest status of every profile and prints its decision about each record.

    pip install --require-hashes -r requirements.txt
    KAFKA_BOOTSTRAP_SERVERS=localhost:9092 KAFKA_GROUP_ID=profile-view python consumer.py

KAFKA_TOPIC is trusthub.profile-status-changed unless set. Needs Python 3.11 or newer. docs/events.md explains the rules
and view.py implements them; this file only passes records from Kafka to them.
"""

import json
import os
import signal
import sys

from confluent_kafka import Consumer

from view import Record, Skipped, View

# How soon a signal is noticed while no record arrives.
POLL_SECONDS = 0.2


def main():
    signals = received_signals()
    consumer = subscribe()
    view = View()
    try:
        while not signals:
            message = consumer.poll(POLL_SECONDS)
            if message is None:
                continue
            if message.error():
                log(message.error())  # the client reconnects automatically
                continue
            report(message, view.apply(record(message)))
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
    )
    consumer.subscribe([os.environ.get("KAFKA_TOPIC", "trusthub.profile-status-changed")])
    return consumer


def required(variable):
    return os.environ.get(variable) or sys.exit(f"{variable} is required")


def received_signals():
    """A list that is empty until the process receives SIGTERM or SIGINT."""
    signals = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: signals.append(received))
    return signals


def record(message):
    headers = dict(reversed(message.headers() or []))  # the first of repeated headers counts
    ce_id, ce_type, ce_time = (text(headers.get(name)) for name in ("ce_id", "ce_type", "ce_time"))
    return Record(ce_id, ce_type, ce_time, message.value())


def text(header):
    try:
        return None if header is None else header.decode()
    except UnicodeDecodeError:
        return None


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
