// What tests of an onboarding against `trusthub-bridge simulate` need.
import { EventEmitter, on } from "node:events";
import { createServer } from "node:http";
import { setTimeout } from "node:timers/promises";
import twilio from "twilio";

const {
  TWILIO_ACCOUNT_SID: account = "AC00000000000000000000000000000001",
  TWILIO_AUTH_TOKEN: token = "secret",
  TRUSTHUB_BASE_URL: hub = "http://127.0.0.1:8090",
  // The name under which the simulator reaches the machine of the tests.
  RECEIVER_HOST: host = "127.0.0.1",
} = process.env;
const POLL_MS = 50;
const PATIENCE_MS = 20_000;

async function request(path, fields) {
  const body = fields && new URLSearchParams(fields);
  const answer = await fetch(`${hub}/${path}`, { method: body ? "POST" : "GET", body });
  if (!answer.ok) {
    throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  }
  return answer.json();
}

// What Twilio has no requests for: reviews, faults, and the list of sent callbacks.
export const approve = (sid, fields = {}) => request(`simulator/profiles/${sid}/approve`, fields);
export const reject = (sid, code, reason) => request(`simulator/profiles/${sid}/reject`, { code, reason });
export const set = (settings) => request("simulator/settings", settings);

// The attempts to send the callbacks with this status, once no callback is under way.
export async function attempts(sid, status) {
  const journal = await until(async () => {
    const journal = await request("simulator/callbacks");
    return journal.under_way === 0 && journal;
  });
  return journal.attempts.filter((attempt) => attempt.profile_sid === sid && attempt.status === status);
}

async function until(condition) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const value = await condition();
    if (value) {
      return value;
    }
    if (Date.now() > deadline) {
      throw new Error(`in vain: ${condition}`);
    }
    await setTimeout(POLL_MS);
  }
}

// Waits for a simulator that answers, and gives its account an approved primary profile, as yours has at Twilio.
export async function prepare() {
  // Any answer ends the wait; the next request reports one that is an error.
  await until(() => fetch(`${hub}/openapi.json`).then(() => true, () => false));
  await request("simulator/primary-profiles", { type: "business", status: "twilio-approved" });
}

// Twilio's client. Only its base URLs are changed.
export function connect() {
  const client = twilio(account, token);
  client.trusthub.baseUrl = client.api.baseUrl = hub;
  return client;
}

// Stands for your receiver of callbacks: it accepts only what Twilio has signed.
export async function startReceiver() {
  const events = new EventEmitter();
  const callbacks = on(events, "callback");
  let url;
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString();
    const fields = Object.fromEntries(new URLSearchParams(body));
    const isSigned = twilio.validateRequest(token, request.headers["x-twilio-signature"] ?? "", url, fields);
    // First, because the simulator sends the next callback of the profile after the answer.
    events.emit("callback", isSigned && fields);
    response.writeHead(isSigned ? 204 : 403).end();
  });
  await new Promise((resolve) => server.listen(0, host === "127.0.0.1" ? host : undefined, resolve));
  url = `http://${host}:${server.address().port}/callbacks`;
  return {
    url,
    // The fields of the next callback.
    async next() {
      const [fields] = (await callbacks.next()).value;
      if (!fields) {
        throw new Error("the signature of a callback is wrong");
      }
      return fields;
    },
    close: () => server.close(),
  };
}
