//! The registry does not answer, and no callback notices.

use std::{env, time::Duration};

use test_support::{
    Load, TIMEOUT,
    kafka::broker,
    proxy::{Fault, TcpProxy},
    registry::{decoded, registry, url_at},
};

use super::{AVRO, id_bytes, wait_until_registered, with_registry_at};

/// Enough callbacks for every caller to have several answers.
const SOME: usize = 100;

/// For how long the registry is down: the number of seconds in this variable, which `make interop` sets.
const OUTAGE_VARIABLE: &str = "REGISTRY_OUTAGE_SECONDS";
const SHORT_OUTAGE: Duration = Duration::from_secs(1);

fn outage() -> Duration {
    let seconds = env::var(OUTAGE_VARIABLE).ok().filter(|seconds| !seconds.is_empty());
    seconds.map_or(SHORT_OUTAGE, |seconds| {
        Duration::from_secs(seconds.parse().unwrap_or_else(|_| panic!("{OUTAGE_VARIABLE} is a number of seconds")))
    })
}

/// The registry is down when the service starts, answers for a while, and is down again. The first outage costs ids, or fills the
/// spool; in the second one, nothing changes.
fn survives_outages_of_the_registry(variables: &[(&str, &str)]) {
    let proxy = TcpProxy::before(registry().address());
    proxy.set(Fault::Cut);
    let bridge = with_registry_at(&url_at(proxy.address()), variables);
    // Fewer callbacks in a long outage: the spool has to hold them.
    let load = if outage() > SHORT_OUTAGE { Load::start_light(bridge.public) } else { Load::start(bridge.public) };
    load.wait_for_answers(SOME);
    load.run_for(outage());
    assert!(bridge.wait_for_log("the schema registry does not answer: ").contains("SCHEMA_REGISTRY_URL"));
    // JSON does without the id, and Avro waits for it.
    if variables.contains(&AVRO) {
        assert!(bridge.metric("trusthub_spool_events") > 0.0);
    } else {
        assert_eq!(bridge.metric(r#"trusthub_spool_failovers_total{reason="no_schema_id"}"#), 0.0);
    }

    proxy.set(Fault::None);
    // It is asked again after at most 30 seconds.
    load.run_while(|| bridge.metric("trusthub_schema_registry_up") == 0.0);
    load.run_while(|| bridge.metric("trusthub_spool_events") > 0.0);
    load.wait_for_answers(SOME);
    proxy.set(Fault::Cut);
    load.run_for((outage() / 5).max(SHORT_OUTAGE));

    let ledger = load.stop();
    assert_eq!(ledger.answers(), [Some(204)].into());
    bridge.wait_until_drained();
    let records = broker().wait_for_records(&bridge.topic, 0, TIMEOUT);
    ledger.check(&decoded(&records));
    assert_eq!(broker().wait_for_records(&bridge.dead_letter_topic, 0, TIMEOUT), []);
    let id = id_bytes(registry().id_of(&format!("{}-value", bridge.topic)));
    let with_id = records.iter().filter(|record| {
        record.payload.as_ref().is_some_and(|value| value.starts_with(&id))
            || record.headers.iter().any(|(name, value)| name == "__value_schema_id" && *value == id)
    });
    let with_id = with_id.count();
    if variables.contains(&AVRO) {
        assert_eq!(with_id, records.len());
    } else {
        assert!((SOME..records.len()).contains(&with_id), "{with_id} of {}", records.len());
    }
    wait_until_registered_again(&proxy, &bridge);
}

/// Ends as it began: what follows an outage is not left to chance.
fn wait_until_registered_again(proxy: &TcpProxy, bridge: &test_support::Bridge) {
    proxy.set(Fault::None);
    wait_until_registered(bridge);
}

#[test]
fn registry_outages_cost_no_event_and_no_order_in_avro() {
    survives_outages_of_the_registry(&[AVRO]);
}

#[test]
fn registry_outages_cost_no_event_and_no_order_in_json() {
    survives_outages_of_the_registry(&[]);
}
