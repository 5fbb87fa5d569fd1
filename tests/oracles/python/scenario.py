"""A scenario with a customer profile and a trust product, including errors, played through Twilio's official Python
library.

    scenario.py BASE_URL ACCOUNT_SID AUTH_TOKEN

BASE_URL is a simulator with seeded profiles. The results are printed as one JSON object; ../node/scenario.js prints the
same.
"""

import json
import sys
from datetime import datetime
from urllib.parse import urlencode
from urllib.request import urlopen

from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

# Requires an end user, an address and an approved primary profile.
POLICY = "RN806dd6cd175f314e1f96a9727ee271f4"
PERSON = {"first_name": "Ada", "last_name": "Sample", "email": "ada@example.com", "phone_number": "+15005550006"}
UNKNOWN = "BU" + "f" * 32


def client_of(base, account, token):
    client = Client(account, token)
    client.trusthub.base_url = client.api.base_url = client.numbers.base_url = base
    return client


def control(base, path, **form):
    """Controls the simulator: the actions have no request in Twilio's API."""
    with urlopen(f"{base}/simulator{path}", urlencode(form).encode()) as answer:
        return json.load(answer)


def shown(profile):
    dates = [profile.date_created, profile.date_updated]
    return {
        "name": profile.friendly_name,
        "email": profile.email,
        "status": profile.status,
        "errors": profile.errors,
        "callback": profile.status_callback,
        "valid": profile.valid_until is not None,
        "dated": all(isinstance(date, datetime) for date in dates),
    }


def problem(action):
    try:
        action()
    except TwilioRestException as error:
        # The library puts the failed request before Twilio's message.
        return {"status": error.status, "code": error.code, "message": error.msg.split(": ", 1)[1]}
    return None


def parts(client, base):
    """The SIDs of an end user, a document with an address, and an approved primary profile."""
    address = client.addresses.create(
        customer_name="Shop",
        street="1 Main Street",
        city="Springfield",
        region="IL",
        postal_code="62701",
        iso_country="US",
    )
    api = client.trusthub.v1
    person = api.end_users.create(friendly_name="Ada", type="starter_customer_profile_information", attributes=PERSON)
    document = api.supporting_documents.create(
        friendly_name="Address", type="customer_profile_address", attributes={"address_sids": address.sid}
    )
    primary = control(base, "/primary-profiles", type="business", status="twilio-approved")
    return [person.sid, document.sid, primary["sid"]]


def sub_lists(profile, kind, parts):
    assignments = getattr(profile, f"{kind}_entity_assignments")
    first, second, _ = [assignments.create(object_sid=sid) for sid in parts]
    fetched = assignments(first.sid).fetch()
    steps = {
        "assigned": [one.object_sid[:2] for one in assignments.list()],
        "of a type": [one.object_sid[:2] for one in assignments.list(object_type="customer_profile_address")],
        "fetched": [fetched.object_sid == parts[0], isinstance(fetched.date_created, datetime)],
        "unassigned": assignments(second.sid).delete(),
        "left": [one.object_sid[:2] for one in assignments.list()],
        "gone": problem(assignments(second.sid).fetch)["code"],
        "evaluations": len(getattr(profile, f"{kind}_evaluations").list()),
        "channel endpoints": len(getattr(profile, f"{kind}_channel_endpoint_assignment").list()),
    }
    assignments.create(object_sid=parts[1])
    return steps


def scenario(client, profiles, kind, base):
    steps = {}
    profile = profiles.create(
        friendly_name="Shop",
        email="shop@example.com",
        policy_sid=POLICY,
        status_callback="https://hooks.example.com/",
    )
    steps["created"] = shown(profile)
    steps["fetched"] = shown(profiles(profile.sid).fetch())
    steps["listed"] = [shown(one) for one in profiles.list(friendly_name="Shop", status="draft", policy_sid=POLICY)]
    steps["updated"] = shown(profile.update(friendly_name="Shop 2", email="other@example.com", status_callback=""))
    steps["wrong status"] = [problem(lambda: profile.update(status=one)) for one in ("approved", "twilio-approved")]
    steps["submitted incomplete"] = shown(profile.update(status="pending-review"))
    steps["sub-lists"] = sub_lists(profile, kind, parts(client, base))
    steps["submitted"] = shown(profile.update(status="pending-review"))
    steps["locked"] = [
        problem(action) for action in (lambda: profile.update(friendly_name="Shop 3"), profile.delete)
    ]
    control(base, f"/profiles/{profile.sid}/reject", code=18602, reason="Unknown address")
    steps["rejected"] = shown(profile.fetch())
    steps["edited"] = shown(profile.update(friendly_name="Shop 3"))
    steps["resubmitted"] = shown(profile.update(status="pending-review"))
    control(base, f"/profiles/{profile.sid}/approve", valid_for_secs=3600)
    steps["approved"] = shown(profile.fetch())
    steps["deleted"] = profile.delete()
    steps["gone"] = problem(profile.fetch)["code"]
    return steps


