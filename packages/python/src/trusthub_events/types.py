"""The data of records, generated from the JSON Schemas by packages/generate.

Fields with known values are texts: a later version of the bridge may write other values, which are no error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from . import _read as read


class Resource(StrEnum):
    """Known values; there may be others."""

    CUSTOMER_PROFILE = "customer-profile"
    TRUST_PRODUCT = "trust-product"
    REGULATORY_BUNDLE = "regulatory-bundle"
    COMPLIANCE_REGISTRATION = "compliance-registration"
    UNKNOWN = "unknown"


class Status(StrEnum):
    """Known values; there may be others."""

    DRAFT = "draft"
    PENDING_REVIEW = "pending-review"
    IN_REVIEW = "in-review"
    TWILIO_REJECTED = "twilio-rejected"
    TWILIO_APPROVED = "twilio-approved"
    PROVISIONALLY_APPROVED = "provisionally-approved"
    UNKNOWN = "unknown"


class Origin(StrEnum):
    """Known values; there may be others."""

    CALLBACK = "callback"
    RECONCILIATION = "reconciliation"


class ProfileType(StrEnum):
    """Known values; there may be others."""

    BUSINESS = "business"
    INDIVIDUAL = "individual"
    GOVERNMENT = "government"
    NONPROFIT = "nonprofit"
    STARTER = "starter"
    A2P_MESSAGING = "a2p-messaging"
    A2P_SOLE_PROPRIETOR = "a2p-sole-proprietor"
    A2P_STARTER = "a2p-starter"
    SHAKEN_STIR = "shaken-stir"
    CNAM = "cnam"
    VOICE_INTEGRITY = "voice-integrity"
    BRANDED_CALLING = "branded-calling"
    TOLL_FREE = "toll-free"


class ProfileTier(StrEnum):
    """Known values; there may be others."""

    PRIMARY = "primary"
    SECONDARY = "secondary"


@dataclass(frozen=True, slots=True)
class RejectionReason:
    """One reason for a rejection."""

    code: int
    """Twilio's error code."""
    meaning: str | None
    """The meaning of the code in snake case; `null` for an unknown code."""
    message: str | None
    """What is wrong, in one sentence for people; `null` for an unknown code. The wording may change."""

    @classmethod
    def read(cls, value: object) -> RejectionReason:
        """Reads a value of parsed JSON; raises `Unreadable` if it violates the schema."""
        fields = read.fields(value)
        return cls(
            code=read.required(fields, "code", read.number(4294967295)),
            meaning=read.optional(fields, "meaning", read.text),
            message=read.optional(fields, "message", read.text),
        )


@dataclass(frozen=True, slots=True)
class ProfileDetails:
    """The details of a profile, as fetched from Trust Hub."""

    friendly_name: str | None
    """The name that the owner gave the profile. May be the name of a person, which is personal data."""
    policy_sid: str | None
    """The SID of the policy under which the profile is reviewed, or of the regulation of a bundle."""
    type: str | None
    """The type of the profile; `null` if the policy is not known. The examples are the known values; consumers
    must accept others.
    """
    tier: str | None
    """Whether it is the profile of the owner of the account or of a customer; `null` if its type has no tiers.
    The examples are the known values; consumers must accept others.
    """
    date_created: str | None
    """When the profile was created."""
    date_updated: str
    """When the profile was last changed, by its owner or by a review."""

    @classmethod
    def read(cls, value: object) -> ProfileDetails:
        """Reads a value of parsed JSON; raises `Unreadable` if it violates the schema."""
        fields = read.fields(value)
        return cls(
            friendly_name=read.optional(fields, "friendly_name", read.text),
            policy_sid=read.optional(fields, "policy_sid", read.text),
            type=read.optional(fields, "type", read.text),
            tier=read.optional(fields, "tier", read.text),
            date_created=read.optional(fields, "date_created", read.time),
            date_updated=read.required(fields, "date_updated", read.time),
        )


