//! The pages about profiles, from the state topic of a running service.

use std::time::Duration;

use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _},
};
use serde_json::Value;

use test_support::{
    ACCOUNT, Answer, Bridge, Request,
    kafka::{broker, unique_topic},
    proxy::Fault,
    wait_for,
};

use super::{FREE, get, start_with};
use crate::faults::one_broker;

/// What would run if a page did not escape it, as a form writes it.
const HOSTILE: &str =
    "%3C%2Fbdi%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E%22%27%3E%3Cimg%20src%3Dx%20onerror%3Dalert(2)%3E";

fn sid(number: usize) -> String {
    format!("BU{number:032x}")
}

fn announce(bridge: &Bridge, profile: &str, status: &str, more: &str) {
    let body = format!("AccountSid={ACCOUNT}&BundleSid={profile}&Status={status}{more}");
    let request = Request::form("/callbacks/customer-profiles", &body).signed();
    assert_eq!(bridge.send(&request).status, 204);
}

/// The API's answer, once it is complete and this is true of it.
fn wait_for_list(bridge: &Bridge, query: &str, is_expected: impl Fn(&Value) -> bool) -> Value {
    wait_for("the list of profiles", || {
        let answer = get(bridge, &format!("/api/v1/profiles{query}"));
        let list: Value = serde_json::from_str(&answer.body).ok().filter(|_| answer.status == 200)?;
        (list["complete"] == true && is_expected(&list)).then_some(list)
    })
}

/// A page that has nothing of what [`HOSTILE`] would run.
fn safe_page(bridge: &Bridge, target: &str) -> Answer {
    let answer = get(bridge, target);
    assert_eq!(answer.status, 200, "{target}: {answer:?}");
    assert!(!answer.body.contains("<script>alert") && !answer.body.contains("<img"), "{}", answer.body);
    answer
}

/// Starts a service that may not create topics, with one of events that has three partitions, and one of dead letters.
fn start_on_existing_topics(variables: &[(&str, &str)]) -> Bridge {
    let (events, dead_letters) = (unique_topic("events"), unique_topic("dead-letters"));
    broker().create_topic(&events, 3);
    broker().create_topic(&dead_letters, 1);
    let own = [("KAFKA_TOPIC", &*events), ("KAFKA_DEAD_LETTER_TOPIC", &dead_letters), ("KAFKA_CREATE_TOPICS", "false")];
    start_with(&[&own, variables].concat())
}

#[test]
fn pages_follow_an_onboarding_and_escape_what_callbacks_say() {
    let bridge = start_with(&[]);
    let profile = sid(0xA1);
    for status in ["draft", "pending-review", "in-review"] {
        announce(&bridge, &profile, status, "");
    }
    let more = format!("&FailureReason=number+of+a+person+{HOSTILE}&ErrorCode=18602&Odd{HOSTILE}={HOSTILE}");
    announce(&bridge, &profile, "twilio-rejected", &more);
    let list = wait_for_list(&bridge, "", |list| list["statuses"]["twilio-rejected"] == 1);
    assert_eq!((&list["total"], &list["problem"]), (&Value::from(1), &Value::Null));
    assert_eq!(list["profiles"][0]["profile_sid"], profile);

    let page = safe_page(&bridge, "/profiles?status=twilio-rejected").body;
    for part in [&*profile, "18602", "twilio-rejected", "1 to 1 of 1 that match, of 1 profile."] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let hidden = safe_page(&bridge, &format!("/profiles/{profile}")).body;
    assert!(hidden.contains("What to do") && hidden.contains("4, of which 1 to twilio-rejected"), "{hidden}");
    assert_eq!(hidden.matches("<li><span class=\"badge\"").count(), 4, "the history: {hidden}");
    assert!(!hidden.contains("of a person"), "{hidden}");
    let shown = safe_page(&bridge, &format!("/profiles/{profile}?personal=1")).body;
    assert!(shown.contains("number of a person &lt;/bdi&gt;&lt;script&gt;alert(1)"), "{shown}");
    assert!(shown.contains("io.trusthub-bridge.profile.status-changed.v1"), "the raw event: {shown}");

    let api = |query: &str| -> Value {
        serde_json::from_str(&get(&bridge, &format!("/api/v1/profiles/{profile}{query}")).body).unwrap()
    };
    let (hidden, shown) = (api(""), api("?personal=1"));
    assert_eq!((&hidden["failure_reason"], &hidden["last_event"]), (&Value::Null, &Value::Null));
    assert!(shown["failure_reason"].as_str().unwrap().contains("<script>"), "{shown}");
    assert_eq!(shown["last_event"]["value"]["status"], "twilio-rejected");
    assert_eq!(shown["history"].as_array().unwrap().len(), 4);

    announce(&bridge, &profile, "On%20Hold%20%3Cscript%3Ealert(1)%3C%2Fscript%3E", "");
    wait_for_list(&bridge, "?status=unknown", |list| list["matching"] == 1);
    safe_page(&bridge, "/profiles");
    let page = safe_page(&bridge, &format!("/profiles/{profile}")).body;
    assert!(page.contains("&lt;script&gt;alert(1)"), "the status in Twilio's words: {page}");
}

