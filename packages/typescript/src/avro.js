// Reads Avro: https://avro.apache.org/docs/1.12.0/specification/#binary-encoding

import { unreadable } from "./errors.js";

// Limits for values that claim to be larger or deeper than any record of the bridge.
const MAX_DEPTH = 64;
const MAX_VALUES = 1 << 20;
const MAX_SCHEMAS = 256;

const PRIMITIVES = new Set(["null", "boolean", "int", "long", "float", "double", "bytes", "string"]);

const invalid = () => unreadable("it is not Avro of its schema");

/**
 * Returns the value as parsed JSON has it. A field that the writer did not have gets its default. The text of the writer's schema
 * is undefined for that of this package.
 */
export function readAvro(bytes, writerText, readerText) {
  const reader = parsedSchema(readerText);
  const source = new Source(bytes);
  const value = source.read(writerText === undefined ? reader : schemaOfWriter(writerText, reader.name), 0);
  if (!source.isAtEnd()) throw invalid();
  fillDefaults(reader, value);
  return value;
}

function fillDefaults(reader, value) {
  if (Array.isArray(value)) {
    for (const item of value) if (reader.items) fillDefaults(reader.items, item);
  } else if (typeof value === "object" && value !== null) {
    const record = reader.branches?.find(({ kind }) => kind === "record") ?? reader;
    for (const field of record.fields ?? []) {
      if (Object.hasOwn(value, field.name)) fillDefaults(field.schema, value[field.name]);
      else if (field.default !== undefined) value[field.name] = field.default;
    }
  }
}

class Source {
  constructor(bytes) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.position = 0;
    this.values = 0;
  }

  isAtEnd() {
    return this.position === this.bytes.length;
  }

  read(schema, depth) {
    this.values += 1;
    if (depth > MAX_DEPTH || this.values > MAX_VALUES) throw invalid();
    switch (schema.kind) {
      case "null":
        return null;
      case "boolean":
        return itemOf([false, true], this.bytes[this.skip(1)]);
      case "int":
      case "long":
        return this.long();
      case "float":
        return this.view.getFloat32(this.skip(4), true);
      case "double":
        return this.view.getFloat64(this.skip(8), true);
      case "string":
      case "bytes":
        return this.text(this.long());
      case "fixed":
        return this.text(schema.size);
      case "enum":
        return itemOf(schema.symbols, this.long());
      case "union":
        return this.read(itemOf(schema.branches, this.long()), depth + 1);
      case "array":
        return Array.from(this.items(() => this.read(schema.items, depth + 1)));
      case "map":
        return Object.fromEntries(this.items(() => [this.text(this.long()), this.read(schema.items, depth + 1)]));
      default:
        return Object.fromEntries(schema.fields.map(({ name, schema }) => [name, this.read(schema, depth + 1)]));
    }
  }

  /** The items of all blocks. A negative count is followed by the size of the block in bytes. */
  *items(read) {
    for (;;) {
      let count = this.long();
      if (count < 0) {
        this.long();
        count = -count;
      }
      if (count === 0) return;
      for (; count > 0; count -= 1) yield read();
    }
  }

  long() {
    let number = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.bytes[this.skip(1)];
      number |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(BigInt.asIntN(64, (number >> 1n) ^ -(number & 1n)));
    }
    throw invalid();
  }

  text(size) {
    const start = this.skip(size);
    try {
      const bytes = this.bytes.subarray(start, this.position);
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw invalid();
    }
  }

  /** Returns the position before the skipped bytes. */
  skip(size) {
    const start = this.position;
    if (!(size >= 0 && size <= this.bytes.length - start)) throw invalid();
    this.position += size;
    return start;
  }
}

function itemOf(items, index) {
  if (!Object.hasOwn(items, index)) throw invalid();
  return items[index];
}

/** A schema of something else is no property of the record, so its error is no `UnusableRecord`. */
function schemaOfWriter(text, name) {
  try {
    const writer = parsedSchema(text);
    if (writer.kind === "record" && writer.name === name) return writer;
  } catch {
    // It is no schema.
  }
  throw new Error(
    `the schema of the writer is not an Avro schema of ${name}; check that the registry is that of the topic`,
  );
}

const schemas = new Map();

/** Parses a schema once. */
function parsedSchema(text) {
  const known = schemas.get(text);
  if (known) return known;
  if (schemas.size >= MAX_SCHEMAS) schemas.clear();
  const parsed = parseSchema(JSON.parse(text), new Map(), 0);
  schemas.set(text, parsed);
  return parsed;
}

function parseSchema(value, names, depth) {
  if (depth > MAX_DEPTH) throw notASchema();
  if (names.has(value)) return names.get(value);
  if (PRIMITIVES.has(value)) return { kind: value };
  if (Array.isArray(value)) return { kind: "union", branches: value.map((each) => parseSchema(each, names, depth + 1)) };
  if (typeof value !== "object" || value === null) throw notASchema();
  const parsed = { kind: value.type };
  if (value.name) {
    parsed.name = value.namespace && !value.name.includes(".") ? `${value.namespace}.${value.name}` : value.name;
    names.set(value.name, parsed).set(parsed.name, parsed);
  }
  switch (value.type) {
    case "record":
      parsed.fields = value.fields.map((field) => ({ ...field, schema: parseSchema(field.type, names, depth + 1) }));
      return parsed;
    case "enum":
      return Object.assign(parsed, { symbols: value.symbols });
    case "fixed":
      return Object.assign(parsed, { size: value.size });
    case "array":
      return Object.assign(parsed, { items: parseSchema(value.items, names, depth + 1) });
    case "map":
      return Object.assign(parsed, { items: parseSchema(value.values, names, depth + 1) });
    default:
      // A type with annotations, such as a logical type.
      return parseSchema(value.type, names, depth + 1);
  }
}

const notASchema = () => new Error("it is not an Avro schema");