@dataclass(frozen=True, slots=True)
class ProfileStatusChanged:
    """The status of a compliance profile changed. Absent values are `null`, never an empty string."""

    account_sid: str
    """The account that owns the profile."""
    profile_sid: str
    """The profile whose status changed."""
    resource: str
    """The kind of the profile. The examples are the known values; consumers must accept others."""
    status: str
    """The new status. The examples are the known values; consumers must accept others."""
    raw_status: str
    """The status as Twilio wrote it."""
    failure_reason: str | None
    """Why the profile was rejected, in Twilio's words. May contain personal data such as names and addresses."""
    errors: Sequence[RejectionReason]
    """The distinct error codes of the rejection: first those of the error fields, then others in the failure
    reason.
    """
    valid_until: str | None
    """When the approval expires, as Twilio wrote it."""
    received_at: str
    """When the callback arrived, or when the profile was fetched."""
    origin: str
    """How this service learned of the change. The examples are the known values; consumers must accept others."""
    idempotency_token: str | None
    """Twilio's token, which all deliveries of one callback share."""
    extra: Mapping[str, Sequence[str]]
    """All other fields, under the names received."""
    profile: ProfileDetails | None
    """Details that only Trust Hub provides. Absent when the change arrived in a callback."""

    @classmethod
    def read(cls, value: object) -> ProfileStatusChanged:
        """Reads a value of parsed JSON; raises `Unreadable` if it violates the schema."""
        fields = read.fields(value)
        return cls(
            account_sid=read.required(fields, "account_sid", read.account_sid),
            profile_sid=read.required(fields, "profile_sid", read.profile_sid),
            resource=read.required(fields, "resource", read.text),
            status=read.required(fields, "status", read.text),
            raw_status=read.required(fields, "raw_status", read.text),
            failure_reason=read.optional(fields, "failure_reason", read.text),
            errors=read.required(fields, "errors", read.each(RejectionReason.read)),
            valid_until=read.optional(fields, "valid_until", read.text),
            received_at=read.required(fields, "received_at", read.time),
            origin=read.required(fields, "origin", read.text),
            idempotency_token=read.optional(fields, "idempotency_token", read.text),
            extra=read.required(fields, "extra", read.mapping(read.each(read.text))),
            profile=read.optional(fields, "profile", ProfileDetails.read),
        )


@dataclass(frozen=True, slots=True)
class ProfileDescribed:
    """The details of a profile whose status did not change, as Trust Hub has them."""

    account_sid: str
    """The account that owns the profile."""
    profile_sid: str
    """The profile."""
    resource: str
    """The kind of the profile. The examples are the known values; consumers must accept others."""
    status: str
    """The present status. The examples are the known values; consumers must accept others."""
    raw_status: str
    """The status as Twilio wrote it."""
    valid_until: str | None
    """When the approval expires, as Twilio wrote it; `null` if the profile is not approved or its approval has
    no end. Events of earlier versions lack it.
    """
    received_at: str
    """When Trust Hub was asked."""
    origin: str
    """How this service learned of it. The examples are the known values; consumers must accept others."""
    profile: ProfileDetails
    """The details."""

    @classmethod
    def read(cls, value: object) -> ProfileDescribed:
        """Reads a value of parsed JSON; raises `Unreadable` if it violates the schema."""
        fields = read.fields(value)
        return cls(
            account_sid=read.required(fields, "account_sid", read.account_sid),
            profile_sid=read.required(fields, "profile_sid", read.profile_sid),
            resource=read.required(fields, "resource", read.text),
            status=read.required(fields, "status", read.text),
            raw_status=read.required(fields, "raw_status", read.text),
            valid_until=read.optional(fields, "valid_until", read.text),
            received_at=read.required(fields, "received_at", read.time),
            origin=read.required(fields, "origin", read.text),
            profile=read.required(fields, "profile", ProfileDetails.read),
        )


@dataclass(frozen=True, slots=True)
class ProfileDeleted:
    """Trust Hub says that a profile no longer exists."""

    account_sid: str
    """The account that owned the profile."""
    profile_sid: str
    """The profile that was deleted."""
    resource: str
    """The kind of the profile. The examples are the known values; consumers must accept others."""
    received_at: str
    """When Trust Hub was asked."""
    origin: str
    """How this service learned of it. The examples are the known values; consumers must accept others."""

    @classmethod
    def read(cls, value: object) -> ProfileDeleted:
        """Reads a value of parsed JSON; raises `Unreadable` if it violates the schema."""
        fields = read.fields(value)
        return cls(
            account_sid=read.required(fields, "account_sid", read.account_sid),
            profile_sid=read.required(fields, "profile_sid", read.profile_sid),
            resource=read.required(fields, "resource", read.text),
            received_at=read.required(fields, "received_at", read.time),
            origin=read.required(fields, "origin", read.text),
        )


@dataclass(frozen=True, slots=True)
class RecentId:
    """An event about the status that the state takes into account."""

    id: str
    """Its `ce_id`."""
    time: str
    """Its `ce_time`."""

    @classmethod
    def read(cls, value: object) -> RecentId:
        """Reads a value of parsed JSON; raises `Unreadable` if it violates the schema."""
        fields = read.fields(value)
        return cls(
            id=read.required(fields, "id", read.text),
            time=read.required(fields, "time", read.time),
        )


