"""Keeps the table trust_hub_profiles in PostgreSQL equal to the state topic.

    psql "$DATABASE_URL" --file schema.sql
    pip install --require-hashes --requirement requirements.txt
    KAFKA_BOOTSTRAP_SERVERS=localhost:9092 DATABASE_URL=postgresql://localhost/trusthub python sink.py

`python sink.py rebuild` makes the sinks read the topic again from the beginning, and exits. README.md lists the
settings and says what the table guarantees. Needs Python 3.11 or newer.
"""

import os
import signal
import struct
import sys
import time
import uuid

import psycopg
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient
from psycopg.conninfo import conninfo_to_dict

from database import UNAVAILABLE, Batch, Database, OtherTopic, Place, Superseded
from state_row import Unusable, is_avro, profile_sid, row

# How soon a signal is noticed while no record arrives.
POLL_SECONDS = 0.2
# A transaction has at most this many records, and about as many bytes.
BATCH_RECORDS = 1_000
BATCH_BYTES = 8_000_000
# How often the sink notes that it is at the end of a partition.
IDLE_SECONDS = 60
# The client repeats an error with each of its attempts to reconnect, up to 20 times a second.
SECONDS_BETWEEN_REPORTS = 10
KAFKA_TIMEOUT = 10
NO_ID = uuid.UUID(int=0)
FIRST_DELAY, LONGEST_DELAY = 0.2, 10


class Failure(Exception):
    """Only an operator can help. The message says how."""


class Signals:
    """Becomes true when the process receives SIGTERM or SIGINT."""

    def __init__(self):
        self.received = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.receive)

    def receive(self, _number, _frame):
        self.received = True

    def __bool__(self):
        return self.received


class Topic:
    """The state topic, as its brokers describe it."""

    def __init__(self, properties, name):
        self.name = name
        self.admin = AdminClient(properties)

    def describe(self):
        """The id of the topic and its partitions."""
        metadata = self.admin.list_topics(self.name, timeout=KAFKA_TIMEOUT)
        topic = metadata.topics[self.name]
        if topic.error:
            raise KafkaException(topic.error)
        # The Kafka in `trusthub-bridge dev` has no ids, and no controller that could tell them.
        if (metadata.cluster_id or "").startswith("mockCluster"):
            return NO_ID, list(topic.partitions)
        answers = self.admin.describe_topics(TopicCollection([self.name]), request_timeout=KAFKA_TIMEOUT)
        topic_id = answers[self.name].result().topic_id
        halves = topic_id.get_most_significant_bits(), topic_id.get_least_significant_bits()
        return uuid.UUID(bytes=struct.pack(">qq", *halves)), list(topic.partitions)


