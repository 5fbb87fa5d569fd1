"""The tables in PostgreSQL: the states of a batch and the offsets after it are written in one transaction."""

from dataclasses import dataclass, field

import psycopg
from psycopg import errors
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb

# After this time without reading, tombstones may be missing: Kafka removes them after delete.retention.ms, which is 24
# hours unless the topic has another value. Half of it allows for the time that reading takes.
STALE_AFTER = "12 hours"

# A sink that is suspended within a transaction holds locks that its successor needs. PostgreSQL ends the transaction,
# whether it waits for a statement or for the rest of one. So that it can, no statements are pipelined: between those,
# neither limit applies.
SESSION = """
    SET idle_in_transaction_session_timeout = '10s';
    SET statement_timeout = '30s';
    SET lock_timeout = '20s';
"""

# For statements that may change every row. They are short, so that a suspended sink has always sent them in full.
NO_LIMIT = "SET LOCAL statement_timeout = 0"

CLAIM = """
    INSERT INTO trust_hub_offsets (partition, topic_id) SELECT unnest(%s::integer[]), %s ON CONFLICT DO NOTHING
"""

# An offset changes only from the value that this sink knows. So of two sinks that have read the same records, only one
# can write them; the transaction of the other one has no effect.
ADVANCE = """
    UPDATE trust_hub_offsets AS place SET next_offset = batch.next, read_at = now()
    FROM jsonb_to_recordset(%s) AS batch (partition integer, known bigint, is_complete boolean, next bigint)
    WHERE place.partition = batch.partition AND place.topic_id = %s
        AND place.next_offset = batch.known AND place.complete = batch.is_complete
"""

# After partitions were added to the topic, a profile may be in two of them for a moment. The record that was written
# later counts, and then the tombstone of the former partition changes nothing.
UPSERT = """
    INSERT INTO trust_hub_profiles AS present (
        sid, account_sid, resource, status, raw_status, since, previous_status, valid_until, failure_reason,
        error_codes, name, type, changes, rejections, updated_at, source_partition, source_offset, written_at, state
    )
    SELECT DISTINCT ON (sid)
        sid, account_sid, resource, status, raw_status, since, previous_status, valid_until, failure_reason,
        error_codes, name, type, changes, rejections, updated_at, "partition", "offset", to_timestamp(written_at), state
    FROM jsonb_to_recordset(%s) AS batch (
        sid text, account_sid text, resource text, status text, raw_status text, since timestamptz,
        previous_status text, valid_until timestamptz, failure_reason text, error_codes integer[], name text,
        type text, changes bigint, rejections bigint, updated_at timestamptz, "partition" integer, "offset" bigint,
        written_at double precision, state jsonb
    )
    ORDER BY sid, written_at DESC
    ON CONFLICT (sid) DO UPDATE SET
        account_sid = excluded.account_sid, resource = excluded.resource, status = excluded.status,
        raw_status = excluded.raw_status, since = excluded.since, previous_status = excluded.previous_status,
        valid_until = excluded.valid_until, failure_reason = excluded.failure_reason,
        error_codes = excluded.error_codes, name = excluded.name, type = excluded.type, changes = excluded.changes,
        rejections = excluded.rejections, updated_at = excluded.updated_at,
        source_partition = excluded.source_partition, source_offset = excluded.source_offset,
        written_at = excluded.written_at, state = excluded.state
    WHERE present.source_partition IS NULL OR present.source_partition = excluded.source_partition
        OR present.written_at <= excluded.written_at
"""

DELETE = """
    DELETE FROM trust_hub_profiles AS present
    USING jsonb_to_recordset(%s) AS batch (sid text, "partition" integer)
    WHERE present.sid = batch.sid AND present.source_partition = batch."partition"
"""

# A record that was skipped leaves the row of its profile as it is, also at the end of a rebuild.
KEEP = """
    UPDATE trust_hub_profiles AS present SET source_partition = batch."partition"
    FROM jsonb_to_recordset(%s) AS batch (sid text, "partition" integer)
    WHERE present.sid = batch.sid AND present.source_partition IS NULL
"""

# Errors that one record causes, and that it would cause again. Everything else has to do with the server.
REFUSED = psycopg.DataError, psycopg.IntegrityError, errors.ProgramLimitExceeded, errors.StatementTooComplex

# Errors that waiting can cure.
UNAVAILABLE = psycopg.OperationalError, psycopg.InternalError, psycopg.InterfaceError

# The number of a lock that only the ends of rebuilds take.
REBUILD_LOCK = 7_483_920_416


class Superseded(Exception):
    """Another sink or a rebuild has changed the offset of a partition. What was read since must be forgotten."""


class OtherTopic(Exception):
    """The table was read from another topic."""


@dataclass(frozen=True)
class Place:
    """How far a partition was read."""

    next: int
    is_complete: bool
    is_stale: bool = False  # tombstones may be missing