@dataclass(frozen=True, slots=True)
class Position:
    """The place of a record in the event topic."""

    partition: int
    """The number of the partition, from 0."""
    offset: int
    """The offset in the partition, from 0."""

    @classmethod
    def read(cls, value: object) -> Position:
        """Reads a value of parsed JSON; raises `Unreadable` if it violates the schema."""
        fields = read.fields(value)
        return cls(
            partition=read.required(fields, "partition", read.number(9007199254740991)),
            offset=read.required(fields, "offset", read.number(9007199254740991)),
        )


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A change of the status."""

    status: str
    """The new status. The examples are the known values; consumers must accept others."""
    raw_status: str
    """The new status as Twilio wrote it, at most 256 bytes."""
    since: str
    """The time of the event."""

    @classmethod
    def read(cls, value: object) -> StatusChange:
        """Reads a value of parsed JSON; raises `Unreadable` if it violates the schema."""
        fields = read.fields(value)
        return cls(
            status=read.required(fields, "status", read.text),
            raw_status=read.required(fields, "raw_status", read.text),
            since=read.required(fields, "since", read.time),
        )


@dataclass(frozen=True, slots=True)
class ProfileState:
    """The present state of a profile. Absent values are `null`, never an empty string."""

    account_sid: str
    """The account that owns the profile: the one that Trust Hub confirmed, otherwise the one of the first
    event.
    """
    profile_sid: str
    """The profile."""
    resource: str
    """The kind of the profile. The examples are the known values; consumers must accept others."""
    status: str
    """The present status. The examples are the known values; consumers must accept others."""
    raw_status: str
    """The present status as Twilio wrote it, at most 256 bytes."""
    since: str
    """The time of the event with which the present status began."""
    previous_status: str | None
    """The status before the present one; `null` if none is known."""
    previous_since: str | None
    """The time of the event with which the previous status began."""
    errors: Sequence[RejectionReason]
    """The error codes of the present rejection, at most 100."""
    failure_reason: str | None
    """Why the profile is rejected, in Twilio's words, at most 4,096 bytes. May contain personal data such as
    names and addresses. Always `null` if the service is configured to leave it out.
    """
    valid_until: str | None
    """When the approval expires, as Twilio wrote it, at most 256 bytes."""
    first_seen_at: str
    """The time of the first event about the profile."""
    updated_at: str
    """The time of the last event about the status. Events with an earlier time do not change the state."""
    changes: int
    """How many times the status changed. The first event counts."""
    rejections: int
    """How many of these changes were rejections."""
    last_event_id: str
    """The `ce_id` of the last event about the status."""
    recent_ids: Sequence[RecentId]
    """The ids by which repeats are recognized, ordered by time: those of the hour before `updated_at`, at most
    256.
    """
    position: Position
    """The last record of the event topic that the state takes into account."""
    profile: ProfileDetails | None
    """Details that only Trust Hub provides; `null` until it has confirmed the owner."""
    history: Sequence[StatusChange]
    """The last changes of the status, at most ten, the present status last."""

    @classmethod
    def read(cls, value: object) -> ProfileState:
        """Reads a value of parsed JSON; raises `Unreadable` if it violates the schema."""
        fields = read.fields(value)
        return cls(
            account_sid=read.required(fields, "account_sid", read.account_sid),
            profile_sid=read.required(fields, "profile_sid", read.profile_sid),
            resource=read.required(fields, "resource", read.text),
            status=read.required(fields, "status", read.text),
            raw_status=read.required(fields, "raw_status", read.text),
            since=read.required(fields, "since", read.time),
            previous_status=read.optional(fields, "previous_status", read.text),
            previous_since=read.optional(fields, "previous_since", read.time),
            errors=read.required(fields, "errors", read.each(RejectionReason.read)),
            failure_reason=read.optional(fields, "failure_reason", read.text),
            valid_until=read.optional(fields, "valid_until", read.text),
            first_seen_at=read.required(fields, "first_seen_at", read.time),
            updated_at=read.required(fields, "updated_at", read.time),
            changes=read.required(fields, "changes", read.number(9007199254740991)),
            rejections=read.required(fields, "rejections", read.number(9007199254740991)),
            last_event_id=read.required(fields, "last_event_id", read.text),
            recent_ids=read.required(fields, "recent_ids", read.each(RecentId.read)),
            position=read.required(fields, "position", Position.read),
            profile=read.optional(fields, "profile", ProfileDetails.read),
            history=read.required(fields, "history", read.each(StatusChange.read)),
        )


Data = ProfileStatusChanged | ProfileDescribed | ProfileDeleted | ProfileState

# How to read the data of each `ce_type`.
READERS = {
    "io.trusthub-bridge.profile.status-changed.v1": ProfileStatusChanged.read,
    "io.trusthub-bridge.profile.described.v1": ProfileDescribed.read,
    "io.trusthub-bridge.profile.deleted.v1": ProfileDeleted.read,
    "io.trusthub-bridge.profile.state.v1": ProfileState.read,
}

# The Avro schema of each `ce_type`.
SCHEMAS = {
    "io.trusthub-bridge.profile.status-changed.v1": "profile-status-changed.v1.avsc",
    "io.trusthub-bridge.profile.described.v1": "profile-described.v1.avsc",
    "io.trusthub-bridge.profile.deleted.v1": "profile-deleted.v1.avsc",
    "io.trusthub-bridge.profile.state.v1": "profile-state.v1.avsc",
}

PROFILE_STATUS_CHANGED_TYPE = "io.trusthub-bridge.profile.status-changed.v1"
PROFILE_DESCRIBED_TYPE = "io.trusthub-bridge.profile.described.v1"
PROFILE_DELETED_TYPE = "io.trusthub-bridge.profile.deleted.v1"
PROFILE_STATE_TYPE = "io.trusthub-bridge.profile.state.v1"