class Sink:
    def __init__(self, properties, topic, group, database):
        self.topic = topic
        self.topic_id = None
        self.database = database
        self.assigned = []
        # Where each assigned partition is; None if PostgreSQL has to be asked first.
        self.places = None
        self.at_end = set()
        # When each partition was last stored.
        self.stored_at = {}
        self.reported_at = float("-inf")
        self.consumer = Consumer(
            {
                **properties,
                "group.id": group,
                # States are written in transactions.
                "isolation.level": "read_committed",
                # The offsets are in PostgreSQL. Those in Kafka only show monitoring tools how far the sink is.
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                # An offset that Kafka does not have must not be skipped silently.
                "auto.offset.reset": "error",
                # Limits the memory for records that were fetched ahead.
                "queued.max.messages.kbytes": 16_384,
                # By default, reaching that limit would pause the sink for a second.
                "fetch.queue.backoff.ms": 5,
                "error_cb": self.report,
            }
        )
        self.consumer.subscribe([topic.name], on_assign=self.assign, on_revoke=self.revoke, on_lost=self.revoke)

    def run(self, signals):
        """Works until a signal arrives. Waits for Kafka and PostgreSQL if they are not available."""
        delay = FIRST_DELAY
        while not signals:
            try:
                self.turn()
                delay = FIRST_DELAY
            except (*UNAVAILABLE, KafkaException) as error:
                log(f"trying again in {delay:.1f} s: {one_line(error)}")
                self.start_over()
                wait(delay, signals)
                delay = min(2 * delay, LONGEST_DELAY)

    def close(self):
        self.consumer.close()
        self.database.close()

    def turn(self):
        """Writes what has arrived."""
        if self.places is None and self.assigned:
            self.place()
        batch = self.collect()
        if self.places is None:
            return  # the partitions were taken away while the batch was collected
        for partition in self.at_end:
            if partition not in batch.next and time.monotonic() - self.stored_at[partition] > IDLE_SECONDS:
                self.advance(batch, partition, self.places[partition].next)
        if batch.known:
            self.store(batch)

    def assign(self, consumer, partitions):
        # Nothing is fetched before PostgreSQL has told the offsets.
        consumer.assign([])
        self.assigned = [partition.partition for partition in partitions]
        self.places = None

    def revoke(self, consumer, _partitions):
        consumer.unassign()
        self.assigned = []
        self.places = None

    def start_over(self):
        """Forgets what was read and not stored. The next turn continues where PostgreSQL says."""
        self.database.close()
        self.places = None

    def place(self):
        """Continues in each partition at the offset in PostgreSQL."""
        self.topic_id, _ = self.topic.describe()
        try:
            places = self.database.places(self.topic_id, self.assigned)
        except OtherTopic:
            raise Failure(
                f"The topic {self.topic.name} is not the one that the table was read from: it was created again, or "
                "KAFKA_PROFILES_TOPIC or DATABASE_URL is another one. If they are right, run `python sink.py rebuild`."
            ) from None
        starts = []
        for partition, place in sorted(places.items()):
            first, end = self.consumer.get_watermark_offsets(
                TopicPartition(self.topic.name, partition), timeout=KAFKA_TIMEOUT
            )
            if place.next > end:
                raise Failure(
                    f"Partition {partition} of {self.topic.name} ends at offset {end}, and the table has read it up to "
                    f"{place.next}: Kafka has lost records. Run `python sink.py rebuild`."
                )
            if 0 < place.next < first or (place.is_stale and place.next < end):
                log(f"partition {partition}: Kafka may have removed tombstones; reading it again from the beginning")
                self.database.rebuild_partition(partition)
                places[partition] = place = Place(0, False)
            log(f"partition {partition}: continuing at offset {place.next}")
            starts.append(TopicPartition(self.topic.name, partition, max(place.next, first)))
        self.consumer.assign(starts)
        self.places, self.at_end = places, set()

    def collect(self):
        """The records that have arrived, up to the size of a batch."""
        batch, records, size = Batch(), 0, 0
        while records < BATCH_RECORDS and size < BATCH_BYTES:
            message = self.consumer.poll(0 if records else POLL_SECONDS)
            if message is None:
                break
            self.handle(message, batch)
            if self.places is None:
                break
            records, size = records + 1, size + len(message)
        return batch

    def handle(self, message, batch):
        error = message.error()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            self.report(error)
        elif self.places is None:
            pass  # this partition has been taken away
        elif error is not None:
            self.end(message, batch)
        else:
            self.take(message, batch)

    def report(self, error):
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            self.places = None  # finds out why Kafka does not have the offset
        elif error.fatal():
            raise Failure(f"The Kafka client failed: {one_line(error)}")
        elif time.monotonic() - self.reported_at > SECONDS_BETWEEN_REPORTS:
            self.reported_at = time.monotonic()
            log(f"Kafka: {one_line(error)}")  # the client reconnects automatically

    def advance(self, batch, partition, offset):
        batch.known.setdefault(partition, self.places[partition])
        batch.next[partition] = offset

    def end(self, message, batch):
        """Takes the end of a partition, which may be behind the last record: markers of transactions have offsets."""
        partition = message.partition()
        self.at_end.add(partition)
        self.advance(batch, partition, message.offset())
        if not self.places[partition].is_complete:
            batch.completed.add(partition)

    def take(self, message, batch):
        partition, offset = message.partition(), message.offset()
        self.at_end.discard(partition)
        self.advance(batch, partition, offset + 1)
        position = f"{self.topic.name}[{partition}]@{offset}"
        sid = None
        try:
            sid = profile_sid(message.key())
            columns = None if message.value() is None else self.columns(message, position)
        except Unusable as error:
            log(f"skipped: the record at {position} {one_line(error)}")
            if sid is not None:
                batch.kept.add((partition, sid))
            return
        if columns is not None:
            _, milliseconds = message.timestamp()
            place = {"sid": sid, "partition": partition, "offset": offset, "written_at": milliseconds / 1_000}
            columns |= place
        batch.rows[partition, sid] = columns

    def columns(self, message, position):
        if is_avro(message.value(), header(message, "content-type")):
            # Skipping it would lose the states of all profiles.
            raise Failure(
                f"The record at {position} is Avro, and this sink reads JSON. README.md says how to get a topic with "
                "states in JSON."
            )
        return row(message.value(), header(message, "ce_type"))

    def store(self, batch):
        try:
            refused = self.database.store(self.topic_id, batch)
        except Superseded:
            log("another sink has written these records, or a rebuild has begun")
            self.places = None
            return
        for (partition, sid), reason in refused.items():
            offset = batch.rows[partition, sid]["offset"]
            log(f"skipped: PostgreSQL refuses the record at {self.topic.name}[{partition}]@{offset}: {reason}")
        for partition, offset in batch.next.items():
            self.places[partition] = Place(offset, self.places[partition].is_complete or partition in batch.completed)
        for partition in batch.completed:
            log(f"partition {partition}: the table has all states up to offset {batch.next[partition]}")
        self.stored_at |= dict.fromkeys(batch.next, time.monotonic())
        positions = [TopicPartition(self.topic.name, partition, offset) for partition, offset in batch.next.items()]
        self.consumer.commit(offsets=positions, asynchronous=True)


