//! One topic has every format, after changes of the configuration, and every reader reads all of them.

use std::{process::Output, time::Duration};

use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _},
};
use serde_json::Value;
use trusthub_events::{avro::frame, cloud_events::STATE_TYPE};

use test_support::{
    ACCOUNT, Bridge, PUBLIC_URL, Request, TOKEN,
    kafka::broker,
    proxy::{Fault, TcpProxy},
    reconcile::Fixture,
    registry::{data, registry, url_at},
    wait_for,
};

use super::{AVRO, STRUCTURED, registered, wait_until_registered};

/// The formats one after the other, and a profile whose change is written in each.
const FORMATS: [(&[(&str, &str)], &str); 3] = [
    (&[("KAFKA_VALUE_FORMAT", "json")], "BU00000000000000000000000000000011"),
    (&[STRUCTURED], "BU00000000000000000000000000000012"),
    (&[AVRO, ("CE_MODE", "binary")], "BU00000000000000000000000000000013"),
];

/// A service whose topics have a change in each format. Its settings are those of the last one.
fn with_every_format() -> Bridge {
    let mut bridge = registered(FORMATS[0].0);
    for (variables, profile) in FORMATS {
        if variables != FORMATS[0].0 {
            bridge.signal("TERM");
            assert!(bridge.wait().success());
            bridge.restart(variables);
            bridge.wait_until_publishing();
            wait_until_registered(&bridge);
        }
        // The format of the state changes, too.
        for profile in [profile, test_support::PROFILE] {
            let status = if variables.contains(&AVRO) { "twilio-approved" } else { "in-review" };
            assert_eq!(bridge.send(&Request::change_of(profile, status)).status, 204);
        }
    }
    bridge
}

fn succeeded(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The status of each listed profile; `None` if the command fails, as it does until the state topic is created.
fn listed_now(bridge: &Bridge) -> Option<Vec<(String, String)>> {
    let output = bridge.command(&["profiles", "ls", "--json"]);
    output.status.success().then(|| statuses_in(&succeeded(output)))
}

/// The status of each listed profile.
fn listed(bridge: &Bridge) -> Vec<(String, String)> {
    statuses_in(&succeeded(bridge.command(&["profiles", "ls", "--json"])))
}

fn statuses_in(lines: &str) -> Vec<(String, String)> {
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text = |line: &Value, field: &str| line[field].as_str().unwrap().to_owned();
    let mut listed: Vec<_> = lines.map(|line| (text(&line, "profile_sid"), text(&line, "status"))).collect();
    listed.sort();
    listed
}

#[test]
fn projection_and_commands_read_every_format() {
    let bridge = with_every_format();
    let events = bridge.events(6);
    let formats: Vec<_> = events.iter().filter_map(|event| event.header("content-type")).collect();
    for format in ["application/json", "application/cloudevents+json", "application/avro"] {
        assert_eq!(formats.iter().filter(|found| **found == format).count(), 2, "{formats:?}");
    }
    let mut expected: Vec<_> =
        FORMATS.iter().map(|(_, profile)| ((*profile).to_owned(), "in-review".to_owned())).collect();
    expected.push((test_support::PROFILE.to_owned(), "twilio-approved".to_owned()));
    expected[2].1 = "twilio-approved".to_owned();
    expected.sort();
    wait_for("the states of all profiles", || (listed_now(&bridge)? == expected).then_some(()));
    let states = broker().read_to_end(&bridge.profiles_topic);
    let state = states.iter().rfind(|state| state.key.as_deref() == Some(test_support::PROFILE.as_bytes())).unwrap();
    assert_eq!((&data(state)["changes"], state.header("content-type")), (&2.into(), Some("application/avro")));

    // Everything again from the events, by an instance that reads all of them.
    let rebuilt = bridge.command(&["profiles", "rebuild"]);
    assert!(rebuilt.status.success(), "{}", String::from_utf8_lossy(&rebuilt.stderr));
    assert_eq!(listed(&bridge), expected);

    let url = format!("http://{}/callbacks/customer-profiles", bridge.public);
    let probed = succeeded(bridge.command(&["probe", "--url", &url, "--publish"]));
    assert!(probed.contains("the test event came out of Kafka") && probed.contains("ce_id"), "{probed}");
}

/// Without the registry, nothing is skipped: each reader says which record it cannot read, and what to set.
#[test]
fn readers_name_the_record_whose_schema_is_unknown() {
    let bridge = registered(&[AVRO]);
    assert_eq!(bridge.send(&Request::change("in-review")).status, 204);
    wait_for("the state", || (!listed_now(&bridge)?.is_empty()).then_some(()));
    let without = [("SCHEMA_REGISTRY_URL", ""), ("KAFKA_VALUE_FORMAT", "json")];
    let output = bridge.command_with(&["profiles", "ls"], &without);
    let said = String::from_utf8(output.stderr).unwrap();
    let expected = format!("cannot read topic {}: the record at offset 0 of partition ", bridge.profiles_topic);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&expected) && said.contains("set SCHEMA_REGISTRY_URL to the schema registry that has it"),
        "{said}"
    );

    let simulator = test_support::simulator::Simulator::start();
    let trusthub =
        [("TRUSTHUB_BASE_URL", &*simulator.url()), ("TWILIO_ACCOUNT_SID", ACCOUNT), ("KAFKA_PROFILES_TOPIC", "")];
    let output = bridge.command_with(&["reconcile"], &[&without[..], &trusthub].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    let expected = format!("cannot read topic {}: the record at offset 0 of partition ", bridge.topic);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&expected), "{said}");
}

