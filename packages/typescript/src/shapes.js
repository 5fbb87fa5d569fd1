// How to read the data of records, generated from the JSON Schemas by packages/generate.

import { accountSid, list, map, number, object, profileSid, text, time } from "./read.js";

export const STATUSES = new Set(["draft", "pending-review", "in-review", "twilio-rejected", "twilio-approved", "provisionally-approved", "unknown"]);

const readRejectionReason = object({
  code: [number(4294967295), false],
  meaning: [text, true],
  message: [text, true],
});

const readProfileDetails = object({
  friendly_name: [text, true],
  policy_sid: [text, true],
  type: [text, true],
  tier: [text, true],
  date_created: [time, true],
  date_updated: [time, false],
});

const readProfileStatusChanged = object({
  account_sid: [accountSid, false],
  profile_sid: [profileSid, false],
  resource: [text, false],
  status: [text, false],
  raw_status: [text, false],
  failure_reason: [text, true],
  errors: [list(readRejectionReason), false],
  valid_until: [text, true],
  received_at: [time, false],
  origin: [text, false],
  idempotency_token: [text, true],
  extra: [map(list(text)), false],
  profile: [readProfileDetails, true],
});

const readProfileDescribed = object({
  account_sid: [accountSid, false],
  profile_sid: [profileSid, false],
  resource: [text, false],
  status: [text, false],
  raw_status: [text, false],
  valid_until: [text, true],
  received_at: [time, false],
  origin: [text, false],
  profile: [readProfileDetails, false],
});

const readProfileDeleted = object({
  account_sid: [accountSid, false],
  profile_sid: [profileSid, false],
  resource: [text, false],
  received_at: [time, false],
  origin: [text, false],
});

const readRecentId = object({
  id: [text, false],
  time: [time, false],
});

const readPosition = object({
  partition: [number(9007199254740991), false],
  offset: [number(9007199254740991), false],
});

const readStatusChange = object({
  status: [text, false],
  raw_status: [text, false],
  since: [time, false],
});

const readProfileState = object({
  account_sid: [accountSid, false],
  profile_sid: [profileSid, false],
  resource: [text, false],
  status: [text, false],
  raw_status: [text, false],
  since: [time, false],
  previous_status: [text, true],
  previous_since: [time, true],
  errors: [list(readRejectionReason), false],
  failure_reason: [text, true],
  valid_until: [text, true],
  first_seen_at: [time, false],
  updated_at: [time, false],
  changes: [number(9007199254740991), false],
  rejections: [number(9007199254740991), false],
  last_event_id: [text, false],
  recent_ids: [list(readRecentId), false],
  position: [readPosition, false],
  profile: [readProfileDetails, true],
  history: [list(readStatusChange), false],
});

export const READERS = new Map([
  ["io.trusthub-bridge.profile.status-changed.v1", readProfileStatusChanged],
  ["io.trusthub-bridge.profile.described.v1", readProfileDescribed],
  ["io.trusthub-bridge.profile.deleted.v1", readProfileDeleted],
  ["io.trusthub-bridge.profile.state.v1", readProfileState],
]);

export const PROFILE_STATUS_CHANGED_TYPE = "io.trusthub-bridge.profile.status-changed.v1";
export const PROFILE_DESCRIBED_TYPE = "io.trusthub-bridge.profile.described.v1";
export const PROFILE_DELETED_TYPE = "io.trusthub-bridge.profile.deleted.v1";
export const PROFILE_STATE_TYPE = "io.trusthub-bridge.profile.state.v1";
