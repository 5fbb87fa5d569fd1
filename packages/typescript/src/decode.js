import { readAvro } from "./avro.js";
import { unreadable, UnusableRecord } from "./errors.js";
import { parseJson, parseTime } from "./read.js";
import { contentOf } from "./record.js";
import { SCHEMAS } from "./schemas.js";
import { READERS } from "./shapes.js";

export async function decode(message, options = {}) {
  return decodeContent(contentOf(message), options);
}

export async function decodeContent(content, { types, writerSchema }) {
  const { id, type, source, subject } = content;
  if (!content.hasData) throw unreadable("has no value");
  const read = READERS.get(type);
  if (!read || (types && !types.includes(type))) {
    throw new UnusableRecord("unknown_type", `is of the type ${JSON.stringify(type ?? "")}`);
  }
  if (id === null) throw unreadable("has no ce_id");
  if (content.time === null) throw unreadable("has no ce_time");
  const time = timeOf(content.time);
  const writer = content.schemaId === undefined ? undefined : await schemaOf(content.schemaId, writerSchema);
  try {
    return { id, type, time, source, subject, data: read(valueOf(content, writer)) };
  } catch (error) {
    if (!(error instanceof UnusableRecord)) throw error;
    throw unreadable(`has a value that is not an event: ${error.message}`);
  }
}

/** The text of a schema; undefined for that of this package. What the registry throws is passed on. */
async function schemaOf(id, writerSchema) {
  if (writerSchema === undefined) {
    throw new Error(
      `the record is Avro with the schema ${id}: pass writerSchema, which asks the schema registry for it, or ` +
        'writerSchema: "bundled" if the bridge has the version of this package',
    );
  }
  return writerSchema === "bundled" ? undefined : String(await writerSchema(id));
}

function timeOf(text) {
  try {
    return parseTime(text);
  } catch {
    throw unreadable("has an invalid ce_time");
  }
}

function valueOf({ type, parsed, schemaId, bytes }, writer) {
  if (parsed !== undefined) return parsed;
  return schemaId === undefined ? parseJson(bytes) : readAvro(bytes, writer, SCHEMAS.get(type));
}
