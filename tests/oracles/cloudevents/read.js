// Reads records with the JavaScript SDK of CloudEvents: packages/testdata/records.json on stdin becomes a list of what it reads.

const { readFileSync } = require("node:fs");
const { Kafka } = require("cloudevents");

const decode = (text) => Buffer.from(text, "base64").toString();

const read = ({ headers, value }) => {
  const texts = Object.fromEntries(headers.map(([name, text]) => [name, decode(text)]));
  const { id, type, source, subject, time, data } = Kafka.toEvent({ headers: texts, value: decode(value) });
  return { id, type, source, subject, time, data: typeof data === "string" ? JSON.parse(data) : data };
};

console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(read)));
