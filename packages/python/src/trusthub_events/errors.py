"""Why a record cannot be used."""


class SchemaUnavailable(Exception):
    """The schema with which the record was written is missing. The record must be read again and not be skipped."""


class Unusable(Exception):
    """This consumer cannot use the record.

    Its offset is committed nevertheless, or the partition would be blocked.
    """

    # A stable name, for logs and metrics.
    reason: str


class UnknownType(Unusable):
    """Another type, or a version of it, that this consumer does not support."""

    reason = "unknown_type"


class Unreadable(Unusable):
    """The record violates the contract of its type."""

    reason = "unreadable"
