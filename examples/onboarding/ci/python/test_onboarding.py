"""Tests of onboarding.py, which stands for your code."""

from onboarding import correct, onboard, poll

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


def test_rejected_business_is_corrected_and_approved(client, simulator, receiver):
    profile = onboard(client, BUSINESS, receiver.url)
    assert [receiver.next()["Status"] for _ in range(2)] == ["pending-review", "in-review"]

    simulator.reject(profile.sid, code=18602, reason="Not in the register")
    callback = receiver.next()
    assert (callback["BundleSid"], callback["Status"]) == (profile.sid, "twilio-rejected")
    assert callback["FailureReason"] == "Not in the register (18602)"
    assert profile.fetch().errors == [{"code": 18602}]

    correct(client, profile.sid, {**BUSINESS, "business_registration_number": "98-7654321"})
    assert [receiver.next()["Status"] for _ in range(2)] == ["pending-review", "in-review"]

    simulator.approve(profile.sid)
    assert receiver.next()["Status"] == "twilio-approved"
    assert profile.fetch().status == "twilio-approved"


def test_incomplete_business_is_rejected_at_once(client, receiver):
    profile = onboard(client, {**BUSINESS, "website_url": ""}, receiver.url)
    assert (profile.status, profile.errors) == ("twilio-rejected", [{"code": 22215}])
    assert receiver.next()["Status"] == "twilio-rejected"


def test_change_whose_callback_was_lost_is_found_by_polling(client, simulator, receiver):
    profile = onboard(client, BUSINESS, receiver.url)
    assert poll(client, {profile.sid: "in-review"}) == {}

    simulator.set(drop=100)
    simulator.reject(profile.sid, code=18603, reason="Unknown address")
    [attempt] = simulator.attempts(profile.sid, "twilio-rejected")
    assert attempt["failure"] == "dropped"
    assert poll(client, {profile.sid: "in-review"}) == {profile.sid: "twilio-rejected"}


def test_approval_expires(client, simulator, receiver):
    profile = onboard(client, BUSINESS, receiver.url)
    simulator.set(speed=86_400)  # a day takes a second
    simulator.approve(profile.sid, valid_for_secs=86_400)
    statuses = [receiver.next()["Status"] for _ in range(4)]
    assert statuses == ["pending-review", "in-review", "twilio-approved", "twilio-rejected"]
    assert profile.fetch().errors == [{"code": 22601}]
