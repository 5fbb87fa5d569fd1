"""The records that the tests of all packages read, with what each of them has to return.

The events are the golden records of the service in tests/fixtures/callbacks; what has none there is the example of
docs/events.md. Each is here in every format that the service can write.

Avro is read with the schemas of the package unless the record has a `writer_schema`; `null` means that the reader is given none.
An `error` is the reason to skip the record, or `read again` if it must not be skipped.
"""

import base64
import io
import json

import fastavro

from model import EVENT_TYPES, ROOT, SCHEMAS

TIME = "2026-11-20T11:04:00.123Z"
ID = "5f0e62b7a4d84c1f9a3be01d2c47f685"
SCHEMA_ID = 7
CHANGED, DESCRIBED, DELETED, STATE = EVENT_TYPES
STRUCTURED = "application/cloudevents+json"


def text():
    records = [record for case in cases() for record in case]
    return json.dumps(records, indent=1, ensure_ascii=True) + "\n"


def cases():
    for name, headers, value in golden_events():
        yield in_every_format(name, headers, value, CHANGED)
    yield earlier_version()
    yield later_version()
    state = documented("The state of a profile")
    yield in_every_format("state", headers_of(STATE, state), state, STATE, structured=False)
    common = {key: state[key] for key in ("account_sid", "profile_sid", "resource")}
    common |= {"received_at": TIME, "origin": "reconciliation"}
    yield in_every_format("deleted", headers_of(DELETED, common), common, DELETED)
    described = common | {key: state[key] for key in ("status", "raw_status", "valid_until", "profile")}
    yield in_every_format("described", headers_of(DESCRIBED, described), described, DESCRIBED)
    yield avro_of_other_versions()
    yield unusable()


def golden_events():
    for path in sorted((ROOT / "tests/fixtures/callbacks").glob("*.snap")):
        record = json.loads(path.read_text().split("---\n", 2)[2])
        if record["topic"] == "events":
            placeholders = {"RECEIVED": TIME, "ID": ID}
            headers = [(name, placeholders.get(value, value)) for name, value in record["headers"]]
            yield path.stem, headers, record["value"] | {"received_at": TIME}


def documented(heading):
    section = (ROOT / "docs/events.md").read_text().split(f"\n## {heading}\n", 1)[1]
    return json.loads(section.split("```json\n", 1)[1].split("```", 1)[0])


def headers_of(schema, value):
    return [
        ("ce_specversion", "1.0"),
        ("ce_id", ID),
        ("ce_source", f"//trusthub.twilio.com/accounts/{value['account_sid']}"),
        ("ce_type", EVENT_TYPES[schema]),
        ("ce_subject", value["profile_sid"]),
        ("ce_time", TIME),
        ("ce_dataschema", f"urn:trusthub-bridge:{schema.replace('.', ':')}"),
        ("content-type", "application/json"),
    ]


def in_every_format(name, headers, value, schema, structured=True):
    expected = event(headers, value)
    yield record(f"{name}, JSON", headers, as_json(value), expected)
    registered = [*headers, ("__value_schema_id", frame(b"").decode("latin-1"))]
    yield record(f"{name}, JSON with the id of its schema", registered, as_json(value), expected)
    yield record(f"{name}, Avro", with_type(headers, "application/avro"), frame(avro(schema, value)), expected)
    if structured:
        whole = as_structured(headers, value)
        yield record(f"{name}, structured", [("content-type", STRUCTURED)], whole, expected)
        # As it is after something that passes only values on, and as another writer may write it.
        yield record(f"{name}, structured without headers", [], whole, expected)
        yield record(f"{name}, structured with all headers", with_type(headers, STRUCTURED), whole, expected)


def earlier_version():
    """Events as the first version of each schema wrote them: what was added since is null."""
    state = documented("The state of a profile")
    _, _, changed = next(iter(golden_events()))
    described = {key: state[key] for key in ("account_sid", "profile_sid", "resource", "status", "raw_status")}
    described |= {"received_at": TIME, "origin": "reconciliation", "valid_until": None}
    for schema, value in ((CHANGED, changed), (DESCRIBED, described)):
        value |= {"profile": state["profile"]}
        headers, first = headers_of(schema, value), of_first_version(schema, value)
        yield record(f"earlier version of {schema}, JSON", headers, as_json(first), event(headers, with_nulls(first, value)))


def of_first_version(schema, value):
    """The value without the fields that the frozen schema does not have."""
    frozen = json.loads((SCHEMAS / f"{schema}.frozen.json").read_text())
    details = frozen["$defs"]["ProfileDetails"]["properties"]
    first = {name: field for name, field in value.items() if name in frozen["properties"]}
    return first | {"profile": {name: field for name, field in value["profile"].items() if name in details}}


def with_nulls(first, value):
    """What a reader returns for a value without some of its fields."""
    missing = dict.fromkeys(value) | first
    return missing | {"profile": dict.fromkeys(value["profile"]) | first["profile"]}


def later_version():
    """An event as a later version may write it."""
    _, headers, value = next(iter(golden_events()))
    later = value | {"status": "on-hold", "resource": "brand", "origin": "event-stream"}
    expected = event(headers, later | {"errors": [{"code": 18602, "meaning": None, "message": None}]})
    later |= {"new_field": {"new": [1, None, 0.5]}}
    later |= {"errors": [{"code": 18602, "meaning": None, "message": None, "severity": "high"}]}
    yield record("later version, JSON", headers, as_json(later), expected)
    parameter = with_type(headers, f"{STRUCTURED.upper()}; charset=UTF-8")
    yield record("later version, structured", parameter, as_structured(headers, later), expected)


