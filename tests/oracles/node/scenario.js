// A scenario with a customer profile and a trust product, including errors, played through Twilio's official Node
// library: the same arguments and the same output as ../python/scenario.py.
"use strict";

const twilio = require("twilio");

// Requires an end user and a supporting document.
const POLICY = "RNdfbf3fae0e1107f8aded0e7cead80bf5";
const OBJECTS = [`IT${"1".repeat(32)}`, `RD${"2".repeat(32)}`];
const UNKNOWN = `BU${"f".repeat(32)}`;

function clientOf(base, account, token) {
  const client = twilio(account, token);
  client.trusthub.baseUrl = base;
  return client.trusthub.v1;
}

// Controls the simulator: the actions have no request in Twilio's API.
async function control(base, path, form) {
  const answer = await fetch(`${base}/simulator${path}`, { method: "POST", body: new URLSearchParams(form) });
  if (!answer.ok) {
    throw new Error(await answer.text());
  }
}

function shown(profile) {
  const dates = [profile.dateCreated, profile.dateUpdated];
  return {
    name: profile.friendlyName,
    email: profile.email,
    status: profile.status,
    errors: profile.errors,
    callback: profile.statusCallback,
    valid: profile.validUntil !== null,
    dated: dates.every((date) => date instanceof Date),
  };
}

async function problem(action) {
  try {
    await action();
  } catch (error) {
    if (error instanceof twilio.RestException) {
      return { status: error.status, code: error.code, message: error.message };
    }
    throw error;
  }
  return null;
}

async function subLists(profiles, sid, kind) {
  const context = profiles(sid);
  const assignments = context[`${kind}EntityAssignments`];
  const objects = async () => (await assignments.list()).map((one) => one.objectSid);
  const [first, second] = [
    await assignments.create({ objectSid: OBJECTS[0] }),
    await assignments.create({ objectSid: OBJECTS[1] }),
  ];
  const fetched = await assignments.get(first.sid).fetch();
  const steps = {
    assigned: await objects(),
    fetched: [fetched.objectSid, fetched.dateCreated instanceof Date],
    unassigned: await assignments.get(second.sid).remove(),
    left: await objects(),
    gone: (await problem(() => assignments.get(second.sid).fetch())).code,
    evaluations: (await context[`${kind}Evaluations`].list()).length,
    "channel endpoints": (await context[`${kind}ChannelEndpointAssignment`].list()).length,
  };
  await assignments.create({ objectSid: OBJECTS[1] });
  return steps;
}

async function scenario(profiles, kind, base) {
  const steps = {};
  const created = await profiles.create({
    friendlyName: "Shop",
    email: "shop@example.com",
    policySid: POLICY,
    statusCallback: "https://hooks.example.com/",
  });
  const profile = profiles(created.sid);
  const update = async (change) => shown(await profile.update(change));
  const listed = await profiles.list({ friendlyName: "Shop", status: "draft", policySid: POLICY });
  steps.created = shown(created);
  steps.fetched = shown(await profile.fetch());
  steps.listed = listed.map(shown);
  steps.updated = await update({ friendlyName: "Shop 2", email: "other@example.com", statusCallback: "" });
  steps["wrong status"] = [
    await problem(() => profile.update({ status: "approved" })),
    await problem(() => profile.update({ status: "twilio-approved" })),
  ];
  steps["submitted incomplete"] = await update({ status: "pending-review" });
  steps["sub-lists"] = await subLists(profiles, created.sid, kind);
  steps.submitted = await update({ status: "pending-review" });
  steps.locked = [
    await problem(() => profile.update({ friendlyName: "Shop 3" })),
    await problem(() => profile.remove()),
  ];
  await control(base, `/profiles/${created.sid}/reject`, { code: 18602, reason: "Unknown address" });
  steps.rejected = shown(await profile.fetch());
  steps.edited = await update({ friendlyName: "Shop 3" });
  steps.resubmitted = await update({ status: "pending-review" });
  await control(base, `/profiles/${created.sid}/approve`, { valid_for_secs: 3600 });
  steps.approved = shown(await profile.fetch());
  steps.deleted = await profile.remove();
  steps.gone = (await problem(() => profile.fetch())).code;
  return steps;
}

// Lists every seeded profile, with pages of 100 and with the default ones.
async function paging(profiles) {
  const names = async (options) => (await profiles.list(options)).map((one) => one.friendlyName);
  const sizes = [];
  let page = await profiles.page();
  let last;
  while (page) {
    sizes.push(page.instances.length);
    last = page;
    page = await page.nextPage();
  }
  return {
    names: [await names({ pageSize: 100 }), await names()],
    sizes,
    "before the last": (await last.previousPage()).instances.length,
  };
}

async function problems(profiles, base, account) {
  const unauthenticated = clientOf(base, account, "not the token").customerProfiles;
  const wrong = { friendlyName: "Shop", email: "invalid", policySid: POLICY };
  const seen = {
    unauthenticated: await problem(() => unauthenticated(UNKNOWN).fetch()),
    unknown: await problem(() => profiles(UNKNOWN).fetch()),
    "wrong e-mail": await problem(() => profiles.create(wrong)),
  };
  await control(base, "/settings", { too_many_requests: 100 });
  seen["too many"] = await problem(() => profiles(UNKNOWN).fetch());
  await control(base, "/settings", { too_many_requests: 0 });
  return seen;
}

async function main([base, account, token]) {
  const api = clientOf(base, account, token);
  const transcript = {
    paging: await paging(api.customerProfiles),
    "customer profile": await scenario(api.customerProfiles, "customerProfiles", base),
    "trust product": await scenario(api.trustProducts, "trustProducts", base),
    problems: await problems(api.customerProfiles, base, account),
  };
  console.log(JSON.stringify(transcript));
}

main(process.argv.slice(2));
