"""A scenario with regulations and regulatory bundles, played through Twilio's official Python library.

    bundles.py BASE_URL ACCOUNT_SID AUTH_TOKEN

BASE_URL is an empty simulator. The results are printed as one JSON object; ../node/bundles.js prints the same.
"""

import json
import sys
from datetime import datetime, timedelta, timezone

from scenario import client_of, control, fetched, life, problem

GERMAN_NUMBERS = {"iso_country": "DE", "number_type": "local", "end_user_type": "business"}
BUSINESS = {
    "business_name": "Shop",
    "business_registration_number": "HRB 1",
    "business_website": "https://shop.example.com",
    "first_name": "Ada",
    "last_name": "Sample",
    "email": "ada@example.com",
}


def regulations(numbers):
    [german] = numbers.regulations.list(**GERMAN_NUMBERS, include_constraints=True)
    same = numbers.regulations(german.sid).fetch(include_constraints=True)
    field = same.requirements["end_user"][0]["detailed_fields"][0]
    return {
        "all": fetched(numbers.regulations),
        "german": [german.friendly_name, german.iso_country, german.number_type, german.end_user_type],
        "constraint": [field.get("constraint"), same.requirements == german.requirements],
        "types": [fetched(numbers.end_user_types), fetched(numbers.supporting_document_types)],
    }


def parts(client, numbers):
    """The SIDs of the items that the regulation requires."""
    address = client.addresses.create(
        customer_name="Shop", street="1", city="C", region="R", postal_code="1", iso_country="DE"
    )
    business = numbers.end_users.create(friendly_name="Shop", type="business", attributes=BUSINESS)
    excerpt = numbers.supporting_documents.create(
        friendly_name="Excerpt",
        type="commercial_registrar_excerpt",
        attributes={
            "business_name": "Shop",
            "business_registration_number": "HRB 1",
            "address_sids": [address.sid],
        },
    )
    return [business.sid, excerpt.sid]


def filled(bundle, sids):
    """The evaluations of a bundle before and after its items are assigned."""
    statuses = [bundle.evaluations.create().status]
    items = bundle.item_assignments
    first, *_ = [items.create(object_sid=sid) for sid in sids]
    steps = {
        "fetched": items(first.sid).fetch().object_sid == sids[0],
        "listed": [one.object_sid[:2] for one in items.list()],
        "unassigned": [items(first.sid).delete(), problem(items(first.sid).fetch)["code"]],
    }
    items.create(object_sid=sids[0])
    evaluation = bundle.evaluations.create()
    statuses += [evaluation.status, bundle.evaluations(evaluation.sid).fetch().status]
    return {**steps, "evaluations": statuses, "kept": len(bundle.evaluations.list())}


def lists(bundles, bundle, others):
    """The names in lists of bundles: three are approved, and one of them has an end date."""
    hour = timedelta(hours=1)
    now = datetime.now(timezone.utc)
    filters = [
        {"status": "twilio-approved"},
        {"status": "provisionally-approved"},
        {"bundle_sids": ",".join([bundle.sid, others[0].sid])},
        GERMAN_NUMBERS,
        {"regulation_sid": bundle.regulation_sid, "friendly_name": "German"},
        {"has_valid_until_date": True},
        {"valid_until_date_after": now, "valid_until_date_before": now + 2 * hour},
        {"valid_until_date_after": now + 2 * hour},
        {"valid_until_date": bundle.valid_until},
        {"sort_by": "valid-until", "sort_direction": "DESC"},
        {"sort_by": "date-updated", "sort_direction": "ASC", "page_size": 1},
    ]
    return [[one.friendly_name for one in bundles.list(**criteria)] for criteria in filters]


def approved(bundles, base, name):
    """A bundle without requirements that is approved."""
    bundle = bundles.create(friendly_name=name, email="a", regulation_sid="RN" + "7" * 32)
    bundle.update(status="pending-review")
    control(base, f"/profiles/{bundle.sid}/approve")
    return bundle.fetch()


def scenario(client, numbers, base):
    bundles = numbers.bundles
    steps = {}
    bundle = bundles.create(friendly_name="German", email="a", **GERMAN_NUMBERS)
    steps["incomplete"] = bundle.update(status="pending-review").status
    steps["filled"] = filled(bundle, parts(client, numbers))
    steps["submitted"] = bundle.update(status="pending-review").status
    control(base, f"/profiles/{bundle.sid}/approve-provisionally", valid_for_secs=3600)
    bundle = bundle.fetch()
    steps["provisional"] = [bundle.status, isinstance(bundle.valid_until, datetime)]
    others = [approved(bundles, base, name) for name in ("First", "Second")]
    steps["lists"] = lists(bundles, bundle, others)
    control(base, f"/profiles/{bundle.sid}/approve", valid_for_secs=3600)
    steps["copies"] = copied(bundles, bundles(bundle.sid), base)
    test = bundles.create(friendly_name="Test", email="a", is_test=True, regulation_sid="RN" + "7" * 32)
    steps["test"] = test.update(status="pending-review").status
    steps["deleted"] = [test.delete(), problem(test.fetch)["code"]]
    return steps


def copied(bundles, bundle, base):
    """Copies an approved bundle, and replaces its items by those of the copy."""
    made = bundle.bundle_copies.create(friendly_name="Copy")
    copy = bundles(made.sid)
    [listed] = bundle.bundle_copies.list()

    def replace():
        return bundle.replace_items.create(from_bundle_sid=made.sid)

    early = problem(replace)["code"]
    copy.update(status="pending-review")
    control(base, f"/profiles/{made.sid}/approve")
    replaced = replace()
    items = [{item.object_sid for item in one.item_assignments.list()} for one in (bundle, copy)]
    return {
        "copy": [made.status, made.friendly_name, listed.sid == made.sid],
        "early": early,
        "replaced": [replaced.status, replaced.valid_until, items[0] == items[1], len(items[0])],
    }


def document(numbers):
    new = {"friendly_name": "Passport", "type": "passport", "attributes": {"first_name": "Ada"}}
    created = numbers.supporting_documents.create(**new)
    return [
        [created.status, created.failure_reason, created.errors],
        life([numbers.supporting_documents, created], attributes={"first_name": "Eve"}),
    ]


def main(base, account, token):
    client = client_of(base, account, token)
    numbers = client.numbers.v2.regulatory_compliance
    transcript = {
        "regulations": regulations(numbers),
        "document": document(numbers),
        "bundle": scenario(client, numbers, base),
    }
    print(json.dumps(transcript))


if __name__ == "__main__":
    main(*sys.argv[1:])