def header(message, name):
    """The first header of this name as text; empty if there is none."""
    headers = dict(reversed(message.headers() or []))
    return (headers.get(name) or b"").decode(errors="replace")


def wait(seconds, signals):
    deadline = time.monotonic() + seconds
    while not signals and time.monotonic() < deadline:
        time.sleep(0.05)


def one_line(error):
    """The message of an error on one line, with other control characters escaped."""
    if isinstance(error, KafkaException):
        error = error.args[0]
    message = error.str() if isinstance(error, KafkaError) else str(error)
    text = " ".join(message.split())
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def log(text):
    print(text, file=sys.stderr, flush=True)


def required(variable, example):
    return os.environ.get(variable) or sys.exit(f"{variable} is required, for example {variable}={example}")


def database_url():
    url = required("DATABASE_URL", "postgresql://sink@localhost/trusthub")
    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError:  # the message may contain the password
        sys.exit("DATABASE_URL is not a URL of PostgreSQL, such as postgresql://sink@localhost/trusthub")
    return url


def properties():
    """The settings of the Kafka client: KAFKA_PROPERTIES is written as for trusthub-bridge."""
    pairs = [pair.partition("=") for pair in os.environ.get("KAFKA_PROPERTIES", "").split(";") if pair.strip()]
    if not all(separator for _, separator, _ in pairs):
        sys.exit("KAFKA_PROPERTIES must be key=value;key=value, such as security.protocol=SSL")
    return {
        "log_level": "2",  # errors are reported by this program
        **{key.strip(): value.strip() for key, _, value in pairs},
        "bootstrap.servers": required("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"),
    }


def main(arguments):
    signals = Signals()
    settings = properties()
    database = Database(database_url())
    topic = Topic(settings, os.environ.get("KAFKA_PROFILES_TOPIC") or "trusthub.profiles")
    if arguments == ["rebuild"]:
        topic_id, partitions = topic.describe()
        database.rebuild(topic_id, partitions)
        log(f"the sinks will read {len(partitions)} partitions of {topic.name} from the beginning")
        return
    if arguments:
        sys.exit("usage: sink.py [rebuild]")
    sink = Sink(settings, topic, os.environ.get("KAFKA_GROUP_ID") or "trust-hub-profiles-postgresql", database)
    try:
        sink.run(signals)
    finally:
        sink.close()


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except psycopg.errors.UndefinedTable:
        sys.exit('The tables are missing: run `psql "$DATABASE_URL" --file schema.sql`.')
    except (Failure, psycopg.Error, KafkaException) as error:
        sys.exit(one_line(error))
