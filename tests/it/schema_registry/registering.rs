//! What the service registers, and what it does when that is not possible.

use serde_json::Value;
use trusthub_events::DataSchema;

use test_support::{
    Bridge,
    kafka::{CredentialFolder, Record, broker, unique_topic},
    login_proxy::LoginProxy,
    reconcile::Fixture,
    registry::{data, registry, url_at},
    wait_for,
};

use super::{AVRO, announce, id_bytes, registered, wait_until_registered, with_registry_at};

fn schema_id(record: &Record) -> Option<&[u8]> {
    let header = record.headers.iter().find(|(name, _)| name == "__value_schema_id")?;
    Some(&header.1)
}

fn value(record: &Record) -> Value {
    serde_json::from_slice(record.payload.as_ref().unwrap()).unwrap()
}

#[test]
fn json_carries_the_id_under_which_its_schema_is_registered() {
    let bridge = registered(&[]);
    announce(&bridge, "in-review");
    let event = bridge.events(1).remove(0);
    let subject = format!("{}-value", bridge.topic);
    assert_eq!(schema_id(&event), Some(&*id_bytes(registry().id_of(&subject))));
    assert_eq!(
        (value(&event)["status"].as_str(), event.header("content-type")),
        (Some("in-review"), Some("application/json"))
    );
    let state = wait_for("the state", || {
        let has_topic = broker().has_topic(&bridge.profiles_topic);
        has_topic.then(|| broker().read_to_end(&bridge.profiles_topic))?.into_iter().next()
    });
    assert_eq!(schema_id(&state), Some(&*id_bytes(registry().id_of(&format!("{}-value", bridge.profiles_topic)))));

    let again = registered(&[("KAFKA_TOPIC", &bridge.topic), ("KAFKA_PROFILES_TOPIC", &bridge.profiles_topic)]);
    announce(&again, "twilio-approved");
    let ids: Vec<_> = bridge.events(2).iter().map(|event| schema_id(event).map(<[u8]>::to_vec)).collect();
    assert_eq!(ids[0], ids[1]);
    assert_eq!(registry().versions(&subject), [1], "the other instance has registered nothing");
}

#[test]
fn schema_is_used_once_an_operator_has_registered_it() {
    let bridge = with_registry_at(
        &registry().url(),
        &[("SCHEMA_REGISTRY_AUTO_REGISTER", "false"), ("KAFKA_PROFILES_TOPIC", "")],
    );
    let subject = format!("{}-value", bridge.topic);
    let line = bridge.wait_for_log(&format!("does not have the schema of subject {subject}"));
    assert!(
        line.contains("SCHEMA_REGISTRY_AUTO_REGISTER=true") && line.contains("values carry no schema id"),
        "{line}"
    );
    announce(&bridge, "in-review");
    assert_eq!(schema_id(&bridge.events(1)[0]), None);
    assert_eq!(registry().versions(&subject), [0_u64; 0]);

    let ids =
        [DataSchema::ProfileStatusChanged, DataSchema::ProfileDescribed, DataSchema::ProfileDeleted].map(|schema| {
            let subject = match schema {
                DataSchema::ProfileStatusChanged => subject.clone(),
                _ => format!("{}-{}", bridge.topic, schema.record_name()),
            };
            registry().register(&subject, "JSON", schema.json_draft_07())
        });
    wait_until_registered(&bridge);
    announce(&bridge, "twilio-approved");
    let last = bridge.events(2).into_iter().find(|event| value(event)["status"] == "twilio-approved").unwrap();
    assert_eq!(schema_id(&last), Some(&*id_bytes(ids[0])));
}