def life(resource, **change):
    """Lists, fetches, changes and deletes an object that exists."""
    listed = [one.sid for one in resource[0].list()]
    one = resource[0](resource[1].sid)
    steps = [listed[0] == resource[1].sid, one.fetch().sid == resource[1].sid]
    if change:
        [name] = change
        steps.append(getattr(one.update(**change), name) == change[name])
    return [*steps, one.delete(), problem(one.fetch)["code"]]


def parts_of(client):
    """The life of each kind of object."""
    hub, numbers = client.trusthub.v1, client.numbers.v2.regulatory_compliance
    address = {"street": "1", "city": "C", "region": "R", "postal_code": "1", "iso_country": "US"}
    new = {"friendly_name": "Part", "type": "individual", "attributes": {"first_name": "Ada"}}
    return {
        "address": life(
            [client.addresses, client.addresses.create(customer_name="Shop", **address)], street="2"
        ),
        "end user": life([hub.end_users, hub.end_users.create(**new)], attributes={"first_name": "Eve"}),
        "document": life([hub.supporting_documents, hub.supporting_documents.create(**new)], friendly_name="B"),
        "end user of numbers": life([numbers.end_users, numbers.end_users.create(**new)], friendly_name="B"),
        "bundle": life(
            [
                numbers.bundles,
                numbers.bundles.create(friendly_name="A", email="a", regulation_sid="RN" + "7" * 32),
            ],
            friendly_name="B",
        ),
        "types": [
            fetched(hub.policies),
            fetched(hub.end_user_types),
            fetched(hub.supporting_document_types),
        ],
        "attributes": problem(lambda: hub.end_users.create(friendly_name="A", type="t", attributes=[1])),
    }


def fetched(types):
    listed = types.list()
    return [types(one.sid).fetch().friendly_name == one.friendly_name for one in listed]


def approved(client, profiles, kind, base):
    """What an approved profile can have, and embedded onboarding."""
    hub = client.trusthub.v1
    profile = profiles.create(friendly_name="Shop", email="a", policy_sid="RN" + "0" * 32)
    evaluations = getattr(profile, f"{kind}_evaluations")
    evaluation = evaluations.create(policy_sid=POLICY)
    endpoints = getattr(profile, f"{kind}_channel_endpoint_assignment")
    number = endpoints.create(channel_endpoint_type="phone-number", channel_endpoint_sid="PN" + "1" * 32)
    profile.update(status="pending-review")
    control(base, f"/profiles/{profile.sid}/approve")
    copies = getattr(hub, f"{kind}_provisional_copy")(profile.sid)
    copy = copies.create()
    return {
        "evaluation": [evaluation.status, evaluations(evaluation.sid).fetch().status, len(evaluations.list())],
        "endpoint": life([endpoints, number]),
        "copy": [copy.status, copies.fetch().friendly_name, problem(copies.create)["code"]],
        "approved": problem(lambda: profile.update(status="pending-review")),
    }


def inquiries(client, base):
    hub = client.trusthub.v1
    primary = control(base, "/primary-profiles", type="business", status="twilio-approved")["sid"]
    customer = hub.compliance_inquiries.create(primary_profile_sid=primary)
    resumed = hub.compliance_inquiries(customer.customer_id).update(primary_profile_sid=primary)
    toll_free = hub.compliance_tollfree_inquiries.create("+18005550100", "a@example.com")
    registration = hub.compliance_registration_inquiries.create("Business", "local")
    started = [customer, toll_free, registration]
    return [
        resumed.customer_id == customer.customer_id,
        all(one.inquiry_id and one.inquiry_session_token for one in started),
        hub.customer_profiles(customer.customer_id).fetch().status,
    ]


def paging(profiles):
    """Lists every seeded profile, with pages of 100 and with the default ones."""
    page, sizes = profiles.page(), []
    while page:
        sizes.append(len(list(page)))
        previous, page = page, page.next_page()
    names = [[one.friendly_name for one in seen] for seen in (profiles.list(page_size=100), profiles.list())]
    return {"names": names, "sizes": sizes, "before the last": len(list(previous.previous_page()))}


def problems(profiles, base, account):
    unauthenticated = client_of(base, account, "not the token").trusthub.v1.customer_profiles
    wrong = {"friendly_name": "Shop", "email": "", "policy_sid": POLICY}
    seen = {
        "unauthenticated": problem(unauthenticated(UNKNOWN).fetch),
        "unknown": problem(profiles(UNKNOWN).fetch),
        "no e-mail": problem(lambda: profiles.create(**wrong)),
    }
    control(base, "/settings", too_many_requests=100)
    seen["too many"] = problem(profiles(UNKNOWN).fetch)
    control(base, "/settings", too_many_requests=0)
    return seen


def main(base, account, token):
    client = client_of(base, account, token)
    api = client.trusthub.v1
    print(
        json.dumps(
            {
                "paging": paging(api.customer_profiles),
                "customer profile": scenario(client, api.customer_profiles, "customer_profiles", base),
                "trust product": scenario(client, api.trust_products, "trust_products", base),
                "parts": parts_of(client),
                "approved profile": approved(client, api.customer_profiles, "customer_profiles", base),
                "approved product": approved(client, api.trust_products, "trust_products", base),
                "inquiries": inquiries(client, base),
                "problems": problems(api.customer_profiles, base, account),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
