// Callbacks as Twilio sends them.

import { createHash, createHmac } from "node:crypto";

import { settings } from "./settings.js";

/** Signs a form as Twilio does: the URL, and then the sorted fields, each with its name. */
export const signature = (url, fields) => {
  const pairs = [...fields].map(([name, value]) => name + value).sort();
  return createHmac("sha1", settings.token).update(url + pairs.join("")).digest("base64");
};

/** Sends a callback with these fields, and returns the status of the response. */
export const send = async (fields, { signed = true, headers = {} } = {}) => {
  const body = new URLSearchParams(fields);
  const sent = signed ? { "x-twilio-signature": signature(settings.callbacks, Object.entries(fields)), ...headers } : headers;
  const response = await fetch(settings.callbacks, { method: "POST", body, headers: sent });
  return response.status;
};

let last = 0;

/** A profile SID that was not used before. */
export const newProfile = () => `BU${createHash("md5").update(`${process.pid} ${++last}`).digest("hex")}`;

/** Announces a status of a profile. */
export const announce = (profile, status, more = {}) =>
  send({ AccountSid: settings.account, BundleSid: profile, Status: status, ...more });
