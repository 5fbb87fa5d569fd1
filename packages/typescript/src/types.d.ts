// The data of records, generated from the JSON Schemas by packages/generate.
//
// A union that ends with `(string & {})` has the known values; later versions of the bridge may write others.

export type Resource =
  | "customer-profile"
  | "trust-product"
  | "regulatory-bundle"
  | "compliance-registration"
  | "unknown"
  | (string & {});

export type Status =
  | "draft"
  | "pending-review"
  | "in-review"
  | "twilio-rejected"
  | "twilio-approved"
  | "provisionally-approved"
  | "unknown"
  | (string & {});

export type Origin =
  | "callback"
  | "reconciliation"
  | (string & {});

export type ProfileType =
  | "business"
  | "individual"
  | "government"
  | "nonprofit"
  | "starter"
  | "a2p-messaging"
  | "a2p-sole-proprietor"
  | "a2p-starter"
  | "shaken-stir"
  | "cnam"
  | "voice-integrity"
  | "branded-calling"
  | "toll-free"
  | (string & {});

export type ProfileTier =
  | "primary"
  | "secondary"
  | (string & {});

/** One reason for a rejection. */
export interface RejectionReason {
  /** Twilio's error code. */
  readonly code: number;
  /** The meaning of the code in snake case; `null` for an unknown code. */
  readonly meaning: string | null;
  /** What is wrong, in one sentence for people; `null` for an unknown code. The wording may change. */
  readonly message: string | null;
}

/** The details of a profile, as fetched from Trust Hub. */
export interface ProfileDetails {
  /** The name that the owner gave the profile. May be the name of a person, which is personal data. */
  readonly friendly_name: string | null;
  /** The SID of the policy under which the profile is reviewed, or of the regulation of a bundle. */
  readonly policy_sid: string | null;
  /** The type of the profile; `null` if the policy is not known. The examples are the known values; consumers
   * must accept others.
   */
  readonly type: ProfileType | null;
  /** Whether it is the profile of the owner of the account or of a customer; `null` if its type has no tiers.
   * The examples are the known values; consumers must accept others.
   */
  readonly tier: ProfileTier | null;
  /** When the profile was created. */
  readonly date_created: string | null;
  /** When the profile was last changed, by its owner or by a review. */
  readonly date_updated: string;
}

/** The status of a compliance profile changed. Absent values are `null`, never an empty string. */
export interface ProfileStatusChanged {
  /** The account that owns the profile. */
  readonly account_sid: string;
  /** The profile whose status changed. */
  readonly profile_sid: string;
  /** The kind of the profile. The examples are the known values; consumers must accept others. */
  readonly resource: Resource;
  /** The new status. The examples are the known values; consumers must accept others. */
  readonly status: Status;
  /** The status as Twilio wrote it. */
  readonly raw_status: string;
  /** Why the profile was rejected, in Twilio's words. May contain personal data such as names and addresses. */
  readonly failure_reason: string | null;
  /** The distinct error codes of the rejection: first those of the error fields, then others in the failure
   * reason.
   */
  readonly errors: readonly RejectionReason[];
  /** When the approval expires, as Twilio wrote it. */
  readonly valid_until: string | null;
  /** When the callback arrived, or when the profile was fetched. */
  readonly received_at: string;
  /** How this service learned of the change. The examples are the known values; consumers must accept others. */
  readonly origin: Origin;
  /** Twilio's token, which all deliveries of one callback share. */
  readonly idempotency_token: string | null;
  /** All other fields, under the names received. */
  readonly extra: Readonly<Record<string, readonly string[]>>;
  /** Details that only Trust Hub provides. Absent when the change arrived in a callback. */
  readonly profile: ProfileDetails | null;
}

/** The details of a profile whose status did not change, as Trust Hub has them. */
export interface ProfileDescribed {
  /** The account that owns the profile. */
  readonly account_sid: string;
  /** The profile. */
  readonly profile_sid: string;
  /** The kind of the profile. The examples are the known values; consumers must accept others. */
  readonly resource: Resource;
  /** The present status. The examples are the known values; consumers must accept others. */
  readonly status: Status;
  /** The status as Twilio wrote it. */
  readonly raw_status: string;
  /** When the approval expires, as Twilio wrote it; `null` if the profile is not approved or its approval has
   * no end. Events of earlier versions lack it.
   */
  readonly valid_until: string | null;
  /** When Trust Hub was asked. */
  readonly received_at: string;
  /** How this service learned of it. The examples are the known values; consumers must accept others. */
  readonly origin: Origin;
  /** The details. */
  readonly profile: ProfileDetails;
}

