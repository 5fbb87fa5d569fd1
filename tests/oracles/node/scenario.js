// A scenario with a customer profile and a trust product, including errors, played through Twilio's official Node
// library: the same arguments and the same output as ../python/scenario.py.
"use strict";

const twilio = require("twilio");

// Requires an end user, an address and an approved primary profile.
const POLICY = "RN806dd6cd175f314e1f96a9727ee271f4";
const PERSON = { first_name: "Ada", last_name: "Sample", email: "ada@example.com", phone_number: "+15005550006" };
const UNKNOWN = `BU${"f".repeat(32)}`;

function clientOf(base, account, token) {
  const client = twilio(account, token);
  client.trusthub.baseUrl = base;
  client.api.baseUrl = base;
  client.numbers.baseUrl = base;
  return client;
}

// Controls the simulator: the actions have no request in Twilio's API.
async function control(base, path, form) {
  const answer = await fetch(`${base}/simulator${path}`, { method: "POST", body: new URLSearchParams(form) });
  if (!answer.ok) {
    throw new Error(await answer.text());
  }
  return answer.json();
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

// The SIDs of an end user, a document with an address, and an approved primary profile.
async function parts(client, base) {
  const address = await client.addresses.create({
    customerName: "Shop",
    street: "1 Main Street",
    city: "Springfield",
    region: "IL",
    postalCode: "62701",
    isoCountry: "US",
  });
  const api = client.trusthub.v1;
  const person = await api.endUsers.create({
    friendlyName: "Ada",
    type: "starter_customer_profile_information",
    attributes: PERSON,
  });
  const document = await api.supportingDocuments.create({
    friendlyName: "Address",
    type: "customer_profile_address",
    attributes: { address_sids: address.sid },
  });
  const primary = await control(base, "/primary-profiles", { type: "business", status: "twilio-approved" });
  return [person.sid, document.sid, primary.sid];
}

async function subLists(profiles, sid, kind, objects) {
  const context = profiles(sid);
  const assignments = context[`${kind}EntityAssignments`];
  const kinds = async (filter) => (await assignments.list(filter)).map((one) => one.objectSid.slice(0, 2));
  const assigned = [];
  for (const objectSid of objects) {
    assigned.push(await assignments.create({ objectSid }));
  }
  const [first, second] = assigned;
  const fetched = await assignments.get(first.sid).fetch();
  const steps = {
    assigned: await kinds(),
    "of a type": await kinds({ objectType: "customer_profile_address" }),
    fetched: [fetched.objectSid === objects[0], fetched.dateCreated instanceof Date],
    unassigned: await assignments.get(second.sid).remove(),
    left: await kinds(),
    gone: (await problem(() => assignments.get(second.sid).fetch())).code,
    evaluations: (await context[`${kind}Evaluations`].list()).length,
    "channel endpoints": (await context[`${kind}ChannelEndpointAssignment`].list()).length,
  };
  await assignments.create({ objectSid: objects[1] });
  return steps;
}

async function scenario(client, profiles, kind, base) {
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
  steps["sub-lists"] = await subLists(profiles, created.sid, kind, await parts(client, base));
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

// Lists, fetches, changes and deletes an object that exists.
async function life(list, one, change) {
  const { sid } = one;
  const listed = await list.list();
  const context = list.get ? list.get(sid) : list(sid);
  const steps = [listed[0].sid === sid, (await context.fetch()).sid === sid];
  if (change) {
    const [name] = Object.keys(change);
    const changed = await context.update(change);
    steps.push(JSON.stringify(changed[name]) === JSON.stringify(change[name]));
  }
  return [...steps, await context.remove(), (await problem(() => context.fetch())).code];
}

async function fetched(types) {
  const same = [];
  for (const one of await types.list()) {
    same.push((await types(one.sid).fetch()).friendlyName === one.friendlyName);
  }
  return same;
}

// The life of each kind of object.
async function partsOf(client) {
  const hub = client.trusthub.v1;
  const numbers = client.numbers.v2.regulatoryCompliance;
  const address = { customerName: "Shop", street: "1", city: "C", region: "R", postalCode: "1", isoCountry: "US" };
  const created = { friendlyName: "Part", type: "individual", attributes: { first_name: "Ada" } };
  const bundle = { friendlyName: "A", email: "a", regulationSid: `RN${"7".repeat(32)}` };
  const { addresses } = client;
  const { endUsers, supportingDocuments } = hub;
  return {
    address: await life(addresses, await addresses.create(address), { street: "2" }),
    "end user": await life(endUsers, await endUsers.create(created), { attributes: { first_name: "Eve" } }),
    document: await life(supportingDocuments, await supportingDocuments.create(created), { friendlyName: "B" }),
    "end user of numbers": await life(numbers.endUsers, await numbers.endUsers.create(created), { friendlyName: "B" }),
    bundle: await life(numbers.bundles, await numbers.bundles.create(bundle), { friendlyName: "B" }),
    types: [await fetched(hub.policies), await fetched(hub.endUserTypes), await fetched(hub.supportingDocumentTypes)],
    attributes: await problem(() => endUsers.create({ friendlyName: "A", type: "t", attributes: [1] })),
  };
}

// What an approved profile can have.
async function approved(client, profiles, kind, base) {
  const created = await profiles.create({ friendlyName: "Shop", email: "a", policySid: `RN${"0".repeat(32)}` });
  const profile = profiles(created.sid);
  const evaluations = profile[`${kind}Evaluations`];
  const evaluation = await evaluations.create({ policySid: POLICY });
  const endpoints = profile[`${kind}ChannelEndpointAssignment`];
  const number = await endpoints.create({
    channelEndpointType: "phone-number",
    channelEndpointSid: `PN${"1".repeat(32)}`,
  });
  await profile.update({ status: "pending-review" });
  await control(base, `/profiles/${created.sid}/approve`, {});
  const copies = client.trusthub.v1[`${kind}ProvisionalCopy`](created.sid);
  const copy = await copies.create();
  return {
    evaluation: [
      evaluation.status,
      (await evaluations.get(evaluation.sid).fetch()).status,
      (await evaluations.list()).length,
    ],
    endpoint: await life(endpoints, number),
    copy: [copy.status, (await copies.fetch()).friendlyName, (await problem(() => copies.create())).code],
    approved: await problem(() => profile.update({ status: "pending-review" })),
  };
}

async function inquiries(client, base) {
  const hub = client.trusthub.v1;
  const primary = await control(base, "/primary-profiles", { type: "business", status: "twilio-approved" });
  const primaryProfileSid = primary.sid;
  const customer = await hub.complianceInquiries.create({ primaryProfileSid });
  const resumed = await hub.complianceInquiries(customer.customerId).update({ primaryProfileSid });
  const started = [
    customer,
    await hub.complianceTollfreeInquiries.create({
      tollfreePhoneNumber: "+18005550100",
      notificationEmail: "a@example.com",
    }),
    await hub.complianceRegistrationInquiries.create({ endUserType: "Business", phoneNumberType: "local" }),
  ];
  return [
    resumed.customerId === customer.customerId,
    started.every((one) => Boolean(one.inquiryId && one.inquirySessionToken)),
    (await hub.customerProfiles(customer.customerId).fetch()).status,
  ];
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
  const unauthenticated = clientOf(base, account, "not the token").trusthub.v1.customerProfiles;
  const wrong = { friendlyName: "Shop", email: "", policySid: POLICY };
  const seen = {
    unauthenticated: await problem(() => unauthenticated(UNKNOWN).fetch()),
    unknown: await problem(() => profiles(UNKNOWN).fetch()),
    "no e-mail": await problem(() => profiles.create(wrong)),
  };
  await control(base, "/settings", { too_many_requests: 100 });
  seen["too many"] = await problem(() => profiles(UNKNOWN).fetch());
  await control(base, "/settings", { too_many_requests: 0 });
  return seen;
}

async function main([base, account, token]) {
  const client = clientOf(base, account, token);
  const api = client.trusthub.v1;
  const transcript = {
    paging: await paging(api.customerProfiles),
    "customer profile": await scenario(client, api.customerProfiles, "customerProfiles", base),
    "trust product": await scenario(client, api.trustProducts, "trustProducts", base),
    parts: await partsOf(client),
    "approved profile": await approved(client, api.customerProfiles, "customerProfiles", base),
    "approved product": await approved(client, api.trustProducts, "trustProducts", base),
    inquiries: await inquiries(client, base),
    problems: await problems(api.customerProfiles, base, account),
  };
  console.log(JSON.stringify(transcript));
}

module.exports = { clientOf, control, fetched, life, problem };

if (require.main === module) {
  main(process.argv.slice(2));
}