/// A subject that has other schemas, as after a change of the format.
fn refusing_topic() -> (String, String) {
    let topic = unique_topic("events");
    let subject = format!("{topic}-value");
    registry().register(&subject, "AVRO", r#"{"type": "record", "name": "Other", "fields": []}"#);
    registry().set_compatibility(&subject, "FULL_TRANSITIVE");
    (topic, subject)
}

fn wait_until_refused(bridge: &Bridge, subject: &str) -> String {
    let line = bridge.wait_for_log(&format!("rejects the schema of subject {subject} as incompatible: "));
    assert!(line.contains(r#""level":"ERROR""#) && line.contains("change the compatibility of that subject"), "{line}");
    line
}

#[test]
fn incompatible_schema_is_one_log_line_and_avro_waits_in_the_spool() {
    let (topic, subject) = refusing_topic();
    let bridge = with_registry_at(&registry().url(), &[AVRO, ("KAFKA_TOPIC", &topic)]);
    let line = wait_until_refused(&bridge, &subject);
    assert!(line.contains("meanwhile, records wait in the spool"), "{line}");
    announce(&bridge, "in-review");
    announce(&bridge, "twilio-approved");
    bridge.wait_for_log("the schema registry has not said which ids the schemas have; records are spooled");
    assert_eq!(bridge.metric("trusthub_spool_events"), 2.0);
    assert_eq!(bridge.metric("trusthub_schema_registry_up"), 0.0);
    wait_for("Kafka is not at fault", || (bridge.metric("trusthub_kafka_up") == 1.0).then_some(()));

    registry().set_compatibility(&subject, "NONE");
    wait_until_registered(&bridge);
    bridge.wait_until_drained();
    assert_eq!(bridge.events(2).len(), 2);
    assert_eq!(
        bridge.log().iter().filter(|line| line.contains("as incompatible")).count(),
        1,
        "not with every attempt"
    );
    assert_eq!(bridge.wait_for_lines("the schema registry has every schema", 1).len(), 1);
}

/// A rare type that the registry rejects neither stops a command nor fills the spool.
#[test]
fn rejected_schema_of_a_notice_stops_no_status_change() {
    let topic = unique_topic("events");
    let subject = format!("{topic}-{}", DataSchema::ProfileDescribed.record_name());
    registry().register(&subject, "AVRO", r#"{"type": "record", "name": "Other", "fields": []}"#);
    registry().set_compatibility(&subject, "FULL_TRANSITIVE");
    let states = unique_topic("states");
    let fixture = Fixture::with(
        &[],
        &[AVRO, ("SCHEMA_REGISTRY_URL", &registry().url()), ("KAFKA_TOPIC", &topic), ("KAFKA_PROFILES_TOPIC", &states)],
    );
    wait_until_refused(&fixture.bridge, &subject);
    fixture.begin_history();
    let missed = fixture.create_missed();
    fixture.advance_clock();
    let run = fixture.reconcile(&[]);
    assert!(run.told.contains("notices about profiles wait") && run.told.contains("1 missed and published"), "{run:?}");
    let events = fixture.bridge.events(2);
    assert!(events.iter().any(|event| event.key.as_deref() == Some(missed.as_bytes())));
    fixture.bridge.wait_until_drained();
}

const RIGHT_LOGIN: &str = "user:right";
const WRONG: [(&str, &str); 2] = [("SCHEMA_REGISTRY_USERNAME", "user"), ("SCHEMA_REGISTRY_PASSWORD", "wrong-secret")];

/// Starts the program with a wrong password, and waits for the line about it.
fn with_wrong_password(variables: &[(&str, &str)], consequence: &str) -> Bridge {
    let proxy = LoginProxy::before(registry().address(), RIGHT_LOGIN);
    let bridge = with_registry_at(&url_at(proxy.address()), &[&WRONG[..], variables].concat());
    let line = bridge.wait_for_log("the schema registry rejects the user (HTTP 401)");
    assert!(line.contains("SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD"), "{line}");
    assert!(line.contains(r#""level":"ERROR""#) && line.contains(consequence), "{line}");
    bridge
}

/// Restarts the program with the right password. Before, there was one line about the wrong one, without it.
fn correct_password(bridge: &mut Bridge) {
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    assert_eq!(bridge.log().iter().filter(|line| line.contains("rejects the user")).count(), 1);
    assert!(bridge.log().iter().all(|line| !line.contains("wrong-secret")));
    bridge.restart(&[("SCHEMA_REGISTRY_PASSWORD", "right")]);
    wait_until_registered(bridge);
}

#[test]
fn wrong_password_names_the_variables_and_json_carries_no_id() {
    let mut bridge = with_wrong_password(&[], "meanwhile, values carry no schema id");
    announce(&bridge, "in-review");
    assert_eq!(schema_id(&bridge.events(1)[0]), None);
    correct_password(&mut bridge);
    assert_eq!(registry().versions(&format!("{}-value", bridge.topic)), [1]);
    announce(&bridge, "twilio-approved");
    assert!(schema_id(&bridge.events(2)[1]).is_some());
}

#[test]
fn wrong_password_names_the_variables_and_avro_waits_in_the_spool() {
    const STATUSES: [&str; 3] = ["pending-review", "in-review", "twilio-approved"];
    let mut bridge = with_wrong_password(&[AVRO], "meanwhile, records wait in the spool");
    STATUSES.iter().for_each(|status| announce(&bridge, status));
    assert_eq!(bridge.metric("trusthub_spool_events"), STATUSES.len() as f64);
    correct_password(&mut bridge);
    bridge.wait_until_drained();
    let events = bridge.events(STATUSES.len());
    let published: Vec<_> = events.iter().map(|event| data(event)["status"].as_str().unwrap().to_owned()).collect();
    assert_eq!(published, STATUSES);
    assert!(events.iter().all(|event| event.header("content-type") == Some("application/avro")));
}

#[test]
fn password_that_is_renewed_in_its_file_is_used_for_the_next_request() {
    let (proxy, files) = (LoginProxy::before(registry().address(), "user:next-secret"), CredentialFolder::new());
    files.replace("password", "former-secret");
    let password = files.file("password");
    let login = [("SCHEMA_REGISTRY_USERNAME", "user"), ("SCHEMA_REGISTRY_PASSWORD_FILE", &*password)];
    let bridge = with_registry_at(&url_at(proxy.address()), &[&[AVRO], &login[..]].concat());
    bridge.wait_for_log("the schema registry rejects the user (HTTP 401)");
    announce(&bridge, "in-review");
    assert_eq!(bridge.metric("trusthub_spool_events"), 1.0);
    files.replace("password", "next-secret");
    bridge.wait_for_log("reloaded the password of the schema registry");
    wait_until_registered(&bridge);
    bridge.wait_until_drained();
    assert_eq!(data(&bridge.events(1)[0])["status"], "in-review");
    assert!(bridge.log().iter().all(|line| !line.contains("former-secret") && !line.contains("next-secret")));
}
