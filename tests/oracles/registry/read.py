"""Reads a topic as consumers do: with the deserializers of confluent-kafka, with fastavro, and with the SDK of CloudEvents.

read.py BROKERS TOPIC REGISTRY COUNT waits for that many records, and prints one JSON object for each: what every reader reads,
or its error."""

import io
import json
import struct
import sys

import fastavro
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event
from confluent_kafka import Consumer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

brokers, topic, url, count = sys.argv[1:]
registry = SchemaRegistryClient({"url": url})
json_deserializer = JSONDeserializer(None, schema_registry_client=registry)
avro_deserializer = AvroDeserializer(registry)


def confluent(deserializer):
    return lambda record: deserializer(
        record.value(), SerializationContext(record.topic(), MessageField.VALUE, record.headers())
    )


def with_fastavro(record):
    magic, schema_id = struct.unpack(">bI", record.value()[:5])
    if magic != 0:
        raise ValueError("no magic byte")
    schema = fastavro.parse_schema(json.loads(registry.get_schema(schema_id).schema_str))
    rest = io.BytesIO(record.value()[5:])
    value = fastavro.schemaless_reader(rest, schema)
    if rest.read():
        raise ValueError("more bytes than the value")
    return value


def cloud_event(record):
    # The SDK reads every header as text, which the id of a schema is not.
    headers = {name: value for name, value in record.headers() if name != "__value_schema_id"}
    event = from_kafka_event(KafkaMessage(headers=headers, key=record.key(), value=record.value()))
    attributes = {name: str(value) for name, value in event.get_attributes().items()}
    return {"attributes": attributes, "time": event.get_time().isoformat(), "data": event.get_data()}


READERS = {
    "json": confluent(json_deserializer),
    "avro": confluent(avro_deserializer),
    "fastavro": with_fastavro,
    "cloudevents": cloud_event,
}


def read(record):
    results = {}
    for name, reader in READERS.items():
        try:
            results[name] = reader(record)
        except Exception as error:  # What a reader cannot read is a result as well.
            results[name] = {"error": f"{type(error).__name__}: {error}"}
    return results


consumer = Consumer({"bootstrap.servers": brokers, "group.id": f"read-{topic}", "auto.offset.reset": "earliest"})
consumer.subscribe([topic])
left = int(count)
while left > 0:
    record = consumer.poll(60)
    if record is None or record.error():
        sys.exit(f"no record of {topic}: {record and record.error()}")
    # Bytes are what the SDK leaves of data that is not JSON.
    print(json.dumps(read(record), default=lambda value: value.hex()))
    left -= 1
consumer.close()
