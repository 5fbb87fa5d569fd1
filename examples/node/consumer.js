// A consumer of the events: keeps the latest status of every profile and prints its decision about each record.
//
// README.md says how to run it. The package @trusthub-bridge/events has the rules; this file only passes records from Kafka to
// them.

import { View } from "@trusthub-bridge/events";
import { Kafka, logLevel } from "kafkajs";

const required = (variable) => {
  const value = process.env[variable];
  if (!value) {
    console.error(`${variable} is required`);
    process.exit(1);
  }
  return value;
};

const { KAFKA_SECURITY_PROTOCOL, KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD } = process.env;
const { SCHEMA_REGISTRY_URL } = process.env;
const REGISTRY_MILLISECONDS = 10_000;
const sasl = KAFKA_SASL_MECHANISM && {
  mechanism: KAFKA_SASL_MECHANISM.toLowerCase(),
  username: KAFKA_SASL_USERNAME,
  password: KAFKA_SASL_PASSWORD,
};

const kafka = new Kafka({
  brokers: required("KAFKA_BOOTSTRAP_SERVERS").split(","),
  ssl: KAFKA_SECURITY_PROTOCOL?.endsWith("SSL") ?? false,
  sasl,
  logLevel: logLevel.ERROR,
});
const topic = process.env.KAFKA_TOPIC ?? "trusthub.profile-status-changed";
const consumer = kafka.consumer({ groupId: required("KAFKA_GROUP_ID") });

const schemas = new Map();

/** Asks the schema registry for the schema of a record in Avro, once. */
const writerSchema = async (id) => {
  if (!schemas.has(id)) schemas.set(id, await fetchSchema(id));
  return schemas.get(id);
};

/**
 * `fetch` rejects with a TypeError if it cannot connect, and an answer that is not JSON is a SyntaxError. KafkaJS takes these for
 * faults of the program and ends the consumer, so they become the cause of an error after which it tries the record again.
 */
const fetchSchema = async (id) => {
  try {
    const url = `${SCHEMA_REGISTRY_URL.replace(/\/+$/, "")}/schemas/ids/${id}`;
    const response = await fetch(url, { signal: AbortSignal.timeout(REGISTRY_MILLISECONDS) });
    if (!response.ok) throw new Error(`it answers ${response.status}`);
    return (await response.json()).schema;
  } catch (error) {
    const reason = error.cause?.message ?? error.message;
    throw new Error(`the schema registry is not available: ${reason}`, { cause: error });
  }
};

// In memory, and so empty at each start: docs/consume/offsets.md says where a real consumer keeps it. Without a registry, the
// consumer waits at a record in Avro.
const view = new View({ writerSchema: SCHEMA_REGISTRY_URL ? writerSchema : undefined });

/** Prints one JSON line for every record, and one line to stderr for a record that an operator should check. */
const report = async (partition, offset, decision) => {
  await written(`${JSON.stringify(decision.outcome)}\n`);
  if (!decision.applied && decision.problem) {
    console.error(`skipped: the record at ${topic}[${partition}]@${offset} ${decision.problem}`);
  }
};

const written = (line) =>
  new Promise((resolve, reject) => process.stdout.write(line, (error) => (error ? reject(error) : resolve())));

for (const signal of ["SIGTERM", "SIGINT"]) {
  process.once(signal, () => consumer.disconnect().then(() => process.exit(0)));
}

// KafkaJS ends a consumer whose error it takes for permanent, and the process would then exit as if all was well.
consumer.on(consumer.events.CRASH, ({ payload }) => {
  if (!payload.restart) process.exit(1);
});

await consumer.connect();
// A new group reads the whole history, from which the view is built.
await consumer.subscribe({ topic, fromBeginning: true });
await consumer.run({
  autoCommit: false,
  eachMessage: async ({ partition, message }) => {
    await report(partition, message.offset, await view.apply(message));
    // Only after the record is applied: otherwise a crash would lose it. If this commit is lost, the event is read again, and
    // a view that has it recognizes its ce_id.
    await consumer.commitOffsets([{ topic, partition, offset: (BigInt(message.offset) + 1n).toString() }]);
  },
});
