"""Stands for your code: it submits a business for review, corrects it, and looks for changes of its status."""

PRIMARY_POLICY = "RN6433641899984f951173ef1738c3bdd0"
SECONDARY_POLICY = "RNdfbf3fae0e1107f8aded0e7cead80bf5"

BUSINESS_TYPE = "customer_profile_business_information"
REPRESENTATIVE = {
    "first_name": "Ada",
    "last_name": "Sample",
    "email": "ada@example.com",
    "phone_number": "+15005550006",
    "business_title": "Owner",
    "job_position": "CEO",
}


def onboard(client, business, status_callback):
    """Submits a secondary profile of this business, and returns it."""
    hub = client.trusthub.v1
    profile = hub.customer_profiles.create(
        friendly_name=business["business_name"],
        email="compliance@example.com",
        policy_sid=SECONDARY_POLICY,
        status_callback=status_callback,
    )
    attributes = {
        BUSINESS_TYPE: business,
        "authorized_representative_1": REPRESENTATIVE,
        "authorized_representative_2": {**REPRESENTATIVE, "first_name": "Bob", "email": "bob@example.com"},
    }
    end_users = [
        hub.end_users.create(friendly_name=kind, type=kind, attributes=fields) for kind, fields in attributes.items()
    ]
    [primary] = hub.customer_profiles.list(policy_sid=PRIMARY_POLICY, status="twilio-approved", limit=1)
    for part in [*end_users, address_document(client, business), primary]:
        profile.customer_profiles_entity_assignments.create(object_sid=part.sid)
    return profile.update(status="pending-review")


def address_document(client, business):
    address = client.addresses.create(
        customer_name=business["business_name"],
        street="1 Sample Street",
        city="Springfield",
        region="IL",
        postal_code="62701",
        iso_country="US",
    )
    return client.trusthub.v1.supporting_documents.create(
        friendly_name="Address",
        type="customer_profile_address",
        attributes={"address_sids": address.sid},
    )


def correct(client, sid, business):
    """Replaces what was submitted about the business, and submits its profile again."""
    hub = client.trusthub.v1
    profile = hub.customer_profiles(sid)
    [assignment] = profile.customer_profiles_entity_assignments.list(object_type=BUSINESS_TYPE)
    hub.end_users(assignment.object_sid).update(attributes=business)
    return profile.update(status="pending-review")


def poll(client, known):
    """The profiles whose status is not the known one, with their status now: it finds what a lost callback announced."""
    now = {sid: client.trusthub.v1.customer_profiles(sid).fetch().status for sid in known}
    return {sid: status for sid, status in now.items() if status != known[sid]}
