import { decodeContent } from "./decode.js";
import { UnusableRecord } from "./errors.js";
import { contentOf } from "./record.js";
import { PROFILE_STATUS_CHANGED_TYPE, READERS, STATUSES } from "./shapes.js";

// How much later than its first record a repeat of an event may have been received, in milliseconds. Twilio repeats a callback
// within minutes; the rest allows for differences between clocks.
const REPEATS_WITHIN = 60 * 60 * 1000;

const TYPES = [PROFILE_STATUS_CHANGED_TYPE];

// What the bridge also writes, and what says nothing about the status of a profile: test events, and the other data.
const OTHER_TYPES = new Set(["io.trusthub-bridge.test.v1", ...READERS.keys()].filter((type) => !TYPES.includes(type)));

export class View {
  #profiles = new Map();
  #options;

  constructor({ writerSchema } = {}) {
    this.#options = { types: TYPES, writerSchema };
  }

  async apply(message) {
    const content = contentOf(message);
    try {
      return this.#applyEvent(await decodeContent(content, this.#options));
    } catch (error) {
      if (!(error instanceof UnusableRecord)) throw error;
      const isNormal = error.reason === "unknown_type" && OTHER_TYPES.has(content.type);
      return skipped(error.reason, content.id, isNormal ? null : error.message);
    }
  }

  latest(accountSid, profileSid) {
    return this.#profiles.get(keyOf(accountSid, profileSid))?.latest;
  }

  #applyEvent(event) {
    // An event of one account must not change what is known about a profile of another account.
    const key = keyOf(event.data.account_sid, event.data.profile_sid);
    const profile = this.#profiles.get(key) ?? { latest: event, recent: new Map() };
    this.#profiles.set(key, profile);
    if (profile.recent.has(event.id)) return skipped("repeat", event.id);
    // Equal times are no reason to skip: within one millisecond the partition's order decides.
    if (event.time < profile.latest.time) {
      remember(profile, event);
      return skipped("older", event.id);
    }
    profile.latest = event;
    remember(profile, event);
    return applied(event);
  }
}

/** Remembers an event, and forgets events whose repeats would all be older than the latest one. */
function remember({ latest, recent }, event) {
  recent.set(event.id, event.time);
  for (const [id, time] of recent) {
    if (latest.time - time > REPEATS_WITHIN) recent.delete(id);
  }
}

const keyOf = (accountSid, profileSid) => `${accountSid}/${profileSid}`;

export function knownStatus(status) {
  return STATUSES.has(status) ? status : "unknown";
}

function applied(event) {
  const { account_sid, profile_sid } = event.data;
  const status = knownStatus(event.data.status);
  const outcome = { applied: true, account_sid, profile_sid, status, ce_id: event.id };
  return { applied: true, event, status, outcome };
}

function skipped(reason, ce_id, problem = null) {
  return { applied: false, reason, problem, outcome: { applied: false, reason, ce_id } };
}
