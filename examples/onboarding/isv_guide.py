"""Twilio's guide for ISVs: a customer's secondary profile and its A2P messaging product, from the policies to approval.

    isv_guide.py

It is an ordinary program for Twilio's Trust Hub. TRUSTHUB_BASE_URL, if set, sends its requests to the simulator of
trusthub-bridge instead. TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN are the credentials; STATUS_CALLBACK and
PHONE_NUMBER_SID are optional. The account needs an approved primary profile. isv_guide.mjs does the same in Node.

The second representative has no phone number at first, so the first submission is rejected, corrected and repeated.
"""

import os
import time

from twilio.base import values
from twilio.rest import Client

PRIMARY_POLICY = "RN6433641899984f951173ef1738c3bdd0"
SECONDARY_POLICY = "RNdfbf3fae0e1107f8aded0e7cead80bf5"
A2P_POLICY = "RNb0d4771c2c98518d916a3d4cd70a8f8b"

BUSINESS = {
    "business_name": "Corner Shop Ltd",
    "business_identity": "direct_customer",
    "business_type": "Limited Liability Corporation",
    "business_industry": "RETAIL",
    "business_registration_identifier": "EIN",
    "business_registration_number": "12-3456789",
    "business_regions_of_operation": "USA_AND_CANADA",
    "website_url": "https://shop.example.com",
}
ADA = {
    "first_name": "Ada",
    "last_name": "Sample",
    "email": "ada@example.com",
    "phone_number": "+15005550006",
    "business_title": "Owner",
    "job_position": "CEO",
}
BOB = {**ADA, "first_name": "Bob", "email": "bob@example.com", "phone_number": ""}
CONTACT = {
    "email": "compliance@example.com",
    "status_callback": os.environ.get("STATUS_CALLBACK", values.unset),
}
POLL_SECONDS = 0.2
PATIENCE_SECONDS = 60


def connect():
    client = Client(os.environ["TWILIO_ACCOUNT_SID"], os.environ["TWILIO_AUTH_TOKEN"])
    base = os.environ.get("TRUSTHUB_BASE_URL")
    if base:
        client.trusthub.base_url = client.api.base_url = base
    return client


def decision(profile):
    """Waits for the end of a review."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while profile.fetch().status in ("pending-review", "in-review"):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{profile.sid} is still in review")
        time.sleep(POLL_SECONDS)
    return profile.fetch().status


def evaluate(evaluations, policy):
    evaluation = evaluations.create(policy_sid=policy)
    failures = [
        f"{result['object_type']}.{field['object_field']} {field['error_code']}"
        for result in evaluation.results
        for field in result["invalid"]
    ]
    print("evaluation:", evaluation.status, *failures)


def address_document(client):
    address = client.addresses.create(
        customer_name="Corner Shop Ltd",
        street="1 Sample Street",
        city="Springfield",
        region="IL",
        postal_code="62701",
        iso_country="US",
    )
    return client.trusthub.v1.supporting_documents.create(
        friendly_name="Address of the shop",
        type="customer_profile_address",
        attributes={"address_sids": address.sid},
    )


def secondary_profile(client):
    hub = client.trusthub.v1
    policy = hub.policies(SECONDARY_POLICY).fetch()
    required = [one["type"] for one in policy.requirements["end_user"]]
    print("policy:", policy.friendly_name, *required)
    known = {one.machine_name for one in hub.end_user_types.list()}
    assert known.issuperset(required), "every required type is listed"

    profile = hub.customer_profiles.create(friendly_name="Corner Shop", policy_sid=policy.sid, **CONTACT)
    end_users = [
        hub.end_users.create(friendly_name=kind, type=kind, attributes=attributes)
        for kind, attributes in zip(required, [BUSINESS, ADA, BOB])
    ]
    [primary] = hub.customer_profiles.list(policy_sid=PRIMARY_POLICY, status="twilio-approved", limit=1)
    for part in [*end_users, address_document(client), primary]:
        profile.customer_profiles_entity_assignments.create(object_sid=part.sid)

    evaluate(profile.customer_profiles_evaluations, policy.sid)
    rejected = profile.update(status="pending-review")
    print("profile:", rejected.status, *(error["code"] for error in rejected.errors))

    end_users[-1].update(attributes={**BOB, "phone_number": "+15005550009"})
    evaluate(profile.customer_profiles_evaluations, policy.sid)
    print("profile:", profile.update(status="pending-review").status)
    print("profile:", decision(profile))
    return profile


def messaging_product(client, profile):
    hub = client.trusthub.v1
    product = hub.trust_products.create(friendly_name="Messages of the shop", policy_sid=A2P_POLICY, **CONTACT)
    company = hub.end_users.create(
        friendly_name="Company",
        type="us_a2p_messaging_profile_information",
        attributes={"company_type": "private"},
    )
    for part in [company, profile]:
        product.trust_products_entity_assignments.create(object_sid=part.sid)
    evaluate(product.trust_products_evaluations, A2P_POLICY)
    print("product:", product.update(status="pending-review").status)
    print("product:", decision(product))
    return product


def main():
    client = connect()
    profile = secondary_profile(client)
    product = messaging_product(client, profile)
    number = os.environ.get("PHONE_NUMBER_SID")
    if number:
        for endpoints in (
            profile.customer_profiles_channel_endpoint_assignment,
            product.trust_products_channel_endpoint_assignment,
        ):
            endpoints.create(channel_endpoint_type="phone-number", channel_endpoint_sid=number)
            print("number:", *(one.channel_endpoint_sid for one in endpoints.list()))


if __name__ == "__main__":
    main()
