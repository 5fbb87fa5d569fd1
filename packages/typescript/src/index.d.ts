// The events of trusthub-bridge, and the rules that a consumer needs: see the README.

import type { Data, DataByType, ProfileStatusChanged, Status } from "./types.js";

export type * from "./types.js";

export declare const PROFILE_STATUS_CHANGED_TYPE: "io.trusthub-bridge.profile.status-changed.v1";
export declare const PROFILE_DESCRIBED_TYPE: "io.trusthub-bridge.profile.described.v1";
export declare const PROFILE_DELETED_TYPE: "io.trusthub-bridge.profile.deleted.v1";
export declare const PROFILE_STATE_TYPE: "io.trusthub-bridge.profile.state.v1";

type HeaderValue = Uint8Array | string;

/** The headers of a record by name, as KafkaJS and Confluent's client have them. */
export type HeadersByName = Readonly<Record<string, HeaderValue | readonly HeaderValue[] | undefined | null>>;

/** The parts of a Kafka record on which the decision depends, as the clients name them. */
export interface Message {
  /**
   * By name, or as node-rdkafka has them, a list of objects with one header each, or a list of pairs. Of several headers with one
   * name, the first one counts. Headers of another shape are a TypeError.
   */
  readonly headers?: HeadersByName | readonly HeadersByName[] | readonly (readonly [string, HeaderValue | null])[] | null | undefined;
  /** Null for a tombstone. */
  readonly value: Uint8Array | null;
}

/** Returns the Avro schema that a registry has under an id, as JSON. */
export type WriterSchema = (id: number) => Promise<string> | string;

/**
 * `"bundled"` reads Avro with the schemas of this package. That is right only while the bridge has the version of the package: a
 * record of another version is unreadable, or has texts in the wrong fields.
 */
export type WriterSchemas = WriterSchema | "bundled";

/** A CloudEvent of the bridge. */
export interface Event<T extends Data = Data> {
  /** Equal for repeats. */
  readonly id: string;
  readonly type: string;
  /** When the callback arrived, or when Trust Hub was asked. */
  readonly time: Date;
  readonly source: string | null;
  readonly subject: string | null;
  readonly data: T;
}

export interface DecodeOptions<Type extends keyof DataByType = keyof DataByType> {
  /** The types that the consumer handles; all by default. The value of a record of another type is not read. */
  readonly types?: readonly Type[];
  /**
   * Avro needs it. What it throws is passed on: the record must be read again later, and not be skipped. The same is true of
   * the error without it, and of that for a schema of something else.
   */
  readonly writerSchema?: WriterSchemas | undefined;
}

/** A record cannot be used. Its offset is committed as well, or the partition would be blocked. */
export declare class UnusableRecord extends Error {
  /** `unknown_type`: the consumer does not support it. `unreadable`: the record violates the contract of its type. */
  readonly reason: "unknown_type" | "unreadable";
}

/**
 * Reads the event in a record: JSON or Avro, with the attributes of CloudEvents in headers or in the value.
 *
 * Rejects with `UnusableRecord`. A tombstone has no value and is unreadable: in the topic of states, check for it first.
 */
export declare function decode<Type extends keyof DataByType = keyof DataByType>(
  message: Message,
  options?: DecodeOptions<Type>,
): Promise<Event<DataByType[Type]>>;

/** What to log about a record; without personal data. */
export type Outcome =
  | { applied: true; account_sid: string; profile_sid: string; status: Status; ce_id: string }
  | { applied: false; reason: Reason; ce_id: string | null };

/** Why a record is skipped. */
export type Reason = "repeat" | "older" | "unknown_type" | "unreadable";

/** How to treat a record. */
export type Decision =
  | {
      readonly applied: true;
      readonly event: Event<ProfileStatusChanged>;
      /** `unknown` for a status that this version of the package does not know. */
      readonly status: Status;
      readonly outcome: Outcome;
    }
  | {
      /** There is nothing to do; the offset is still committed, or the partition would be blocked. */
      readonly applied: false;
      readonly reason: Reason;
      /** What an operator should check; null for a repeat, an older event, and another type that this package knows. */
      readonly problem: string | null;
      readonly outcome: Outcome;
    };

/**
 * The latest status of every profile.
 *
 * This view is in memory and starts empty. A real consumer keeps it in its database and updates a profile in one transaction;
 * then it may also stop between applying an event and committing its offset.
 */
export declare class View {
  constructor(options?: { readonly writerSchema?: WriterSchemas | undefined });
  /** Applies one record to the view. Records of a partition must be applied in order, each after the one before. */
  apply(message: Message): Promise<Decision>;
  /** The last event that was applied to a profile, as the account that the event names sees it. */
  latest(accountSid: string, profileSid: string): Event<ProfileStatusChanged> | undefined;
}

/** The status, or `unknown` for one that this version of the package does not know. */
export declare function knownStatus(status: Status): Status;
