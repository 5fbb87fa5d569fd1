// Twilio's guide for ISVs: a customer's secondary profile and its A2P messaging product, from the policies to approval.
//
//     node isv_guide.mjs
//
// It is an ordinary program for Twilio's Trust Hub. TRUSTHUB_BASE_URL, if set, sends its requests to the simulator of
// trusthub-bridge instead. TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN are the credentials; STATUS_CALLBACK and
// PHONE_NUMBER_SID are optional. The account needs an approved primary profile. isv_guide.py does the same in Python.
//
// The second representative has no phone number at first, so the first submission is rejected, corrected and repeated.
import assert from "node:assert";
import { setTimeout } from "node:timers/promises";
import twilio from "twilio";

const PRIMARY_POLICY = "RN6433641899984f951173ef1738c3bdd0";
const SECONDARY_POLICY = "RNdfbf3fae0e1107f8aded0e7cead80bf5";
const A2P_POLICY = "RNb0d4771c2c98518d916a3d4cd70a8f8b";

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
const ADA = {
  first_name: "Ada",
  last_name: "Sample",
  email: "ada@example.com",
  phone_number: "+15005550006",
  business_title: "Owner",
  job_position: "CEO",
};
const BOB = { ...ADA, first_name: "Bob", email: "bob@example.com", phone_number: "" };
const { STATUS_CALLBACK, PHONE_NUMBER_SID, TRUSTHUB_BASE_URL } = process.env;
const CONTACT = { email: "compliance@example.com", statusCallback: STATUS_CALLBACK };
const POLL_MS = 200;
const PATIENCE_MS = 60_000;

function connect() {
  const client = twilio(process.env.TWILIO_ACCOUNT_SID, process.env.TWILIO_AUTH_TOKEN);
  if (TRUSTHUB_BASE_URL) {
    client.trusthub.baseUrl = TRUSTHUB_BASE_URL;
    client.api.baseUrl = TRUSTHUB_BASE_URL;
  }
  return client;
}

// Waits for the end of a review.
async function decision(profile) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const { sid, status } = await profile.fetch();
    if (!["pending-review", "in-review"].includes(status)) {
      return status;
    }
    assert(Date.now() < deadline, `${sid} is still in review`);
    await setTimeout(POLL_MS);
  }
}

async function evaluate(evaluations, policySid) {
  const { status, results } = await evaluations.create({ policySid });
  const failures = results.flatMap((result) =>
    result.invalid.map((field) => `${result.object_type}.${field.object_field} ${field.error_code}`),
  );
  console.log("evaluation:", status, ...failures);
}

async function addressDocument(client) {
  const address = await client.addresses.create({
    customerName: "Corner Shop Ltd",
    street: "1 Sample Street",
    city: "Springfield",
    region: "IL",
    postalCode: "62701",
    isoCountry: "US",
  });
  return client.trusthub.v1.supportingDocuments.create({
    friendlyName: "Address of the shop",
    type: "customer_profile_address",
    attributes: { address_sids: address.sid },
  });
}

async function secondaryProfile(client) {
  const hub = client.trusthub.v1;
  const policy = await hub.policies(SECONDARY_POLICY).fetch();
  const required = policy.requirements.end_user.map((one) => one.type);
  console.log("policy:", policy.friendlyName, ...required);
  const known = (await hub.endUserTypes.list()).map((one) => one.machineName);
  assert(
    required.every((type) => known.includes(type)),
    "every required type is listed",
  );

  const created = await hub.customerProfiles.create({
    friendlyName: "Corner Shop",
    policySid: policy.sid,
    ...CONTACT,
  });
  const profile = hub.customerProfiles(created.sid);
  const endUsers = [];
  for (const [index, attributes] of [BUSINESS, ADA, BOB].entries()) {
    const type = required[index];
    endUsers.push(await hub.endUsers.create({ friendlyName: type, type, attributes }));
  }
  const [primary] = await hub.customerProfiles.list({
    policySid: PRIMARY_POLICY,
    status: "twilio-approved",
    limit: 1,
  });
  for (const { sid } of [...endUsers, await addressDocument(client), primary]) {
    await profile.customerProfilesEntityAssignments.create({ objectSid: sid });
  }

  await evaluate(profile.customerProfilesEvaluations, policy.sid);
  const rejected = await profile.update({ status: "pending-review" });
  console.log("profile:", rejected.status, ...rejected.errors.map((error) => error.code));

  const corrected = { ...BOB, phone_number: "+15005550009" };
  await hub.endUsers(endUsers.at(-1).sid).update({ attributes: corrected });
  await evaluate(profile.customerProfilesEvaluations, policy.sid);
  console.log("profile:", (await profile.update({ status: "pending-review" })).status);
  console.log("profile:", await decision(profile));
  return created.sid;
}

async function messagingProduct(client, profileSid) {
  const hub = client.trusthub.v1;
  const { sid } = await hub.trustProducts.create({
    friendlyName: "Messages of the shop",
    policySid: A2P_POLICY,
    ...CONTACT,
  });
  const product = hub.trustProducts(sid);
  const company = await hub.endUsers.create({
    friendlyName: "Company",
    type: "us_a2p_messaging_profile_information",
    attributes: { company_type: "private" },
  });
  for (const objectSid of [company.sid, profileSid]) {
    await product.trustProductsEntityAssignments.create({ objectSid });
  }
  await evaluate(product.trustProductsEvaluations, A2P_POLICY);
  console.log("product:", (await product.update({ status: "pending-review" })).status);
  console.log("product:", await decision(product));
  return sid;
}

const client = connect();
const profileSid = await secondaryProfile(client);
const productSid = await messagingProduct(client, profileSid);
if (PHONE_NUMBER_SID) {
  const hub = client.trusthub.v1;
  for (const endpoints of [
    hub.customerProfiles(profileSid).customerProfilesChannelEndpointAssignment,
    hub.trustProducts(productSid).trustProductsChannelEndpointAssignment,
  ]) {
    await endpoints.create({ channelEndpointType: "phone-number", channelEndpointSid: PHONE_NUMBER_SID });
    console.log("number:", ...(await endpoints.list()).map((one) => one.channelEndpointSid));
  }
}
