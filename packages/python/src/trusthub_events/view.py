"""A consumer's decision about each record. It is independent of Kafka."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .decode import Event, WriterSchemas, decode_content
from .errors import UnknownType, Unusable
from .record import Record, content
from .types import PROFILE_STATUS_CHANGED_TYPE, READERS, Status

# How much later than its first record a repeat of an event may have been received. Twilio repeats a callback within
# minutes; the rest allows for differences between clocks.
REPEATS_WITHIN = timedelta(hours=1)

# What the bridge also writes, and what says nothing about the status of a profile: test events, and the other data.
_OTHER_TYPES = frozenset(READERS) - {PROFILE_STATUS_CHANGED_TYPE} | {"io.trusthub-bridge.test.v1"}

_STATUSES = frozenset(status.value for status in Status)


@dataclass(frozen=True, slots=True)
class Applied:
    """The profile has a new status; act on it."""

    event: Event

    @property
    def status(self) -> str:
        """The status; `unknown` for one that this version of the package does not know."""
        return known_status(self.event.data.status)

    def outcome(self) -> dict[str, object]:
        """The decision for the consumer's log."""
        data = self.event.data
        sids = {"account_sid": data.account_sid, "profile_sid": data.profile_sid}
        return {"applied": True, **sids, "status": self.status, "ce_id": self.event.id}


@dataclass(frozen=True, slots=True)
class Skipped:
    """There is nothing to do; the offset is still committed, or the partition would be blocked."""

    reason: str
    """`repeat`, `older`, `unknown_type` or `unreadable`."""
    ce_id: str | None
    problem: str | None = None
    """What an operator should check; `None` for a repeat, an older event, and another type that this package knows."""

    def outcome(self) -> dict[str, object]:
        """The decision for the consumer's log."""
        return {"applied": False, "reason": self.reason, "ce_id": self.ce_id}


@dataclass(slots=True)
class _Profile:
    # The last event that was applied.
    latest: Event
    # The time of each id whose repeat could still be newer than the latest event.
    recent: dict[str, datetime] = field(default_factory=dict)

    def remember(self, event: Event) -> None:
        """Remembers an event, and forgets events whose repeats would all be older than the latest one."""
        self.recent[event.id] = event.time
        now = self.latest.time
        self.recent = {ce_id: time for ce_id, time in self.recent.items() if now - time <= REPEATS_WITHIN}


class View:
    """The latest status of every profile.

    This view is in memory and starts empty. A real consumer keeps it in its database and updates a profile in one
    transaction; then it may also stop between applying an event and committing its offset.
    """

    def __init__(self, writer_schema: WriterSchemas | None = None) -> None:
        self._writer_schema = writer_schema
        self._profiles: dict[tuple[str, str], _Profile] = {}

    def apply(self, record: Record) -> Applied | Skipped:
        """Applies one record to the view. Records of a partition must be applied in order.

        Raises `SchemaUnavailable` and ImportError as `decode` does, and then the record was not applied.
        """
        found = content(record)
        try:
            event = decode_content(found, (PROFILE_STATUS_CHANGED_TYPE,), self._writer_schema)
        except Unusable as error:
            is_normal = isinstance(error, UnknownType) and found.type in _OTHER_TYPES
            return Skipped(error.reason, found.id, None if is_normal else str(error))
        return self._apply_event(event)

    def latest(self, account_sid: str, profile_sid: str) -> Event | None:
        """The last event that was applied to a profile, as the account that the event names sees it."""
        known = self._profiles.get((account_sid, profile_sid))
        return known.latest if known else None

    def _apply_event(self, event: Event) -> Applied | Skipped:
        # An event of one account must not change what is known about a profile of another account.
        profile = self._profiles.setdefault((event.data.account_sid, event.data.profile_sid), _Profile(event))
        if event.id in profile.recent:
            return Skipped("repeat", event.id)
        # Equal times are no reason to skip: within one millisecond the partition's order decides.
        if event.time < profile.latest.time:
            profile.remember(event)
            return Skipped("older", event.id)
        profile.latest = event
        profile.remember(event)
        return Applied(event)


def known_status(status: str) -> str:
    """The status, or `unknown` for one that this version of the package does not know."""
    return status if status in _STATUSES else Status.UNKNOWN.value
