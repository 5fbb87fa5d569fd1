// Applies the rules of the TypeScript package to records without Kafka.
//
// For every line on stdin, a JSON array of the records of one partition, it prints one line: the array of decisions.

import { createInterface } from "node:readline";
import { argv, stdin } from "node:process";

const { View } = await import(argv[2]);

const messageOf = ({ value, ...headers }) => ({
  headers: Object.fromEntries(
    Object.entries(headers).filter(([, text]) => text !== null).map(([name, text]) => [name, Buffer.from(text)]),
  ),
  value: value === null ? null : Buffer.from(value),
});

for await (const line of createInterface({ input: stdin })) {
  const view = new View();
  const outcomes = [];
  for (const record of JSON.parse(line)) outcomes.push((await view.apply(messageOf(record))).outcome);
  console.log(JSON.stringify(outcomes));
}
