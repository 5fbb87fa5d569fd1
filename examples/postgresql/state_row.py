"""Turns a record of the state topic into a row of the table. It depends on neither Kafka nor PostgreSQL.

Nothing in a record may stop the sink. So a row has only what PostgreSQL can store: characters that jsonb or text cannot
store are replaced, and a column whose value is of an unexpected kind is NULL. The column `state` has every field.
"""

import json
import re
from datetime import UTC, datetime

STATE_TYPE = "io.trusthub-bridge.profile.state.v1"

# PostgreSQL stores neither NUL nor half of a surrogate pair, both of which JSON can contain as \u0000 and \ud800.
UNSTORABLE = re.compile("[\0\ud800-\udfff]")

# The largest values of the types integer and bigint.
MAX_INTEGER = 2**31 - 1
MAX_BIGINT = 2**63 - 1


class Unusable(Exception):
    """The record is no state that this sink knows. Its message completes a sentence that begins with the record."""


def is_avro(value, content_type):
    """Whether the service wrote the value with KAFKA_VALUE_FORMAT=avro. JSON never begins with a zero byte."""
    return value[:1] == b"\0" or content_type.split(";")[0].strip().lower() == "application/avro"


def profile_sid(key):
    """The key of a record as text."""
    if not key:
        raise Unusable("has no key")
    return storable(key.decode(errors="replace"))


def row(value, ce_type):
    """The columns that come from the value of a record, as JSON. A tombstone has no row and must not be passed."""
    if ce_type != STATE_TYPE:
        raise Unusable(f"is of the type {ce_type!r}")
    state = parse(value)
    profile = mapping(state.get("profile"))
    return {
        "account_sid": required(state, "account_sid", text),
        "resource": required(state, "resource", text),
        "status": required(state, "status", text),
        "raw_status": text(state.get("raw_status")),
        "since": required(state, "since", time),
        "previous_status": text(state.get("previous_status")),
        "valid_until": time(state.get("valid_until")),
        "failure_reason": text(state.get("failure_reason")),
        "error_codes": error_codes(state.get("errors")),
        "name": text(profile.get("friendly_name")),
        "type": text(profile.get("type")),
        "changes": number(state.get("changes"), MAX_BIGINT),
        "rejections": number(state.get("rejections"), MAX_BIGINT),
        "updated_at": required(state, "updated_at", time),
        "state": state,
    }


def parse(value):
    try:
        # The texts are replaced before they are interpreted in any way.
        state = storable(json.loads(value))
        json.dumps(state, allow_nan=False)  # 1e999 and NaN are numbers in Python and not in JSON
    # Too deeply nested JSON is not a ValueError, but must not end the sink either.
    except (ValueError, RecursionError) as error:
        raise Unusable(f"has a value that is not JSON: {error}") from error
    if not isinstance(state, dict):
        raise Unusable("has a value that is not a JSON object")
    return state


def storable(value):
    """The value with U+FFFD in place of each character that PostgreSQL cannot store."""
    match value:
        case str():
            return UNSTORABLE.sub("\ufffd", value)
        case list():
            return [storable(item) for item in value]
        case dict():
            return {storable(key): storable(item) for key, item in value.items()}
    return value


def required(state, field, read):
    value = read(state.get(field))
    if value is None:
        raise Unusable(f"has no valid {field}")
    return value


def text(value):
    return value if isinstance(value, str) else None


def mapping(value):
    return value if isinstance(value, dict) else {}


def number(value, largest):
    return value if type(value) is int and 0 <= value <= largest else None


def time(value):
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC).isoformat() if moment.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        return None


def error_codes(errors):
    entries = errors if isinstance(errors, list) else []
    codes = [number(mapping(entry).get("code"), MAX_INTEGER) for entry in entries]
    return [code for code in codes if code is not None]
