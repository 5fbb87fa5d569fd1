// Applies the rules of the TypeScript package to records without Kafka.
//
// For every line on stdin, a JSON array of the records of one partition, it prints one line: the array of decisions. Headers and
// values are in base64. The variable SCHEMAS has the Avro schemas of the writers, by id.

import { createInterface } from "node:readline";
import { argv, env, stdin } from "node:process";

const { View } = await import(argv[2]);
const schemas = JSON.parse(env.SCHEMAS);

const messageOf = ({ headers, value }) => ({
  headers: Object.fromEntries(headers.map(([name, bytes]) => [name, Buffer.from(bytes, "base64")])),
  value: value === null ? null : Buffer.from(value, "base64"),
});

for await (const line of createInterface({ input: stdin })) {
  const view = new View({ writerSchema: (id) => schemas[id] });
  const outcomes = [];
  for (const record of JSON.parse(line)) outcomes.push((await view.apply(messageOf(record))).outcome);
  console.log(JSON.stringify(outcomes));
}
