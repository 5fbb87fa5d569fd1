// Tests of onboarding.mjs, which stands for your code.
import { afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { correct, onboard, poll } from "./onboarding.mjs";
import { approve, attempts, connect, prepare, reject, set, startReceiver } from "./simulator.mjs";

const BUSINESS = {
  business_name: "Corner Shop Ltd",
  business_identity: "direct_customer",
  business_type: "Limited Liability Corporation",
  business_industry: "RETAIL",
  business_registration_identifier: "EIN",
  business_registration_number: "12-3456789",
  business_regions_of_operation: "USA_AND_CANADA",
  website_url: "https://shop.example.com",
};

vi.setConfig({ testTimeout: 20_000, hookTimeout: 20_000 });

const client = connect();
const fetchProfile = (sid) => client.trusthub.v1.customerProfiles(sid).fetch();
let receiver;

async function statuses(count) {
  const found = [];
  while (found.length < count) {
    found.push((await receiver.next()).Status);
  }
  return found;
}

beforeAll(prepare);
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(async () => {
  receiver.close();
  await set({ drop: 0, speed: 1 });
});

test("a rejected business is corrected and approved", async () => {
  const { sid } = await onboard(client, BUSINESS, receiver.url);
  expect(await statuses(2)).toEqual(["pending-review", "in-review"]);

  await reject(sid, 18602, "Not in the register");
  const rejection = { BundleSid: sid, Status: "twilio-rejected", FailureReason: "Not in the register (18602)" };
  expect(await receiver.next()).toMatchObject(rejection);
  expect((await fetchProfile(sid)).errors).toEqual([{ code: 18602 }]);

  await correct(client, sid, { ...BUSINESS, business_registration_number: "98-7654321" });
  expect(await statuses(2)).toEqual(["pending-review", "in-review"]);

  await approve(sid);
  expect(await statuses(1)).toEqual(["twilio-approved"]);
  expect((await fetchProfile(sid)).status).toBe("twilio-approved");
});

test("an incomplete business is rejected at once", async () => {
  const profile = await onboard(client, { ...BUSINESS, website_url: "" }, receiver.url);
  expect(profile).toMatchObject({ status: "twilio-rejected", errors: [{ code: 22215 }] });
  expect(await statuses(1)).toEqual(["twilio-rejected"]);
});

test("a change whose callback was lost is found by polling", async () => {
  const { sid } = await onboard(client, BUSINESS, receiver.url);
  expect(await poll(client, { [sid]: "in-review" })).toEqual({});

  await set({ drop: 100 });
  await reject(sid, 18603, "Unknown address");
  expect(await attempts(sid, "twilio-rejected")).toMatchObject([{ failure: "dropped" }]);
  expect(await poll(client, { [sid]: "in-review" })).toEqual({ [sid]: "twilio-rejected" });
});

test("an approval expires", async () => {
  const { sid } = await onboard(client, BUSINESS, receiver.url);
  await set({ speed: 86_400 }); // a day takes a second
  await approve(sid, { valid_for_secs: 86_400 });
  expect(await statuses(4)).toEqual(["pending-review", "in-review", "twilio-approved", "twilio-rejected"]);
  expect((await fetchProfile(sid)).errors).toEqual([{ code: 22601 }]);
});
