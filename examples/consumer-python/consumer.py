"""A consumer of the events: keeps the latest status of every profile and says what it did with each record.

    pip install --require-hashes -r requirements.txt
    KAFKA_BOOTSTRAP_SERVERS=localhost:9092 KAFKA_GROUP_ID=profile-view python consumer.py

KAFKA_TOPIC is trusthub.profile-status-changed unless set. Needs Python 3.11 or newer. The rules that it follows stand
in docs/events.md, and in view.py as code; this file only carries records from Kafka to them.
"""

import json
import os
import signal
import sys

from confluent_kafka import Consumer

from view import Record, Skipped, View

# How soon a request to stop is noticed when no record comes.
PATIENCE_SECONDS = 0.2


def main():
    stop = asked_to_stop()
    consumer = subscribe()
    view = View()
    try:
        while not stop:
            message = consumer.poll(PATIENCE_SECONDS)
            if message is None:
                continue
            if message.error():
                complain(message.error())  # the client reconnects by itself
                continue
            report(message, view.apply(record(message)))
            # Only now: what is read but not applied must come again after a crash. If this commit is lost, the event
            # comes again as well, and the view that has it recognises its ce_id.
            consumer.commit(message, asynchronous=True)
    finally:
        consumer.close()


def subscribe():
    """A member of a consumer group that commits nothing by itself."""
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


def asked_to_stop():
    """A list that is empty until SIGTERM or SIGINT puts itself there."""
    signals = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: signals.append(received))
    return signals


def record(message):
    headers = dict(reversed(message.headers() or []))  # of repeated headers the first counts
    ce_id, ce_type, ce_time = (text(headers.get(name)) for name in ("ce_id", "ce_type", "ce_time"))
    return Record(ce_id, ce_type, ce_time, message.value())


def text(header):
    try:
        return None if header is None else header.decode()
    except UnicodeDecodeError:
        return None


def report(message, decision):
    """One JSON line on stdout for every record; one more on stderr for a record that somebody should look at."""
    print(json.dumps(decision.outcome()), flush=True)
    if isinstance(decision, Skipped) and decision.complaint:
        place = f"{message.topic()}[{message.partition()}]@{message.offset()}"
        complain(f"skipped: the record at {place} {decision.complaint}")


def complain(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
