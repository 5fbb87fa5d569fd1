"""Reads the states of all profiles as a table, and prints each as a line of JSON.

    pip install --require-hashes -r requirements.txt
    KAFKA_BOOTSTRAP_SERVERS=localhost:9092 python table.py

KAFKA_PROFILES_TOPIC is trusthub.profiles unless set. The states must be JSON, as the service writes them by default.
docs/events.md explains the topic.
"""

import os
import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition


def main():
    for state in read_table(os.environ.get("KAFKA_PROFILES_TOPIC", "trusthub.profiles")).values():
        print(state.decode())


def read_table(topic):
    """The last value of each key, up to the present end of the topic."""
    consumer = Consumer(
        {
            "bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"],
            "group.id": "profile-table",  # required, but nothing is committed
            "enable.auto.commit": False,
            "isolation.level": "read_committed",  # states are written in transactions
            "enable.partition.eof": True,
        }
    )
    partitions = set(consumer.list_topics(topic, timeout=30).topics[topic].partitions)
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
    states = {}
    while partitions:
        message = consumer.poll()
        if message.error():
            if message.error().code() != KafkaError._PARTITION_EOF:
                raise KafkaException(message.error())
            partitions.discard(message.partition())
        elif message.value() is None:  # the profile was deleted
            states.pop(message.key(), None)
        elif message.value().startswith(b"\0"):  # no JSON begins like this
            sys.exit("a state is Avro: this program needs KAFKA_VALUE_FORMAT=json")
        else:
            states[message.key()] = message.value()
    consumer.close()
    return states


if __name__ == "__main__":
    main()