#[test]
fn list_has_pages_filters_and_a_search() {
    const DRAFTS: usize = 55;
    let bridge = start_with(&[]);
    for number in 0..DRAFTS {
        announce(&bridge, &sid(number), "draft", "");
    }
    announce(&bridge, &sid(0xBEEF), "in-review", "");
    wait_for_list(&bridge, "", |list| list["total"] == DRAFTS + 1);

    let rows = |target: &str| safe_page(&bridge, target).body.matches(r#"<th scope="row">"#).count();
    assert_eq!((rows("/profiles"), rows("/profiles?page=2"), rows("/profiles?page=9999999")), (50, 6, 0));
    assert_eq!((rows("/profiles?status=draft&page=2"), rows("/profiles?status=in-review,twilio-rejected")), (5, 1));
    assert_eq!(
        (rows("/profiles?q=beef"), rows(&format!("/profiles?q={ACCOUNT}")), rows("/profiles?q=none")),
        (1, 50, 0)
    );
    let first = safe_page(&bridge, "/profiles?sort=status&reverse=1").body;
    assert!(first.contains(r#"href="/profiles?sort=status&amp;reverse=1&amp;page=2""#), "{first}");
    assert!(first.find(&sid(0xBEEF)) < first.find(&sid(1)), "in-review comes after draft: {first}");

    let wrong = get(&bridge, "/profiles?older_than=%3Cscript%3E");
    assert!(wrong.status == 400 && wrong.body.contains("older_than: write a whole number and a unit"), "{wrong:?}");
    assert!(!wrong.body.contains("<script>"), "{wrong:?}");
    assert_eq!(get(&bridge, "/api/v1/profiles?status=approved").status, 400);
    assert_eq!(get(&bridge, &format!("/profiles?q={}", "x".repeat(5_000))).status, 414);
}

#[test]
fn paths_that_name_no_profile_are_not_found() {
    let bridge = start_with(&[]);
    announce(&bridge, &sid(1), "draft", "");
    wait_for_list(&bridge, "", |list| list["total"] == 1);
    let digits = "0".repeat(31);
    for path in [
        "/profiles/",
        "/profiles/../..",
        "/profiles/%2e%2e/now",
        "/profiles/..%2f..%2fetc%2fpasswd",
        "/profiles/%00",
        "/profiles//BU00000000000000000000000000000001",
        &format!("/profiles/AC{digits}1"),
        &format!("/profiles/bu{digits}1"),
        &format!("/profiles/BU{digits}"),
        &format!("/profiles/BU{digits}11"),
        &format!("/profiles/BU{digits}%31"),
        &format!("/profiles/BU{digits}g"),
        &format!("/profiles/{}/", sid(1)),
        &format!("/profiles/{}/history", sid(1)),
        &format!("/profiles/{}", "B".repeat(9_000)),
        &format!("/profiles/{}", sid(2)),
        &format!("/api/v1/profiles/{}", sid(2)),
        "/api/v1/profiles/..",
    ] {
        let answer = get(&bridge, path);
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
    let upper = sid(0xA).to_uppercase();
    assert_eq!(get(&bridge, &format!("/profiles/{upper}")).status, 404, "a SID without a state");
    assert_eq!(safe_page(&bridge, &format!("/profiles/{}", sid(1))).status, 200);
}

#[test]
fn states_that_are_not_available_say_why_and_come_later() {
    let off = start_with(&[("KAFKA_PROFILES_TOPIC", "")]);
    for path in ["/profiles", "/api/v1/profiles", &format!("/profiles/{}", sid(1))] {
        let answer = get(&off, path);
        assert!(answer.status == 503 && answer.body.contains("KAFKA_PROFILES_TOPIC is empty"), "{answer:?}");
    }

    let bridge = start_on_existing_topics(&[]);
    let missing = format!("topic {} does not exist", bridge.profiles_topic);
    wait_for("the page names the topic", || get(&bridge, "/profiles").body.contains(&missing).then_some(()));
    assert_eq!(get(&bridge, "/profiles").status, 503);
    announce(&bridge, &sid(1), "draft", "");
    broker().create_topic_with(&bridge.profiles_topic, 3, &[("cleanup.policy", "compact")]);
    wait_for_list(&bridge, "", |list| list["total"] == 1);
}

/// Whether the service is about to update the states does not matter to the console: it reads what the topic has.
#[test]
fn index_follows_tombstones_added_partitions_and_a_new_topic() {
    let states = unique_topic("profiles");
    let create = |partitions| broker().create_topic_with(&states, partitions, &[("cleanup.policy", "compact")]);
    create(2);
    // The topic of the events has three partitions, so the service does not write to this one. It must not create the
    // deleted topic either.
    let bridge = start_on_existing_topics(&[("KAFKA_PROFILES_TOPIC", &states)]);
    let name = |number: usize| format!("Shop {number} </bdi><script>alert(1)</script>");
    let put = |partition: i32, number: usize| publish(&states, partition, number, Some(&name(number)));
    put(0, 1);
    put(1, 2);
    let list = wait_for_list(&bridge, "?q=shop", |list| list["matching"] == 2);
    assert_eq!(list["profiles"][0]["name"], name(1));
    let page = safe_page(&bridge, "/profiles?q=%3Cscript%3E&sort=name").body;
    assert!(page.contains("<bdi>Shop 2 &lt;/bdi&gt;&lt;script&gt;alert(1)"), "{page}");
    safe_page(&bridge, &format!("/profiles/{}", sid(2)));

    publish(&states, 0, 1, None);
    wait_for_list(&bridge, "", |list| list["total"] == 1);
    assert_eq!(get(&bridge, &format!("/profiles/{}", sid(1))).status, 404);

    broker().add_partitions(&states, 4);
    put(3, 3);
    wait_for_list(&bridge, "", |list| list["total"] == 2);

    broker().delete_topic(&states);
    wait_for("the topic is gone", || (!broker().has_topic(&states)).then_some(()));
    // As many as before, so that only the offsets differ.
    create(4);
    put(0, 7);
    let list = wait_for_list(&bridge, "", |list| list["total"] == 1);
    assert_eq!(list["profiles"][0]["profile_sid"], sid(7));
}

/// One schema that is not known hides no other state, and those that were read stay.
#[test]
fn state_whose_schema_is_not_known_leaves_the_others() {
    let states = unique_topic("profiles");
    broker().create_topic_with(&states, 2, &[("cleanup.policy", "compact")]);
    let bridge = start_with(&[("KAFKA_PROFILES_TOPIC", &states)]);
    publish(&states, 0, 1, Some("Shop 1"));
    wait_for_list(&bridge, "", |list| list["total"] == 1);
    // An Avro record with the id 7, and no registry is configured.
    let headers =
        OwnedHeaders::new().insert(Header { key: "ce_type", value: Some("io.trusthub-bridge.profile.state.v1") });
    let unreadable: BaseRecord<'_, str, [u8]> =
        BaseRecord::to(&states).key("BU").partition(0).payload(&[0, 0, 0, 0, 7, 1]);
    let producer = producer();
    producer.send(unreadable.headers(headers)).map_err(|(error, _)| error).unwrap();
    producer.flush(Duration::from_secs(30)).unwrap();
    let problem =
        |list: &Value| list["problem"].as_str().is_some_and(|problem| problem.contains("SCHEMA_REGISTRY_URL"));
    wait_for_list(&bridge, "", |list| problem(list) && list["total"] == 1);
    publish(&states, 1, 2, Some("Shop 2"));
    wait_for_list(&bridge, "", |list| problem(list) && list["total"] == 2);
}

fn producer() -> BaseProducer {
    ClientConfig::new().set("bootstrap.servers", broker().bootstrap()).create().unwrap()
}

/// Publishes a state as the service does, or a tombstone.
fn publish(topic: &str, partition: i32, number: usize, name: Option<&str>) {
    let (sid, time) = (sid(number), "2026-11-20T11:04:00.123Z");
    let value = name.map(|name| {
        serde_json::json!({
            "account_sid": ACCOUNT, "profile_sid": sid, "resource": "customer-profile",
            "status": "in-review", "raw_status": "in-review", "since": time,
            "previous_status": null, "previous_since": null, "errors": [], "failure_reason": null, "valid_until": null,
            "first_seen_at": time, "updated_at": time, "changes": 1, "rejections": 0, "last_event_id": "e1",
            "recent_ids": [], "position": {"partition": partition, "offset": 0}, "history": [],
            "profile": {"friendly_name": name, "policy_sid": null, "type": null, "tier": null,
                        "date_created": null, "date_updated": time},
        })
        .to_string()
    });
    let producer = producer();
    let record = BaseRecord::to(topic).key(&sid).partition(partition);
    let record = BaseRecord { payload: value.as_deref(), ..record };
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(Duration::from_secs(30)).unwrap();
}

#[test]
fn outage_is_shown_and_the_states_stay_until_it_ends() {
    let network = one_broker().take_fault_proxy();
    let bootstrap = network.bootstrap();
    let bridge = Bridge::start_with(&[("CONSOLE_BIND", FREE), ("KAFKA_BOOTSTRAP_SERVERS", &bootstrap)]);
    announce(&bridge, &sid(1), "draft", "");
    wait_for_list(&bridge, "", |list| list["total"] == 1);
    network.set(Fault::Cut);
    let list = wait_for_list(&bridge, "", |list| !list["problem"].is_null());
    assert!(list["total"] == 1 && list["problem"].as_str().unwrap().contains(&bridge.profiles_topic), "{list}");
    assert!(safe_page(&bridge, "/profiles").body.contains("The list is not kept up to date now: "));
    let letters = get(&bridge, "/dead-letters");
    assert!(letters.status == 503 && letters.body.contains(&bridge.dead_letter_topic), "{letters:?}");
    network.set(Fault::None);
    wait_for_list(&bridge, "", |list| list["problem"].is_null());
    announce(&bridge, &sid(2), "draft", "");
    wait_for_list(&bridge, "", |list| list["total"] == 2);
}
