"""Why a record cannot be used. Its offset is committed all the same, or the partition would be blocked."""


class Unusable(Exception):
    """This consumer cannot use the record; an operator should check it."""

    # A stable name, for logs and metrics.
    reason: str


class UnknownType(Unusable):
    """A type, or a version of it, that this consumer does not support."""

    reason = "unknown_type"


class Unreadable(Unusable):
    """The record violates the contract of its type."""

    reason = "unreadable"
