//! New credentials of a user who lacks a permission: they are refused, and the previous ones go on.

use test_support::{
    Bridge, Load,
    kafka::{CredentialFolder, SecureBroker},
    wait_for,
};

use super::{CALLBACKS, NOT_RENEWED, RENEWED, REPLACED, assert_complete, launch, reloads};

/// Waits until the last line about credentials that were refused has this text.
fn wait_for_refusal(bridge: &Bridge, text: &str) {
    wait_for(&format!("{text:?} in a refusal"), || {
        let refused = bridge.lines(NOT_RENEWED).pop()?["error"].as_str()?.contains(text);
        refused.then_some(())
    });
}

#[test]
fn certificate_of_a_user_who_may_not_write_is_refused() {
    let kafka = SecureBroker::start_with_permissions();
    let files = CredentialFolder::new();
    let bridge = launch(&kafka, &files);
    let load = Load::start_light(bridge.public);
    load.wait_for_answers(CALLBACKS);
    let [events, dead_letters] = [&*bridge.topic, &*bridge.dead_letter_topic];
    kafka.permit_other_client("Describe", &[events, dead_letters]);

    let [certificate, key] = kafka.other_client();
    // Each time that a file changes, the service tries it at once.
    let replace = || {
        files.replace("client-key.pem", &key);
        files.replace("client.pem", &certificate);
    };
    replace();
    let denied = |topic: &str| {
        format!(
            "Kafka cannot be used with them: the Kafka user is not authorized to WRITE on topic {topic}; grant the permission"
        )
    };
    wait_for_refusal(&bridge, &denied(events));
    let refusals = bridge.lines(NOT_RENEWED);
    let denials = refusals.iter().filter(|line| line["error"].as_str().unwrap().contains(&denied(events)));
    assert_eq!(denials.count(), 1, "{refusals:?}");
    assert_eq!(bridge.metric("trusthub_kafka_credentials_reload_failed"), 1.0);
    load.wait_for_answers(CALLBACKS);

    kafka.permit_other_client("Write", &[events]);
    replace();
    wait_for_refusal(&bridge, &denied(dead_letters));
    load.wait_for_answers(CALLBACKS);
    assert!(bridge.lines(RENEWED).is_empty());

    kafka.permit_other_client("Write", &[dead_letters]);
    replace();
    bridge.wait_for_lines(RENEWED, 1);
    bridge.wait_for_lines(REPLACED, 1);
    load.wait_for_answers(CALLBACKS);

    assert_complete(load, &bridge, &kafka);
    assert_eq!(reloads(&bridge, "success"), 1.0);
    assert!(bridge.outages().is_empty(), "{:?}", bridge.outages());
}
