// Takes records apart, whatever their format.

import { parseJson } from "./read.js";
import { READERS } from "./shapes.js";

const STRUCTURED = "application/cloudevents+json";
const AVRO = "application/avro";
// Confluent's wire format: a zero, and the id of the schema in four bytes; in front of the value, or in this header.
const SCHEMA_ID_HEADER = "__value_schema_id";
const PREFIX_BYTES = 5;

const ATTRIBUTES = ["id", "type", "source", "subject", "time"];

/**
 * The attributes of the CloudEvent in a record, or null, and its `data`, which may still be encoded: `bytes` of JSON, or of Avro
 * with a `schemaId`, or `parsed` if it had to be parsed to find the attributes. `hasData` is false for a tombstone. A value that
 * cannot be read is in the content as it is.
 */
export function contentOf(message) {
  const { value } = message;
  const headers = headersOf(message.headers);
  const content = Object.fromEntries(ATTRIBUTES.map((name) => [name, textOf(headers[`ce_${name}`])]));
  if (value === null || value === undefined) return { ...content, hasData: false };
  const mediaType = (textOf(headers["content-type"]) ?? "").split(";")[0].trim().toLowerCase();
  const avro = READERS.has(content.type) ? avroOf(value, mediaType, headers[SCHEMA_ID_HEADER]) : undefined;
  if (avro) return { ...content, ...avro, hasData: true };
  // Something between the bridge and this consumer may have dropped the headers.
  const isStructured = mediaType === STRUCTURED || (content.type === null && beginsObject(value));
  const structured = isStructured ? structuredContent(value) : undefined;
  return structured ?? { ...content, bytes: value, hasData: true };
}

/**
 * The headers by name. KafkaJS and Confluent's client have an object, node-rdkafka a list of objects with one header each, and other
 * clients a list of pairs. Anything else would look like a record without headers, all of which are skipped.
 */
function headersOf(headers) {
  if (headers === undefined || headers === null) return {};
  if (Array.isArray(headers)) {
    const pairs = headers.flatMap((header) => {
      const entries = isPair(header) ? [header] : isPlain(header) ? Object.entries(header) : [];
      // More than one would be an object such as { key, value }.
      if (entries.length !== 1) throw wrongHeaders();
      return entries;
    });
    // Of several headers with one name, the first one counts.
    return Object.fromEntries(pairs.reverse());
  }
  if (!isPlain(headers)) throw wrongHeaders();
  return headers;
}

const isPair = (header) => Array.isArray(header) && header.length === 2 && typeof header[0] === "string";

/** Whether it is an object with headers, and not a list, bytes or a map. */
const isPlain = (headers) => Object.prototype.toString.call(headers) === "[object Object]";

const wrongHeaders = () =>
  new TypeError("the headers of a message must be an object, a list of objects or a list of pairs: { ce_id: bytes }");

const first = (header) => (Array.isArray(header) ? header[0] : header);

/** A header as text; null if it is absent or not UTF-8. */
function textOf(header) {
  const value = first(header);
  if (value === undefined || value === null || typeof value === "string") return value ?? null;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value);
  } catch {
    return null;
  }
}

function avroOf(value, mediaType, header) {
  const prefix = first(header);
  const isPrefix = prefix instanceof Uint8Array && prefix.length === PREFIX_BYTES && prefix[0] === 0;
  if (mediaType === AVRO && isPrefix) {
    return { schemaId: schemaId(prefix), bytes: value };
  }
  if (value.length < PREFIX_BYTES || value[0] !== 0) return undefined;
  return { schemaId: schemaId(value), bytes: value.subarray(PREFIX_BYTES) };
}

const schemaId = ({ buffer, byteOffset }) => new DataView(buffer, byteOffset).getUint32(1);

function beginsObject(value) {
  const start = value.find((byte) => ![0x20, 0x09, 0x0a, 0x0d].includes(byte));
  return start === 0x7b;
}

function structuredContent(value) {
  let event;
  try {
    event = parseJson(value);
  } catch {
    return undefined;
  }
  const isText = (name) => typeof event?.[name] === "string";
  const isTextOrNull = (name) => isText(name) || (event[name] ?? null) === null;
  if (!["specversion", "id", "type"].every(isText) || !ATTRIBUTES.every(isTextOrNull)) return undefined;
  const attributes = Object.fromEntries(ATTRIBUTES.map((name) => [name, event[name] ?? null]));
  // Without data it is a tombstone.
  return { ...attributes, parsed: event.data, hasData: (event.data ?? null) !== null };
}
