// Every record of testdata/records.json is read as it says there, and every decision of decisions.json is made.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { decode, UnusableRecord, View } from "../src/index.js";

const testdata = (name) => JSON.parse(readFileSync(new URL(`../../testdata/${name}`, import.meta.url)));

const RECORDS = testdata("records.json");
const DECISIONS = testdata("decisions.json");

const bytes = (text) => (text === null ? null : Buffer.from(text, "base64"));

const message = ({ headers, value }) => ({
  headers: Object.fromEntries(headers.map(([name, text]) => [name, bytes(text)])),
  value: bytes(value),
});

const writerSchema = ({ writer_schema, schema_id }) => {
  if (writer_schema === undefined) return "bundled";
  if (writer_schema === null) return undefined;
  return async (id) => {
    assert.equal(id, schema_id);
    return writer_schema;
  };
};

const named = (suffix) => RECORDS.find(({ name }) => name.endsWith(suffix));

async function decoded(record) {
  try {
    const { time, ...event } = await decode(message(record), { writerSchema: writerSchema(record) });
    return { ...event, time: time.toJSON() };
  } catch (error) {
    if (error instanceof UnusableRecord) return { error: error.reason };
    if (/ schema /.test(error.message)) return { error: "read again" };
    throw error;
  }
}

test("there are records of every format", () => {
  assert.ok(RECORDS.length > 60 && DECISIONS.length > 10);
});

for (const record of RECORDS) {
  test(`record is read as the event that it is: ${record.name}`, async () => {
    assert.deepEqual(await decoded(record), record.expected);
  });
}

for (const { name, records, decisions, problems } of DECISIONS) {
  test(`view decides as every other view: ${name}`, async () => {
    const view = new View();
    for (const [index, { value, ...headers }] of records.entries()) {
      const given = Object.entries(headers).filter(([, text]) => text !== null);
      const decision = await view.apply({
        headers: Object.fromEntries(given.map(([header, text]) => [header, [Buffer.from(text), Buffer.from("second")]])),
        value: value === null ? null : Buffer.from(value),
      });
      assert.deepEqual(decision.outcome, decisions[index], `record ${index}: ${decision.problem}`);
      assert.equal((decision.problem ?? null) !== null, problems[index], `record ${index}: ${decision.problem}`);
    }
  });
}

test("view has the latest event of a profile", async () => {
  const view = new View();
  const { event } = await view.apply(message(named(", JSON")));
  assert.equal(view.latest(event.data.account_sid, event.data.profile_sid), event);
  assert.equal(view.latest(event.data.account_sid, ""), undefined);
});

test("headers have the shape that a client gives them", async () => {
  const { headers, value } = message(named(", JSON"));
  const entries = Object.entries(headers);
  const shapes = [
    headers,
    entries,
    entries.map(([name, header]) => ({ [name]: header })),
    // The first one counts.
    [...entries, ...entries.map(([name]) => ({ [name]: Buffer.from("second") }))],
    Object.fromEntries(entries.map(([name, header]) => [name, [header, Buffer.from("second")]])),
  ];
  for (const shape of shapes) assert.ok((await new View().apply({ headers: shape, value })).applied, JSON.stringify(shape));
  for (const none of [undefined, null, {}, []]) {
    assert.equal((await new View().apply({ headers: none, value })).reason, "unknown_type");
  }
});

test("headers of another shape are an error and no reason to skip", async () => {
  const { headers, value } = message(named(", JSON"));
  const entries = Object.entries(headers);
  const pairs = entries.map(([key, header]) => ({ key, value: header }));
  for (const shape of [new Map(entries), pairs, entries.flat(), [{}], "ce_id", 1, Buffer.from("ce_id")]) {
    await assert.rejects(new View().apply({ headers: shape, value }), TypeError);
    await assert.rejects(decode({ headers: shape, value }), TypeError);
  }
});

test("unavailable registry is no reason to skip", async () => {
  const avro = message(named(", Avro"));
  const unavailable = new Error("the registry is unavailable");
  const failing = new View({ writerSchema: () => Promise.reject(unavailable) });
  await assert.rejects(failing.apply(avro), unavailable);
  const wrong = new View({ writerSchema: () => '"no schema"' });
  await assert.rejects(wrong.apply(avro), /not an Avro schema of io.trusthub_bridge.v1.ProfileStatusChanged;/);
  await assert.rejects(new View().apply(avro), /pass writerSchema/);
  assert.ok((await new View({ writerSchema: "bundled" }).apply(avro)).applied);
});

test("errors name the field and not the value", async () => {
  const record = message(named(", JSON"));
  const value = { ...JSON.parse(record.value), errors: [{ code: "private" }] };
  const broken = { ...record, value: Buffer.from(JSON.stringify(value)) };
  await assert.rejects(decode(broken), (error) => {
    assert.match(error.message, /errors \[0\] code must be a whole number/);
    assert.doesNotMatch(error.message, /private/);
    return true;
  });
});

test("types that the consumer does not handle are not read", async () => {
  const record = message(named(", JSON"));
  await assert.rejects(decode(record, { types: ["io.trusthub-bridge.profile.deleted.v1"] }), { reason: "unknown_type" });
});

test("boolean has two values", async () => {
  const given = named("Avro of another version");
  const text = given.writer_schema.replace('"fields": [', '"fields": [{"name": "flag", "type": "boolean"}, ');
  const record = message(given);
  for (const flag of [0, 1, 2, 255]) {
    const value = Buffer.concat([record.value.subarray(0, 5), Buffer.from([flag]), record.value.subarray(5)]);
    const reading = decode({ ...record, value }, { writerSchema: () => text });
    if (flag <= 1) await reading;
    else await assert.rejects(reading, { reason: "unreadable" });
  }
});

// From a seed, so that a failure can be repeated.
test("changed Avro is read or unreadable", async () => {
  let state = 1;
  const random = (bound) => (state = (state * 48271) % 2147483647) % bound;
  const avro = message(RECORDS.find(({ name }) => name === "form-rejected, Avro"));
  for (let round = 0; round < 20_000; round += 1) {
    const value = Uint8Array.from(avro.value).subarray(0, 5 + random(avro.value.length));
    for (let change = random(4); change > 0; change -= 1) value[5 + random(value.length)] = random(256);
    await decode({ ...avro, value }, { writerSchema: "bundled" }).catch((error) => assert.ok(error instanceof UnusableRecord, error));
  }
});