/** Trust Hub says that a profile no longer exists. */
export interface ProfileDeleted {
  /** The account that owned the profile. */
  readonly account_sid: string;
  /** The profile that was deleted. */
  readonly profile_sid: string;
  /** The kind of the profile. The examples are the known values; consumers must accept others. */
  readonly resource: Resource;
  /** When Trust Hub was asked. */
  readonly received_at: string;
  /** How this service learned of it. The examples are the known values; consumers must accept others. */
  readonly origin: Origin;
}

/** An event about the status that the state takes into account. */
export interface RecentId {
  /** Its `ce_id`. */
  readonly id: string;
  /** Its `ce_time`. */
  readonly time: string;
}

/** The place of a record in the event topic. */
export interface Position {
  /** The number of the partition, from 0. */
  readonly partition: number;
  /** The offset in the partition, from 0. */
  readonly offset: number;
}

/** A change of the status. */
export interface StatusChange {
  /** The new status. The examples are the known values; consumers must accept others. */
  readonly status: Status;
  /** The new status as Twilio wrote it, at most 256 bytes. */
  readonly raw_status: string;
  /** The time of the event. */
  readonly since: string;
}

/** The present state of a profile. Absent values are `null`, never an empty string. */
export interface ProfileState {
  /** The account that owns the profile: the one that Trust Hub confirmed, otherwise the one of the first
   * event.
   */
  readonly account_sid: string;
  /** The profile. */
  readonly profile_sid: string;
  /** The kind of the profile. The examples are the known values; consumers must accept others. */
  readonly resource: Resource;
  /** The present status. The examples are the known values; consumers must accept others. */
  readonly status: Status;
  /** The present status as Twilio wrote it, at most 256 bytes. */
  readonly raw_status: string;
  /** The time of the event with which the present status began. */
  readonly since: string;
  /** The status before the present one; `null` if none is known. */
  readonly previous_status: Status | null;
  /** The time of the event with which the previous status began. */
  readonly previous_since: string | null;
  /** The error codes of the present rejection, at most 100. */
  readonly errors: readonly RejectionReason[];
  /** Why the profile is rejected, in Twilio's words, at most 4,096 bytes. May contain personal data such as
   * names and addresses. Always `null` if the service is configured to leave it out.
   */
  readonly failure_reason: string | null;
  /** When the approval expires, as Twilio wrote it, at most 256 bytes. */
  readonly valid_until: string | null;
  /** The time of the first event about the profile. */
  readonly first_seen_at: string;
  /** The time of the last event about the status. Events with an earlier time do not change the state. */
  readonly updated_at: string;
  /** How many times the status changed. The first event counts. */
  readonly changes: number;
  /** How many of these changes were rejections. */
  readonly rejections: number;
  /** The `ce_id` of the last event about the status. */
  readonly last_event_id: string;
  /** The ids by which repeats are recognized, ordered by time: those of the hour before `updated_at`, at most
   * 256.
   */
  readonly recent_ids: readonly RecentId[];
  /** The last record of the event topic that the state takes into account. */
  readonly position: Position;
  /** Details that only Trust Hub provides; `null` until it has confirmed the owner. */
  readonly profile: ProfileDetails | null;
  /** The last changes of the status, at most ten, the present status last. */
  readonly history: readonly StatusChange[];
}

export type Data = ProfileStatusChanged | ProfileDescribed | ProfileDeleted | ProfileState;

/** The data of each type of event. */
export interface DataByType {
  readonly "io.trusthub-bridge.profile.status-changed.v1": ProfileStatusChanged;
  readonly "io.trusthub-bridge.profile.described.v1": ProfileDescribed;
  readonly "io.trusthub-bridge.profile.deleted.v1": ProfileDeleted;
  readonly "io.trusthub-bridge.profile.state.v1": ProfileState;
}
