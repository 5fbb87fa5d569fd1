// Reads parts of parsed JSON.

import { unreadable } from "./errors.js";

const TIME = /^(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(?:\.(\d+))?([Zz]|[+-]\d{2}:\d{2})$/;

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** Parses JSON in UTF-8. */
export function parseJson(bytes) {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    throw unreadable("it is not JSON");
  }
}

/** The time of an RFC 3339 text. One without an offset could not be compared with the others. */
export function parseTime(value) {
  const parts = TIME.exec(value);
  if (parts) {
    const [, date, clock, fraction = "", offset] = parts;
    const parsed = new Date(`${date}T${clock}.${fraction.padEnd(3, "0").slice(0, 3)}${offset.toUpperCase()}`);
    // Date takes 30 February for 2 March.
    const isDay = new Date(`${date}T00:00:00Z`).toJSON()?.startsWith(date);
    if (isDay && !Number.isNaN(parsed.getTime())) return parsed;
  }
  throw unreadable("must be an RFC 3339 time with an offset");
}

export function text(value) {
  if (typeof value !== "string") throw unreadable("must be a string");
  return value;
}

/** An RFC 3339 time, as the text that it was. */
export function time(value) {
  parseTime(text(value));
  return value;
}

const sid = (prefix) => {
  const pattern = new RegExp(`^${prefix}[0-9a-fA-F]{32}$`);
  return (value) => {
    if (!pattern.test(text(value))) throw unreadable(`must be ${prefix} and 32 hexadecimal digits`);
    return prefix + value.slice(2).toLowerCase();
  };
};

export const accountSid = sid("AC");
export const profileSid = sid("BU");

export const number = (maximum) => (value) => {
  if (!Number.isInteger(value) || value < 0 || value > maximum) {
    throw unreadable(`must be a whole number from 0 to ${maximum}`);
  }
  return value;
};

export const list = (read) => (value) => {
  if (!Array.isArray(value)) throw unreadable("must be a list");
  return value.map((item, index) => named(`[${index}]`, read, item));
};

// The names come from outside, so errors do not have them.
export const map = (read) => (value) => {
  if (!isObject(value)) throw unreadable("must be an object");
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, named("a value", read, item)]));
};

/** Reads an object by its fields: for each name how to read it, and whether it may be null, or missing, which is the same. */
export const object = (fields) => {
  const all = Object.entries(fields);
  return (value) => {
    if (!isObject(value)) throw unreadable("must be an object");
    return Object.fromEntries(all.map(([name, [read, nullable]]) => [name, field(value, name, read, nullable)]));
  };
};

function field(of, name, read, nullable) {
  const value = Object.hasOwn(of, name) ? of[name] : undefined;
  if (nullable && (value === undefined || value === null)) return null;
  if (value === undefined) throw unreadable(`${name} is missing`);
  return named(name, read, value);
}

function named(name, read, value) {
  try {
    return read(value);
  } catch (error) {
    throw unreadable(`${name} ${error.message}`);
  }
}