/// The projection neither skips such a record nor forgets it.
#[test]
fn projection_waits_for_a_schema_and_then_continues() {
    let proxy = TcpProxy::before(registry().address());
    let url = url_at(proxy.address());
    let mut bridge = super::with_registry_at(&url, &[AVRO]);
    wait_until_registered(&bridge);
    assert_eq!(bridge.send(&Request::change("in-review")).status, 204);
    wait_for("the state", || (!listed_now(&bridge)?.is_empty()).then_some(()));
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    proxy.set(Fault::Cut);
    bridge.restart(&[]);
    let line = bridge.wait_for_log("its schema ");
    assert!(line.contains("cannot read topic") && line.contains("the schema registry does not answer"), "{line}");
    wait_for("the problem is shown", || {
        (bridge.metric(r#"trusthub_profiles_problem{problem="schema"}"#) == 1.0).then_some(())
    });
    assert_eq!(bridge.send(&Request::change("twilio-approved")).status, 204);
    proxy.set(Fault::None);
    let expected = [(test_support::PROFILE.to_owned(), "twilio-approved".to_owned())];
    wait_for("the state of both events", || (listed_now(&bridge)? == expected).then_some(()));
    wait_for("the problem is over", || {
        (bridge.metric(r#"trusthub_profiles_problem{problem="schema"}"#) == 0.0).then_some(())
    });
}

/// Readers in this process know the schemas with which it writes.
#[test]
fn projection_reads_what_its_service_writes_without_the_registry() {
    let proxy = TcpProxy::before(registry().address());
    let bridge = super::with_registry_at(&url_at(proxy.address()), &[AVRO]);
    wait_until_registered(&bridge);
    proxy.set(Fault::Cut);
    assert_eq!(bridge.send(&Request::change("in-review")).status, 204);
    wait_for("the state", || {
        if !broker().has_topic(&bridge.profiles_topic) {
            return None;
        }
        let states = broker().read_to_end(&bridge.profiles_topic);
        let state = states.iter().find(|state| state.key.as_deref() == Some(test_support::PROFILE.as_bytes()))?;
        (data(state)["status"] == "in-review").then_some(())
    });
    proxy.set(Fault::None);
}

/// Writes a state with this id of a schema, as a service with another registry would.
fn write_state(bridge: &Bridge, id: u32) {
    let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", broker().bootstrap()).create().unwrap();
    let header = Header { key: "ce_type", value: Some(STATE_TYPE) };
    let value = frame(id, b"x");
    let record = BaseRecord::to(&bridge.profiles_topic).key(test_support::PROFILE).payload(&value);
    producer.send(record.headers(OwnedHeaders::new().insert(header))).map_err(|(error, _)| error).unwrap();
    producer.flush(Duration::from_secs(30)).unwrap();
}

/// A compacted topic keeps the last state of a profile. What no registry can decode is built again from the events.
#[test]
fn states_with_a_lost_schema_are_built_again_when_their_topic_is_deleted() {
    let mut bridge = registered(&[AVRO]);
    assert_eq!(bridge.send(&Request::change("in-review")).status, 204);
    let expected = [(test_support::PROFILE.to_owned(), "in-review".to_owned())];
    wait_for("the state", || (listed_now(&bridge)? == expected).then_some(()));
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    let foreign = registry().register("foreign", "AVRO", r#"{"type": "record", "name": "Other", "fields": []}"#);
    for (id, reason) in [
        (2_000_000_000, "the schema registry has no schema with the id"),
        (u32::try_from(foreign).unwrap(), "the id belongs to a schema other than io.trusthub_bridge.v1.ProfileState"),
    ] {
        write_state(&bridge, id);
        let output = bridge.command(&["profiles", "ls"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(reason), "{said}");
        bridge.restart(&[AVRO]);
        bridge.wait_for_log("its schema ");
        broker().delete_topic(&bridge.profiles_topic);
        wait_for("the state again", || (listed_now(&bridge)? == expected).then_some(()));
        bridge.signal("TERM");
        assert!(bridge.wait().success());
    }
}

#[test]
fn reconciliation_reads_every_format_and_misses_nothing() {
    let fixture = Fixture::with(&[], &[("SCHEMA_REGISTRY_URL", &registry().url())]);
    fixture.begin_history();
    let mut fixture = fixture;
    for variables in [&[STRUCTURED][..], &[AVRO, ("CE_MODE", "binary")]] {
        fixture.bridge.signal("TERM");
        assert!(fixture.bridge.wait().success());
        fixture.bridge.restart(variables);
        fixture.bridge.wait_until_publishing();
        wait_until_registered(&fixture.bridge);
        let profile = fixture.simulator.create(&fixture.url);
        fixture.simulator.submit(&profile);
        fixture.simulator.settle();
        fixture.bridge.wait_until_drained();
    }
    fixture.create_missed();
    fixture.advance_clock();
    assert_eq!(fixture.reconcile(&[]).published(), 1, "only what no callback has announced");
    assert_eq!(fixture.reconcile(&[]).published(), 0, "also its own event, in Avro");
}

/// A letter whose event is in the topic already, in any format, is not published again.
#[test]
fn replay_finds_published_events_in_every_format() {
    const WRONG: (&str, &str) = ("TWILIO_AUTH_TOKEN", "fedcba9876543210fedcba9876543210");
    let bridge = registered(&[("SIGNATURE_MODE", "report-only"), WRONG]);
    let right = ("TWILIO_AUTH_TOKEN", TOKEN);
    for (earlier, (variables, profile)) in FORMATS.into_iter().enumerate() {
        assert_eq!(bridge.send(&Request::change_of(profile, "in-review")).status, 204);
        bridge.dead_letters(earlier + 1);
        let said = replay(&bridge, &[variables, &[right]].concat());
        assert!(said.contains("1 became an event"), "{earlier}: {said}");
    }
    let events = bridge.events(3);
    assert_eq!(events.len(), 3, "each letter became one event");
    let said = replay(&bridge, &[right]);
    assert!(said.contains("3 are events already"), "{said}");
    assert_eq!(bridge.events(3).len(), 3);
}

fn replay(bridge: &Bridge, variables: &[(&str, &str)]) -> String {
    let output = bridge.command_with(&["dead-letters", "replay"], &[variables, &[("PUBLIC_URL", PUBLIC_URL)]].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    said
}