@dataclass
class Batch:
    """Changes that are written in one transaction."""

    # The last record of each profile in each partition; None is a tombstone.
    rows: dict = field(default_factory=dict)
    # The partition and the profile of each record that was skipped.
    kept: set = field(default_factory=set)
    # By partition, the place before the batch and the offset after it.
    known: dict = field(default_factory=dict)
    next: dict = field(default_factory=dict)
    # The partitions that this batch reads to their end for the first time.
    completed: set = field(default_factory=set)


class Database:
    """A connection that is made when it is needed. It must be closed after an error of the server."""

    def __init__(self, url):
        self.url = url
        self.connection = None

    def connect(self):
        if self.connection is None:
            connection = psycopg.connect(self.url, autocommit=True, connect_timeout=10, row_factory=namedtuple_row)
            connection.execute(SESSION)
            self.connection = connection
        return self.connection

    def close(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def places(self, topic_id, partitions):
        """Where to continue in these partitions of a topic."""
        connection = self.connect()
        with connection.transaction():
            if connection.execute("SELECT FROM trust_hub_offsets WHERE topic_id <> %s", [topic_id]).rowcount:
                raise OtherTopic
            connection.execute(CLAIM, [list(partitions), topic_id])
            rows = connection.execute(
                "SELECT partition, next_offset, complete, read_at < now() - %s::interval AS is_stale "
                "FROM trust_hub_offsets WHERE partition = ANY(%s)",
                [STALE_AFTER, list(partitions)],
            ).fetchall()
        return {row.partition: Place(row.next_offset, row.complete, row.is_stale) for row in rows}

    def store(self, topic_id, batch):
        """Writes a batch, or nothing. Returns the records that PostgreSQL refuses, with the reason."""
        try:
            self._transact(topic_id, batch, self._write_all)
            return {}
        except REFUSED:
            refused = {}
            self._transact(topic_id, batch, lambda rows: refused.update(self._write_each(rows)))
            return refused

    def _transact(self, topic_id, batch, write):
        connection = self.connect()
        with connection.transaction():
            if batch.completed:
                # Of two sinks that complete the last partitions, the second one must see what the first one did.
                connection.execute("SELECT pg_advisory_xact_lock(%s)", [REBUILD_LOCK])
            self._advance(topic_id, batch)
            self._keep(batch.kept)
            write(batch.rows)
            if batch.completed:
                self._complete(batch.completed)

    def _advance(self, topic_id, batch):
        places = [
            {
                "partition": partition,
                "known": place.next,
                "is_complete": place.is_complete,
                "next": batch.next[partition],
            }
            for partition, place in batch.known.items()
        ]
        if self.connect().execute(ADVANCE, [Jsonb(places), topic_id]).rowcount != len(places):
            raise Superseded

    def _keep(self, keys):
        if keys:
            self.connect().execute(KEEP, [Jsonb([{"partition": partition, "sid": sid} for partition, sid in keys])])

    def _write_all(self, rows):
        deleted = [{"partition": partition, "sid": sid} for (partition, sid), row in rows.items() if row is None]
        written = [row for row in rows.values() if row is not None]
        for statement, records in ((DELETE, deleted), (UPSERT, written)):
            if records:
                self.connect().execute(statement, [Jsonb(records)])

    def _write_each(self, rows):
        """Yields the keys of the records that PostgreSQL refuses, and the reason. They keep the state they had."""
        for key, row in rows.items():
            try:
                with self.connect().transaction():
                    self._write_all({key: row})
            except REFUSED as error:
                self._keep([key])
                yield key, error.diag.message_primary or type(error).__name__

    def _complete(self, partitions):
        connection = self.connect()
        connection.execute("UPDATE trust_hub_offsets SET complete = true WHERE partition = ANY(%s)", [list(partitions)])
        # What no partition has is not in the topic any more.
        connection.execute(NO_LIMIT)
        connection.execute(
            "DELETE FROM trust_hub_profiles WHERE source_partition IS NULL "
            "AND NOT EXISTS (SELECT FROM trust_hub_offsets WHERE NOT complete)"
        )

    def rebuild_partition(self, partition):
        """Reads one partition again. Rows that are no longer in it are deleted at its end."""
        connection = self.connect()
        with connection.transaction():
            connection.execute(NO_LIMIT)
            connection.execute(
                "UPDATE trust_hub_offsets SET next_offset = 0, complete = false, read_at = now() WHERE partition = %s",
                [partition],
            )
            connection.execute(
                "UPDATE trust_hub_profiles SET source_partition = NULL WHERE source_partition = %s", [partition]
            )

    def rebuild(self, topic_id, partitions):
        """Reads these partitions of a topic again, which need not be those that the table was read from."""
        connection = self.connect()
        with connection.transaction():
            connection.execute(NO_LIMIT)
            connection.execute("DELETE FROM trust_hub_offsets")
            connection.execute(CLAIM, [list(partitions), topic_id])
            connection.execute("UPDATE trust_hub_profiles SET source_partition = NULL")
