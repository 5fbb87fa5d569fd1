"""Reads parts of parsed JSON. Errors name the field and never contain its value, which may be personal data."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from .errors import Unreadable

Value = TypeVar("Value")
Reader = Callable[[object], Value]

_SID = {prefix: re.compile(prefix + "[0-9a-fA-F]{32}") for prefix in ("AC", "BU")}
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def fields(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise Unreadable("must be an object")
    return value


def required(of: Mapping[str, object], name: str, read: Reader[Value]) -> Value:
    if name not in of:
        raise Unreadable(f"{name} is missing")
    return _named(name, read, of[name])


def optional(of: Mapping[str, object], name: str, read: Reader[Value]) -> Value | None:
    value = of.get(name)
    return None if value is None else _named(name, read, value)


def text(value: object) -> str:
    if not isinstance(value, str):
        raise Unreadable("must be a string")
    return value


def account_sid(value: object) -> str:
    return _sid("AC", value)


def profile_sid(value: object) -> str:
    return _sid("BU", value)


def time(value: object) -> str:
    """An RFC 3339 time, as the text that it was."""
    parsed_time(text(value))
    return text(value)


def parsed_time(value: str) -> datetime:
    """The time of an RFC 3339 text. One without an offset could not be compared with the others."""
    try:
        if _TIME.fullmatch(value):
            return datetime.fromisoformat(value.upper())
    except ValueError:
        pass
    raise Unreadable("must be an RFC 3339 time with an offset")


def number(maximum: int) -> Reader[int]:
    def read(value: object) -> int:
        if type(value) is not int or not 0 <= value <= maximum:
            raise Unreadable(f"must be a whole number from 0 to {maximum}")
        return value

    return read


def each(read: Reader[Value]) -> Reader[Sequence[Value]]:
    def read_all(value: object) -> Sequence[Value]:
        if not isinstance(value, list):
            raise Unreadable("must be a list")
        return tuple(_named(f"[{index}]", read, item) for index, item in enumerate(value))

    return read_all


def mapping(read: Reader[Value]) -> Reader[Mapping[str, Value]]:
    # The names come from outside, so errors do not have them.
    return lambda value: {name: _named("a value", read, item) for name, item in fields(value).items()}


def _sid(prefix: str, value: object) -> str:
    sid = text(value)
    if not _SID[prefix].fullmatch(sid):
        raise Unreadable(f"must be {prefix} and 32 hexadecimal digits")
    return prefix + sid[2:].lower()


def _named(name: str, read: Reader[Value], value: object) -> Value:
    try:
        return read(value)
    except Unreadable as error:
        raise Unreadable(f"{name} {error}") from None
