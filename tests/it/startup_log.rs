//! The first lines of the log: what runs, with what, and when Kafka was reached.

use serde_json::{Value, json};

use test_support::{Bridge, PUBLIC_URL, TOKEN};

#[test]
fn first_lines_say_what_the_service_uses_and_no_secret() {
    let shared_key = ("TWILIO_SHARED_KEYS", "webhooks_sharedkey_1=hidden-secret");
    let bridge = Bridge::start_with(&[shared_key, ("DEDUP_WINDOW_SECS", "60")]);
    let line = |message: &str| {
        let mut line = bridge.lines(message).remove(0);
        let fields = line.as_object_mut().unwrap();
        fields.retain(|name, _| !["timestamp", "target"].contains(&name.as_str()));
        line
    };
    assert_eq!(
        line("starting"),
        json!({
            "level": "INFO", "message": "starting", "version": env!("CARGO_PKG_VERSION"), "signature_mode": "enforce",
            "auth_tokens": 1, "shared_keys": 1, "dedup_window_secs": 60, "profile_states": true, "spool": bridge.spool(),
        })
    );
    let topics = line("using these topics");
    assert_eq!(
        [&topics["events"], &topics["dead_letters"], &topics["profiles"], &topics["creates_topics"]],
        [&json!(bridge.topic), &json!(bridge.dead_letter_topic), &json!(bridge.profiles_topic), &json!(true)]
    );
    let urls = line("expecting callbacks at these URLs, which Twilio must have as status callback URLs");
    assert_eq!(urls["customer_profiles"], format!("{PUBLIC_URL}/callbacks/customer-profiles"));
    assert_eq!(urls["regulatory_bundles"], format!("{PUBLIC_URL}/callbacks/regulatory-bundles"));
    bridge.wait_for_log("reached Kafka");
    let reached = line("reached Kafka");
    assert!(reached["brokers"] == 1 && reached["seconds"].as_f64().is_some(), "{reached}");
    let first: Value = serde_json::from_str(&bridge.log()[0]).unwrap();
    assert_eq!(first["message"], "starting");
    let log = bridge.log().join("\n");
    assert!(!log.contains(TOKEN) && !log.contains("hidden-secret"), "{log}");
}
