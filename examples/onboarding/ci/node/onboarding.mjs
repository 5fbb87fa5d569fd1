// Stands for your code: it submits a business for review, corrects it, and looks for changes of its status.
const PRIMARY_POLICY = "RN6433641899984f951173ef1738c3bdd0";
const SECONDARY_POLICY = "RNdfbf3fae0e1107f8aded0e7cead80bf5";

const BUSINESS_TYPE = "customer_profile_business_information";
const REPRESENTATIVE = {
  first_name: "Ada",
  last_name: "Sample",
  email: "ada@example.com",
  phone_number: "+15005550006",
  business_title: "Owner",
  job_position: "CEO",
};

// Submits a secondary profile of this business, and returns it.
export async function onboard(client, business, statusCallback) {
  const hub = client.trusthub.v1;
  const profile = await hub.customerProfiles.create({
    friendlyName: business.business_name,
    email: "compliance@example.com",
    policySid: SECONDARY_POLICY,
    statusCallback,
  });
  const assignments = hub.customerProfiles(profile.sid).customerProfilesEntityAssignments;
  const endUsers = {
    [BUSINESS_TYPE]: business,
    authorized_representative_1: REPRESENTATIVE,
    authorized_representative_2: { ...REPRESENTATIVE, first_name: "Bob", email: "bob@example.com" },
  };
  for (const [type, attributes] of Object.entries(endUsers)) {
    const endUser = await hub.endUsers.create({ friendlyName: type, type, attributes });
    await assignments.create({ objectSid: endUser.sid });
  }
  const primaries = { policySid: PRIMARY_POLICY, status: "twilio-approved", limit: 1 };
  const [primary] = await hub.customerProfiles.list(primaries);
  for (const { sid } of [await addressDocument(client, business), primary]) {
    await assignments.create({ objectSid: sid });
  }
  return profile.update({ status: "pending-review" });
}

async function addressDocument(client, business) {
  const address = await client.addresses.create({
    customerName: business.business_name,
    street: "1 Sample Street",
    city: "Springfield",
    region: "IL",
    postalCode: "62701",
    isoCountry: "US",
  });
  return client.trusthub.v1.supportingDocuments.create({
    friendlyName: "Address",
    type: "customer_profile_address",
    attributes: { address_sids: address.sid },
  });
}

// Replaces what was submitted about the business, and submits its profile again.
export async function correct(client, sid, business) {
  const hub = client.trusthub.v1;
  const profile = hub.customerProfiles(sid);
  const [assignment] = await profile.customerProfilesEntityAssignments.list({ objectType: BUSINESS_TYPE });
  await hub.endUsers(assignment.objectSid).update({ attributes: business });
  return profile.update({ status: "pending-review" });
}

// The profiles whose status is not the known one, with their status now: it finds what a lost callback announced.
export async function poll(client, known) {
  const changed = {};
  for (const sid of Object.keys(known)) {
    const { status } = await client.trusthub.v1.customerProfiles(sid).fetch();
    if (status !== known[sid]) {
      changed[sid] = status;
    }
  }
  return changed;
}