def avro_of_other_versions():
    """Values whose writer had another schema than the package: the reader asks for it."""
    headers, value = next((headers, value) for name, headers, value in golden_events() if name == "form-rejected")
    other = json.loads((SCHEMAS / f"{CHANGED}.avsc").read_text())
    other["fields"].insert(0, {"name": "added", "type": "string", "default": ""})
    other["fields"] = [field for field in other["fields"] if field["name"] not in ("valid_until", "origin")]
    reason = next(field for field in other["fields"] if field["name"] == "errors")["type"]["items"]
    reason["fields"] = [field for field in reason["fields"] if field["name"] != "code"]
    written = value | {"added": "new"}
    defaults = {"valid_until": None, "origin": "unknown", "errors": [each | {"code": 0} for each in value["errors"]]}
    expected = event(headers, value | defaults)
    headers = with_type(headers, "application/avro")
    encoded = avro_with(other, written)
    extra = {"writer_schema": json.dumps(other), "schema_id": SCHEMA_ID}
    yield record("Avro of another version", headers, frame(encoded), expected) | extra
    header = [*headers, ("__value_schema_id", frame(b"").decode("latin-1"))]
    yield record("Avro with the id in a header", header, encoded, expected) | extra
    for name, prefix in (("length", frame(b"\x00")), ("magic byte", b"\x01" + frame(b"")[1:])):
        header = [*headers, ("__value_schema_id", prefix.decode("latin-1"))]
        yield record(f"Avro with a header of another {name}", header, encoded, {"error": "unreadable"}) | extra
        yield record(f"Avro in a frame, with a header of another {name}", header, frame(encoded), expected) | extra
    # The record itself is good, so it is read again and not skipped.
    again = {"error": "read again"}
    yield record("Avro without a schema of the writer", headers, frame(encoded), again) | {"writer_schema": None}
    for name, changed in (("name", {"name": "Other"}), ("namespace", {"namespace": "other"})):
        wrong = {"writer_schema": json.dumps(other | changed), "schema_id": SCHEMA_ID}
        yield record(f"Avro with a schema of another {name}", headers, frame(encoded), again) | wrong
    array = {"writer_schema": json.dumps({"type": "array", "items": other}), "schema_id": SCHEMA_ID}
    yield record("Avro with a schema that is no record", headers, frame(encoded), again) | array


def unusable():
    """Records from which no event can be read, with the reason."""
    _, headers, value = next(iter(golden_events()))
    good = as_json(value)
    without = lambda name: [header for header in headers if header[0] != name]
    other_type = [*without("ce_type"), ("ce_type", "io.trusthub-bridge.test.v1")]
    yield record("test event", other_type, good, {"error": "unknown_type"})
    yield record("other type", [*without("ce_type"), ("ce_type", "other")], frame(b"\x02"), {"error": "unknown_type"})
    yield record("no headers", [], good, {"error": "unknown_type"})
    yield record("not JSON", headers, b'{"account_sid":', {"error": "unreadable"})
    yield record("not UTF-8", headers, good.replace(b"AC", b"\xff\xfe"), {"error": "unreadable"})
    yield record("no id", without("ce_id"), good, {"error": "unreadable"})
    yield record("no time", without("ce_time"), good, {"error": "unreadable"})
    yield record("tombstone", headers, None, {"error": "unreadable"})
    cut = avro(CHANGED, value)[:-3]
    yield record("Avro that ends early", headers, frame(cut), {"error": "unreadable"})
    longer = frame(avro(CHANGED, value) + b"\x00")
    yield record("Avro that is too long", headers, longer, {"error": "unreadable"})
    broken = as_json({"specversion": "1.0", "id": 1, "type": []})
    text = avro(CHANGED, value | {"failure_reason": "reason"}).replace(b"reason", b"\xff\xfeason")
    yield record("Avro with a text that is not UTF-8", headers, frame(text), {"error": "unreadable"})
    yield record("structured without its type", with_type(without("ce_type"), STRUCTURED), broken, {"error": "unknown_type"})


def record(name, headers, value, expected):
    encode = lambda data: base64.b64encode(data).decode()
    headers = [[key, encode(text.encode("latin-1" if key.startswith("__") else "utf-8"))] for key, text in headers]
    return {"name": name, "headers": headers, "value": None if value is None else encode(value), "expected": expected}


def event(headers, value):
    """What the record means: the attributes, and the data, in which an absent field is null."""
    attributes = {name.removeprefix("ce_"): text for name, text in headers}
    data = dict(value)
    if attributes["type"] == EVENT_TYPES[CHANGED]:
        data.setdefault("profile", None)
    return {name: attributes[name] for name in ("id", "type", "source", "subject", "time")} | {"data": data}


def with_type(headers, content_type):
    return [(name, content_type if name == "content-type" else value) for name, value in headers]


def as_json(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def as_structured(headers, value):
    attributes = {name.removeprefix("ce_"): text for name, text in headers if name != "content-type"}
    return as_json(attributes | {"datacontenttype": "application/json", "data": value})


def frame(encoded):
    """Confluent's wire format: a zero, and the id of the schema in four bytes."""
    return b"\x00" + SCHEMA_ID.to_bytes(4, "big") + encoded


def avro(schema, value):
    return avro_with(json.loads((SCHEMAS / f"{schema}.avsc").read_text()), value)


def avro_with(schema, value):
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(schema), value)
    return buffer.getvalue()
