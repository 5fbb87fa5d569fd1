//! A registry that accepts connections and answers wrongly is not on the path of a callback.

use std::time::{Duration, Instant};

use test_support::{Bridge, Request, registry::data};

use super::{
    AVRO,
    faulty_registry::{FaultyRegistry, RegistryFault},
    wait_until_registered, with_registry_at,
};

const STATUSES: [&str; 4] = ["draft", "pending-review", "in-review", "twilio-approved"];

/// A callback that waited for the registry would take ten seconds or longer.
const LIMIT: Duration = Duration::from_millis(9_500);

/// In both formats, callbacks are answered while the registry has the fault, and all events are published in their order, in
/// Avro once the registry is well again.
fn is_not_on_the_path_of_callbacks(fault: RegistryFault, said: &str) {
    let registry = FaultyRegistry::with(fault);
    // With the failover, less than the limit.
    const ACK_TIMEOUT: (&str, &str) = ("KAFKA_ACK_TIMEOUT_MS", "8000");
    let formats: [&[(&str, &str)]; 2] = [&[ACK_TIMEOUT], &[AVRO, ACK_TIMEOUT]];
    let bridges = formats.map(|format| with_registry_at(&registry.url(), format));
    let half = STATUSES.len() / 2;
    bridges.iter().for_each(|bridge| announce_within_limit(bridge, &STATUSES[..half]));
    for bridge in &bridges {
        let line = bridge.wait_for_log(said);
        assert!(line.contains(r#""level":"ERROR""#), "{line}");
        assert_eq!(bridge.metric("trusthub_schema_registry_up"), 0.0);
        announce_within_limit(bridge, &STATUSES[half..]);
    }
    let [json, avro] = &bridges;
    assert_eq!(statuses(json), STATUSES, "JSON needs no registry");
    assert_eq!(avro.metric("trusthub_spool_events"), STATUSES.len() as f64);
    assert!(registry.flooded() < 50 << 20, "{} bytes are read", registry.flooded());

    registry.heal();
    wait_until_registered(avro);
    avro.wait_until_drained();
    assert_eq!(statuses(avro), STATUSES);
    wait_until_registered(json);
}

fn announce_within_limit(bridge: &Bridge, statuses: &[&str]) {
    for status in statuses {
        let began = Instant::now();
        assert_eq!(bridge.send(&Request::change(status)).status, 204);
        assert!(began.elapsed() < LIMIT, "{status} took {:?}", began.elapsed());
    }
}

fn statuses(bridge: &Bridge) -> Vec<String> {
    let events = bridge.events(STATUSES.len());
    events.iter().map(|event| data(event)["status"].as_str().map(str::to_owned).unwrap_or_default()).collect()
}

#[test]
fn silent_registry_delays_no_callback() {
    is_not_on_the_path_of_callbacks(RegistryFault::Silence, "the schema registry does not answer: ");
}

#[test]
fn registry_that_answers_byte_by_byte_delays_no_callback() {
    is_not_on_the_path_of_callbacks(RegistryFault::Trickle, "the schema registry does not answer: ");
}

#[test]
fn registry_with_errors_delays_no_callback() {
    let said = "the schema registry answers HTTP 500: the store is out of order; look into its log";
    is_not_on_the_path_of_callbacks(RegistryFault::Failure, said);
}

#[test]
fn registry_that_answers_garbage_delays_no_callback() {
    is_not_on_the_path_of_callbacks(RegistryFault::Garbage, "the schema registry does not answer: ");
}

#[test]
fn registry_with_endless_answers_delays_no_callback() {
    let said = "SCHEMA_REGISTRY_URL does not answer as a schema registry";
    is_not_on_the_path_of_callbacks(RegistryFault::Flood, said);
}
