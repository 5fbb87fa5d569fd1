//! Two instances, and a Prometheus that monitors them.

use test_support::{
    Answer, Bridge, Request,
    kafka::{free_port, unique_topic},
    prometheus::{Monitoring, now},
};

use super::time_scale::{LOOKBACK, SCRAPES, shorten_durations};

/// The installed rules.
pub(crate) const ALERTS: &str = include_str!("../../../helm/trusthub-bridge/files/alerts.yaml");

/// Two instances with the same topics, monitored with the project's own rules.
pub(crate) struct MonitoringFixture {
    pub(crate) bridges: [Bridge; 2],
    pub(crate) monitoring: Monitoring,
    /// When Prometheus had scraped both, before the test began.
    pub(crate) since: f64,
}

impl MonitoringFixture {
    /// Starts both instances with these variables, and waits until they publish and are scraped.
    pub(crate) fn with(variables: &[(&str, &str)]) -> Self {
        Self::of([variables, variables])
    }

    /// Starts each instance with its variables.
    pub(crate) fn of(variables: [&[(&str, &str)]; 2]) -> Self {
        let [topic, dead_letters] = ["events", "dead-letters"].map(unique_topic);
        let bridges = variables.map(|variables| {
            // A fixed address, which Prometheus can scrape after a restart.
            let admin = format!("127.0.0.1:{}", free_port());
            let usual = [
                ("ADMIN_BIND", admin.as_str()),
                ("KAFKA_TOPIC", &topic),
                ("KAFKA_DEAD_LETTER_TOPIC", &dead_letters),
                ("KAFKA_ACK_TIMEOUT_MS", "1000"),
            ];
            Bridge::start_with(&[&usual, variables].concat())
        });
        let monitoring = Monitoring::of(
            &bridges.each_ref().map(|bridge| bridge.admin),
            &shorten_durations(ALERTS),
            SCRAPES,
            LOOKBACK,
        );
        monitoring.wait_until_watching(bridges.len());
        // The value of a counter before the test is known only after a scrape since then.
        let since = now();
        monitoring.wait_for_data(&format!("count(timestamp(trusthub_kafka_up) > {since}) == {}", bridges.len()));
        Self { bridges, monitoring, since }
    }

    /// Sends a request to each instance, and returns the status codes.
    pub(crate) fn send(&self, request: &Request) -> [u16; 2] {
        self.bridges.each_ref().map(|bridge| bridge.send(request)).map(|Answer { status, .. }| status)
    }

    /// Restarts one instance after the other with these variables changed.
    pub(crate) fn restart(&mut self, changes: &[(&str, &str)]) {
        for bridge in &mut self.bridges {
            bridge.signal("TERM");
            assert!(bridge.wait().success());
            bridge.restart(changes);
            bridge.wait_until_publishing();
        }
    }
}
