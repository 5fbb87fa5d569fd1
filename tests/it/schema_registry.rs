//! A schema registry, and the formats that need one: what is registered, what happens when the registry does not help, and
//! that every reader reads every format.

mod faults;
mod faulty_registry;
mod formats;
mod oracles;
mod outages;
mod registering;
mod rejected_notices;

use test_support::{Bridge, PATIENT, Request, kafka::broker, registry::registry, wait_for};

const AVRO: (&str, &str) = ("KAFKA_VALUE_FORMAT", "avro");
const STRUCTURED: (&str, &str) = ("CE_MODE", "structured");

/// Starts the program with the registry and these variables, and waits until it publishes with every schema.
fn registered(variables: &[(&str, &str)]) -> Bridge {
    let url = registry().url();
    let bridge = Bridge::start_with(&[&[("SCHEMA_REGISTRY_URL", &*url)], variables].concat());
    wait_until_registered(&bridge);
    bridge
}

/// Starts the program with a registry at this URL, and waits until it can use Kafka, but not for the registry.
fn with_registry_at(url: &str, variables: &[(&str, &str)]) -> Bridge {
    let usual = [("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap()), PATIENT, ("SCHEMA_REGISTRY_URL", url)];
    let bridge = Bridge::launch(&[&usual, variables].concat());
    bridge.wait_until_kafka_is_up();
    bridge
}

fn wait_until_registered(bridge: &Bridge) {
    wait_for("every id is known", || (bridge.metric("trusthub_schema_registry_up") == 1.0).then_some(()));
}

/// Sends a callback, which must be answered 204.
fn announce(bridge: &Bridge, status: &str) {
    assert_eq!(bridge.send(&Request::change(status)).status, 204);
}

/// What a header with this id of a schema has.
fn id_bytes(id: u64) -> Vec<u8> {
    [&[0], &u32::try_from(id).unwrap().to_be_bytes()[..]].concat()
}
