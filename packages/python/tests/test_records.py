"""Every record of testdata/records.json is read as it says there, and every decision of decisions.json is made."""

import base64
import builtins
import dataclasses
import json
from datetime import UTC
from pathlib import Path

import pytest

from trusthub_events import Applied, Record, SchemaUnavailable, Unusable, View, decode

TESTDATA = Path(__file__).parents[2] / "testdata"
RECORDS = json.loads((TESTDATA / "records.json").read_text())


def record(given):
    headers = [(name, base64.b64decode(value)) for name, value in given["headers"]]
    value = given["value"]
    return Record(headers, None if value is None else base64.b64decode(value))


def writer_schema(given):
    if given.get("writer_schema", "bundled") in ("bundled", None):
        return given.get("writer_schema", "bundled")

    def registry(schema_id):
        assert schema_id == given["schema_id"]
        return given["writer_schema"]

    return registry


def decoded(given):
    try:
        event = decode(record(given), writer_schema=writer_schema(given))
    except Unusable as error:
        return {"error": error.reason}
    except SchemaUnavailable:
        return {"error": "read again"}
    attributes = {name: getattr(event, name) for name in ("id", "type", "source", "subject")}
    time = event.time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return attributes | {"time": time, "data": json.loads(json.dumps(dataclasses.asdict(event.data)))}


@pytest.mark.parametrize("given", RECORDS, ids=lambda given: given["name"])
def test_record_is_read_as_the_event_that_it_is(given):
    assert decoded(given) == given["expected"]


def test_there_are_records_of_every_format():
    assert len(RECORDS) > 60
    for part in ("JSON", "Avro", "structured", "structured without headers"):
        assert any(part in given["name"] for given in RECORDS)


DECISIONS = json.loads((TESTDATA / "decisions.json").read_text())


@pytest.mark.parametrize("given", DECISIONS, ids=lambda given: given["name"])
def test_view_decides_as_every_other_view(given):
    view = View()
    headers = ("ce_type", "ce_id", "ce_time")
    for record, decision, problem in zip(given["records"], given["decisions"], given["problems"], strict=True):
        pairs = [(name, record[name].encode()) for name in headers if record[name] is not None]
        value = None if record["value"] is None else record["value"].encode()
        decided = view.apply(Record(pairs, value))
        assert decided.outcome() == decision
        assert (getattr(decided, "problem", None) is not None) == problem


def test_view_has_the_latest_event_of_a_profile():
    good = next(given for given in RECORDS if given["name"].endswith(", JSON"))
    view = View()
    applied = view.apply(record(good))
    assert isinstance(applied, Applied)
    data = applied.event.data
    assert view.latest(data.account_sid, data.profile_sid) is applied.event
    assert view.latest("AC" + "0" * 32, data.profile_sid) is None


def test_unavailable_registry_is_no_reason_to_skip():
    def unavailable(_):
        raise ConnectionError("the registry is unavailable")

    avro = next(given for given in RECORDS if given["name"].endswith(", Avro"))
    with pytest.raises(ConnectionError):
        View(unavailable).apply(record(avro))


def test_avro_without_a_schema_of_its_writer_is_never_skipped():
    avro = next(given for given in RECORDS if given["name"].endswith(", Avro"))
    with pytest.raises(SchemaUnavailable, match="pass writer_schema"):
        View().apply(record(avro))
    with pytest.raises(SchemaUnavailable, match="not an Avro schema of io.trusthub_bridge.v1.ProfileStatusChanged"):
        View(lambda _: "no schema").apply(record(avro))
    assert isinstance(View("bundled").apply(record(avro)), Applied)


def test_errors_name_the_field_and_not_the_value():
    good = next(given for given in RECORDS if given["name"].endswith(", JSON"))
    value = json.loads(base64.b64decode(good["value"])) | {"errors": [{"code": "private", "meaning": 1}]}
    broken = good | {"value": base64.b64encode(json.dumps(value).encode()).decode()}
    with pytest.raises(Unusable) as error:
        decode(record(broken))
    assert "errors [0] code must be a whole number" in str(error.value)
    assert "private" not in str(error.value)


def test_avro_without_its_library_is_an_error_that_names_the_package(monkeypatch):
    real_import = builtins.__import__

    def without_fastavro(name, *arguments, **named):
        if name == "fastavro":
            raise ImportError(name)
        return real_import(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without_fastavro)
    monkeypatch.delitem(__import__("sys").modules, "trusthub_events._avro", raising=False)
    avro = next(given for given in RECORDS if given["name"].endswith(", Avro"))
    with pytest.raises(ImportError, match=r"install trusthub-events\[avro\]"):
        decode(record(avro), writer_schema="bundled")
