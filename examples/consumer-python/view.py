"""A consumer's decision about each record. It is independent of Kafka and the part worth copying."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta

EVENT_TYPE = "io.trusthub-bridge.profile.status-changed.v1"

STATUSES = frozenset(
    {"draft", "pending-review", "in-review", "twilio-rejected", "twilio-approved", "provisionally-approved"}
)

# How much later than its first record a repeat of an event may have been received. Twilio repeats a callback within
# minutes; the rest allows for differences between clocks.
REPEATS_WITHIN = timedelta(hours=1)


@dataclass(frozen=True)
class Record:
    """The parts of a Kafka record on which the decision depends."""

    ce_id: str | None
    ce_type: str | None
    ce_time: str | None
    value: bytes | None  # None for a tombstone


@dataclass(frozen=True)
class Event:
    """The parts of an event that this consumer needs."""

    ce_id: str
    ce_time: datetime
    account_sid: str
    profile_sid: str
    status: str

    def outcome(self):
        return {
            "applied": True,
            "account_sid": self.account_sid,
            "profile_sid": self.profile_sid,
            "status": self.status,
            "ce_id": self.ce_id,
        }


@dataclass(frozen=True)
class Skipped:
    """There is nothing to do; the offset is still committed, or the partition would be blocked."""

    reason: str
    ce_id: str | None
    problem: str | None = None  # of a record that an operator should check

    def outcome(self):
        return {"applied": False, "reason": self.reason, "ce_id": self.ce_id}


class Unusable(Exception):
    """This consumer cannot use the record; an operator should check it."""


class UnknownType(Unusable):
    """A type, or a version of it, that this consumer does not support."""

    reason = "unknown_type"


class Unreadable(Unusable):
    """The record violates the contract of its type."""

    reason = "unreadable"


@dataclass
class Profile:
    """The state of one profile."""

    # The last event that was applied.
    latest: Event
    # The ce_time of each ce_id whose repeat could still be newer than the latest event.
    recent: dict[str, datetime] = field(default_factory=dict)

    def remember(self, event):
        """Remembers an event, and forgets events whose repeats would all be older than the latest one."""
        self.recent[event.ce_id] = event.ce_time
        now = self.latest.ce_time
        self.recent = {ce_id: time for ce_id, time in self.recent.items() if now - time <= REPEATS_WITHIN}


class View:
    """The latest status of every profile.

    This view is in memory and starts empty. A real consumer keeps it in its database and updates a profile in one
    transaction; then it may also stop between applying an event and committing its offset.
    """

    def __init__(self):
        self.profiles = {}

    def apply(self, record):
        """Applies one record to the view. Records of a partition must be applied in order.

        Returns the event if it was applied, otherwise the reason why it was skipped.
        """
        try:
            return self._apply_event(read(record))
        except Unusable as error:
            return Skipped(error.reason, record.ce_id, str(error))

    def _apply_event(self, event):
        # An event of one account must not change what is known about a profile of another account.
        profile = self.profiles.setdefault((event.account_sid, event.profile_sid), Profile(event))
        if event.ce_id in profile.recent:
            return Skipped("repeat", event.ce_id)
        # Equal times are no reason to skip: within one millisecond the partition's order decides.
        if event.ce_time < profile.latest.ce_time:
            profile.remember(event)
            return Skipped("older", event.ce_id)
        profile.latest = event
        profile.remember(event)
        return event


def read(record):
    """Parses a record.

    An unknown status becomes "unknown" and a new field is ignored, so that a newer bridge does not stop an older
    consumer.
    """
    if record.value is None:
        raise Unreadable("has no value")
    if record.ce_type != EVENT_TYPE:
        raise UnknownType(f"is of the type {record.ce_type!r}")
    if record.ce_id is None:
        raise Unreadable("has no ce_id")
    account_sid, profile_sid, status = read_value(record.value)
    known_status = status if status in STATUSES else "unknown"
    return Event(record.ce_id, read_time(record.ce_time), account_sid, profile_sid, known_status)


def read_time(text):
    if text is None:
        raise Unreadable("has no ce_time")
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    # A time without an offset cannot be compared with the others.
    if time is None or time.tzinfo is None:
        raise Unreadable("has an invalid ce_time")
    return time


def read_value(value):
    try:
        change = json.loads(value)
        texts = change["account_sid"], change["profile_sid"], change["status"]
    # Too deeply nested JSON is not a ValueError, but must not end the consumer either.
    except (ValueError, RecursionError, TypeError, KeyError) as error:
        raise Unreadable(f"has a value that is not an event: {error!r}") from error
    if not all(isinstance(text, str) for text in texts):
        raise Unreadable("has a value that is not an event: account_sid, profile_sid and status must be strings")
    return texts
