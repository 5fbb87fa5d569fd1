//! The page *Now*.

use test_support::{Request, kafka::Broker, wait_for};

use super::{Events, FREE, get, get_json};
use test_support::Bridge;

/// Waits until the service has this condition.
fn wait_for_condition(bridge: &Bridge, condition: &str) -> serde_json::Value {
    wait_for(condition, || Some(get_json(bridge, "/api/v1/now")).filter(|now| now["condition"] == condition))
}

#[test]
fn page_says_what_is_durable_through_an_outage_of_kafka() {
    let mut kafka = Broker::start("console-now", &[]);
    let bootstrap = kafka.bootstrap().to_owned();
    let variables = [("KAFKA_BOOTSTRAP_SERVERS", &*bootstrap), ("KAFKA_ACK_TIMEOUT_MS", "500"), ("CONSOLE_BIND", FREE)];
    let bridge = Bridge::launch(&variables);
    let durable = wait_for_condition(&bridge, "durable");
    assert_eq!((&durable["spool"]["records"], &durable["last_callback"]), (&0.into(), &serde_json::Value::Null));
    assert_eq!((&durable["keys"]["auth_tokens"], &durable["reconciliation"]), (&1.into(), &serde_json::Value::Null));
    let events = Events::open(&bridge, "/events?page=now");
    events.wait_for("All callbacks of this instance are durable in Kafka.");
    kafka.stop();
    assert_eq!(bridge.send(&Request::change("in-review")).status, 204);
    let spooling = wait_for_condition(&bridge, "spooling");
    assert_eq!((&spooling["spool"]["records"], &spooling["severity"]), (&1.into(), &"waiting".into()));
    assert!(spooling["since"].as_str() > durable["since"].as_str(), "{spooling}");
    assert!(spooling["kafka"]["detail"].is_string(), "{spooling}");
    events.wait_for("1 record waits on this disk for Kafka.");
    let page = get(&bridge, "/").body;
    let instance = spooling["instance"].as_str().unwrap();
    assert!(!instance.is_empty() && page.contains(&format!("the instance <code>{instance}</code>")), "{page}");
    assert!(
        page.contains(r#"<p class="headline" data-severity="waiting">Nothing is being published to Kafka."#),
        "{page}"
    );
    kafka.start_again();
    let back = wait_for_condition(&bridge, "durable");
    assert!(back["last_callback"].is_string() && back["since"].as_str() > spooling["since"].as_str(), "{back}");
}

#[test]
fn profiles_are_counted_by_status() {
    let bridge = super::start_with(&[]);
    assert_eq!(bridge.send(&Request::change("in-review")).status, 204);
    let now = wait_for("the profile is counted", || {
        let now = get_json(&bridge, "/api/v1/now");
        let profiles = &now["profiles"];
        (profiles["statuses"][0]["profiles"] == 1 && profiles["partitions"] == 3).then_some(now)
    });
    let counted = &now["profiles"]["statuses"][0];
    assert_eq!((&counted["status"], &counted["resource"]), (&"in-review".into(), &"customer-profile".into()));
    let page = get(&bridge, "/").body;
    assert!(page.contains("This instance counts the 1 profile in its 3 partitions"), "{page}");
    let off = super::start_with(&[("KAFKA_PROFILES_TOPIC", "")]);
    assert!(get(&off, "/").body.contains("KAFKA_PROFILES_TOPIC"), "the page says how to turn the states on");
    assert_eq!(get_json(&off, "/api/v1/now")["profiles"], serde_json::Value::Null);
}

#[test]
fn page_is_not_green_while_the_schema_registry_has_not_answered() {
    let bridge = super::start_with(&[("KAFKA_VALUE_FORMAT", "avro"), ("SCHEMA_REGISTRY_URL", "http://127.0.0.1:1")]);
    for records in [0, 1] {
        let now = wait_for_condition(&bridge, "spooling");
        assert_eq!((&now["outage"], &now["kafka"]["is_up"]), (&"no_schema_id".into(), &true.into()), "{now}");
        assert_eq!(now["spool"]["records"], records, "{now}");
        assert!(now["notes"][0]["text"].as_str().unwrap().contains("SCHEMA_REGISTRY_URL"), "{now}");
        assert_eq!(bridge.send(&Request::change("in-review")).status, 204);
    }
}
