// A scenario with regulations and regulatory bundles, played through Twilio's official Node library: the same arguments
// and the same output as ../python/bundles.py.
"use strict";

const { clientOf, control, fetched, life, problem } = require("./scenario");

const GERMAN_NUMBERS = { isoCountry: "DE", numberType: "local", endUserType: "business" };
const UNKNOWN_REGULATION = `RN${"7".repeat(32)}`;
const BUSINESS = {
  business_name: "Shop",
  business_registration_number: "HRB 1",
  business_website: "https://shop.example.com",
  first_name: "Ada",
  last_name: "Sample",
  email: "ada@example.com",
};

async function regulations(numbers) {
  const [german] = await numbers.regulations.list({ ...GERMAN_NUMBERS, includeConstraints: true });
  const same = await numbers.regulations(german.sid).fetch({ includeConstraints: true });
  const [field] = same.requirements.end_user[0].detailed_fields;
  return {
    all: await fetched(numbers.regulations),
    german: [german.friendlyName, german.isoCountry, german.numberType, german.endUserType],
    constraint: [field.constraint, JSON.stringify(same.requirements) === JSON.stringify(german.requirements)],
    types: [await fetched(numbers.endUserTypes), await fetched(numbers.supportingDocumentTypes)],
  };
}

// The SIDs of the items that the regulation requires.
async function parts(client, numbers) {
  const address = { customerName: "Shop", street: "1", city: "C", region: "R", postalCode: "1", isoCountry: "DE" };
  const { sid } = await client.addresses.create(address);
  const business = await numbers.endUsers.create({ friendlyName: "Shop", type: "business", attributes: BUSINESS });
  const excerpt = await numbers.supportingDocuments.create({
    friendlyName: "Excerpt",
    type: "commercial_registrar_excerpt",
    attributes: { business_name: "Shop", business_registration_number: "HRB 1", address_sids: [sid] },
  });
  return [business.sid, excerpt.sid];
}

// The evaluations of a bundle before and after its items are assigned.
async function filled(bundle, sids) {
  const { evaluations, itemAssignments: items } = bundle;
  const before = await evaluations.create();
  const assigned = [];
  for (const objectSid of sids) {
    assigned.push(await items.create({ objectSid }));
  }
  const first = items.get(assigned[0].sid);
  const steps = {
    fetched: (await first.fetch()).objectSid === sids[0],
    listed: (await items.list()).map((one) => one.objectSid.slice(0, 2)),
    unassigned: [await first.remove(), (await problem(() => first.fetch())).code],
  };
  await items.create({ objectSid: sids[0] });
  const after = await evaluations.create();
  const same = await evaluations.get(after.sid).fetch();
  return {
    ...steps,
    evaluations: [before, after, same].map((one) => one.status),
    kept: (await evaluations.list()).length,
  };
}

// The names in lists of bundles: three are approved, and one of them has an end date.
async function lists(bundles, bundle, others) {
  const inHours = (hours) => new Date(Date.now() + hours * 3_600_000);
  const filters = [
    { status: "twilio-approved" },
    { status: "provisionally-approved" },
    { bundleSids: [bundle.sid, others[0].sid].join(",") },
    GERMAN_NUMBERS,
    { regulationSid: bundle.regulationSid, friendlyName: "German" },
    { hasValidUntilDate: true },
    { validUntilDateAfter: inHours(0), validUntilDateBefore: inHours(2) },
    { validUntilDateAfter: inHours(2) },
    { validUntilDate: bundle.validUntil },
    { sortBy: "valid-until", sortDirection: "DESC" },
    { sortBy: "date-updated", sortDirection: "ASC", pageSize: 1 },
  ];
  const names = [];
  for (const criteria of filters) {
    names.push((await bundles.list(criteria)).map((one) => one.friendlyName));
  }
  return names;
}

// A bundle without requirements that is approved.
async function approved(bundles, base, friendlyName) {
  const { sid } = await bundles.create({ friendlyName, email: "a", regulationSid: UNKNOWN_REGULATION });
  await bundles(sid).update({ status: "pending-review" });
  await control(base, `/profiles/${sid}/approve`, {});
  return bundles(sid).fetch();
}

async function scenario(client, numbers, base) {
  const { bundles } = numbers;
  const steps = {};
  const { sid } = await bundles.create({ friendlyName: "German", email: "a", ...GERMAN_NUMBERS });
  const bundle = bundles(sid);
  const submit = async (one) => (await one.update({ status: "pending-review" })).status;
  steps.incomplete = await submit(bundle);
  steps.filled = await filled(bundle, await parts(client, numbers));
  steps.submitted = await submit(bundle);
  await control(base, `/profiles/${sid}/approve-provisionally`, { valid_for_secs: 3600 });
  const provisional = await bundle.fetch();
  steps.provisional = [provisional.status, provisional.validUntil instanceof Date];
  const others = [await approved(bundles, base, "First"), await approved(bundles, base, "Second")];
  steps.lists = await lists(bundles, provisional, others);
  await control(base, `/profiles/${sid}/approve`, { valid_for_secs: 3600 });
  steps.copies = await copied(bundles, bundle, base);
  const created = { friendlyName: "Test", email: "a", isTest: true, regulationSid: UNKNOWN_REGULATION };
  const test = bundles((await bundles.create(created)).sid);
  steps.test = await submit(test);
  steps.deleted = [await test.remove(), (await problem(() => test.fetch())).code];
  return steps;
}

// Copies an approved bundle, and replaces its items by those of the copy.
async function copied(bundles, bundle, base) {
  const made = await bundle.bundleCopies.create({ friendlyName: "Copy" });
  const copy = bundles(made.sid);
  const [listed] = await bundle.bundleCopies.list();
  const replace = () => bundle.replaceItems.create({ fromBundleSid: made.sid });
  const early = (await problem(replace)).code;
  await copy.update({ status: "pending-review" });
  await control(base, `/profiles/${made.sid}/approve`, {});
  const replaced = await replace();
  const objects = async (one) => (await one.itemAssignments.list()).map((item) => item.objectSid).sort();
  const [items, ofCopy] = [await objects(bundle), await objects(copy)];
  return {
    copy: [made.status, made.friendlyName, listed.sid === made.sid],
    early,
    replaced: [replaced.status, replaced.validUntil, items.join() === ofCopy.join(), items.length],
  };
}

async function document(numbers) {
  const created = await numbers.supportingDocuments.create({
    friendlyName: "Passport",
    type: "passport",
    attributes: { first_name: "Ada" },
  });
  return [
    [created.status, created.failureReason, created.errors],
    await life(numbers.supportingDocuments, created, { attributes: { first_name: "Eve" } }),
  ];
}

async function main([base, account, token]) {
  const client = clientOf(base, account, token);
  const numbers = client.numbers.v2.regulatoryCompliance;
  const transcript = {
    regulations: await regulations(numbers),
    document: await document(numbers),
    bundle: await scenario(client, numbers, base),
  };
  console.log(JSON.stringify(transcript));
}

main(process.argv.slice(2));
