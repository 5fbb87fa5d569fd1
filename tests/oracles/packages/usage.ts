// A consumer in strict TypeScript, which is only compiled: the declarations fit the way in which the package is used.

import {
  decode,
  knownStatus,
  PROFILE_DELETED_TYPE,
  PROFILE_STATE_TYPE,
  UnusableRecord,
  View,
  type Data,
  type Event,
  type Message,
  type ProfileState,
  type Status,
} from "@trusthub-bridge/events";

const value = new Uint8Array();
const message: Message = { headers: { ce_id: value, ce_type: "text", other: [value, "text"], none: undefined }, value };

export async function use(): Promise<void> {
  const view = new View({ writerSchema: async (id: number) => `{"type": "record", "name": "${id}"}` });
  const decision = await view.apply(message);
  if (decision.applied) {
    const codes: number[] = decision.event.data.errors.map(({ code }) => code);
    const status: string = decision.status;
    const reason: string | null = decision.event.data.failure_reason;
    console.log(codes, status, reason?.length, decision.event.time.getTime());
    // @ts-expect-error it may be null
    console.log(decision.event.data.failure_reason.length);
    // @ts-expect-error the data is read-only
    decision.event.data.status = "draft";
  } else {
    console.log(decision.reason === "repeat", decision.problem?.length);
    // @ts-expect-error there is no event
    console.log(decision.event);
  }
}

// Known values are suggested, and others are no error.
export const later: Status = "on-hold";
export const known: Status = knownStatus("draft");

export async function states(): Promise<ProfileState | undefined> {
  try {
    const event = await decode(message, { types: [PROFILE_STATE_TYPE] });
    return event.data;
  } catch (error) {
    if (error instanceof UnusableRecord && error.reason === "unknown_type") return undefined;
    throw error;
  }
}

export async function all(): Promise<string> {
  const event: Event<Data> = await decode(message);
  // @ts-expect-error not every kind of data has it
  console.log(event.data.extra);
  const deleted = await decode(message, { types: [PROFILE_DELETED_TYPE] });
  // @ts-expect-error a deletion has no status
  console.log(deleted.data.status);
  return event.data.profile_sid;
}

declare const console: { log(...values: unknown[]): void };
