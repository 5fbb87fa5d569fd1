//! Two instances, and who watches them.

use crate::support::{
    Answer, Bridge, Request,
    kafka::{free_port, unique_topic},
    prometheus::{Monitoring, now},
};

use super::faster::{LOOKBACK, SCRAPES, faster};

/// The rules as they are installed.
pub(crate) const ALERTS: &str = include_str!("../../../helm/trusthub-bridge/files/alerts.yaml");

/// Two instances with the same topics, watched by the project's own rules.
pub(crate) struct Scene {
    pub(crate) bridges: [Bridge; 2],
    pub(crate) monitoring: Monitoring,
    /// When Prometheus had seen both, before anything happened.
    pub(crate) since: f64,
}

impl Scene {
    /// With these variables in both of them; publishing, and seen to.
    pub(crate) fn with(variables: &[(&str, &str)]) -> Self {
        Self::of([variables, variables])
    }

    /// With these variables in each of them.
    pub(crate) fn of(variables: [&[(&str, &str)]; 2]) -> Self {
        let [topic, dead_letters] = ["events", "dead-letters"].map(unique_topic);
        let bridges = variables.map(|variables| {
            // Prometheus looks there also after a restart.
            let admin = format!("127.0.0.1:{}", free_port());
            let usual = [
                ("ADMIN_BIND", admin.as_str()),
                ("KAFKA_TOPIC", &topic),
                ("KAFKA_DEAD_LETTER_TOPIC", &dead_letters),
                ("KAFKA_ACK_TIMEOUT_MS", "1000"),
            ];
            Bridge::start_with(&[&usual, variables].concat())
        });
        let monitoring =
            Monitoring::of(&bridges.each_ref().map(|bridge| bridge.admin), &faster(ALERTS), SCRAPES, LOOKBACK);
        monitoring.wait_until_watching(bridges.len());
        // What a counter was before anything happens is known only when it was asked for since then.
        let since = now();
        monitoring.wait_for_data(&format!("count(timestamp(trusthub_kafka_up) > {since}) == {}", bridges.len()));
        Self { bridges, monitoring, since }
    }

    /// Sends a request to each instance; what they answer.
    pub(crate) fn send(&self, request: &Request) -> [u16; 2] {
        self.bridges.each_ref().map(|bridge| bridge.send(request)).map(|Answer { status, .. }| status)
    }

    /// Restarts one after the other with these variables changed.
    pub(crate) fn restart(&mut self, changes: &[(&str, &str)]) {
        for bridge in &mut self.bridges {
            bridge.signal("TERM");
            assert!(bridge.wait().success());
            bridge.restart(changes);
            bridge.wait_until_publishing();
        }
    }
}
