//! Fits the limit of open files and the limit of callbacks in progress to each other.

use crate::{admin, config, console, receive};

/// Raises the limit of open files to what the configured number of callbacks in progress needs. If the system does not allow
/// that, lowers the number of callbacks instead: without a descriptor, no connection could be admitted or evicted.
pub(crate) fn fit_descriptors(config: &mut config::Config) {
    let (http, has_console) = (&mut config.http, config.console.bind.is_some());
    let wanted = descriptors(http, has_console);
    let granted = rlimit::increase_nofile_limit(wanted).unwrap_or_else(|error| {
        tracing::warn!(%error, wanted, "cannot determine the limit of open files");
        wanted
    });
    if granted < wanted {
        http.max_in_flight = most_connections(http, has_console, granted);
        let connections = http.max_in_flight;
        tracing::warn!(
            granted,
            wanted,
            connections,
            "HTTP_MAX_IN_FLIGHT is lowered to the open files that are allowed"
        );
    }
}

/// The number of descriptors that the whole process needs.
fn descriptors(http: &config::HttpConfig, has_console: bool) -> u64 {
    /// For the connections to Kafka, the spool, the listeners, the log and the runtime.
    const OTHERS: usize = 256;
    let ports = receive::max_descriptors(http).saturating_add(admin::max_descriptors());
    let console = if has_console { console::max_descriptors() } else { 0 };
    u64::try_from(ports.saturating_add(console).saturating_add(OTHERS)).unwrap_or(u64::MAX)
}

/// The largest limit, up to the configured one, for which `granted` descriptors suffice, but at least one.
fn most_connections(http: &config::HttpConfig, has_console: bool, granted: u64) -> usize {
    let with = |max_in_flight| config::HttpConfig { max_in_flight, ..http.clone() };
    let (mut fits, mut exceeds) = (1, http.max_in_flight.saturating_add(1));
    while exceeds - fits > 1 {
        let middle = usize::midpoint(fits, exceeds);
        if descriptors(&with(middle), has_console) <= granted { fits = middle } else { exceeds = middle }
    }
    fits
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn http(max_in_flight: usize) -> config::HttpConfig {
        config::HttpConfig {
            bind: ([127, 0, 0, 1], 0).into(),
            max_body_bytes: 65_536,
            request_timeout: Duration::from_secs(10),
            max_in_flight,
            keep_alive: Duration::from_secs(75),
        }
    }

    #[test]
    fn limit_is_lowered_to_the_allowed_open_files_and_no_further() {
        for granted in [1_000, 4_096, 20_000] {
            let connections = most_connections(&http(65_536), false, granted);
            let needed = |connections| descriptors(&http(connections), false);
            let (fits, exceeds) = (needed(connections), needed(connections + 1));
            assert!(fits <= granted && exceeds > granted, "{connections}");
        }
        assert_eq!(most_connections(&http(4_096), true, u64::MAX), 4_096);
        assert_eq!(most_connections(&http(4_096), true, 10), 1);
    }

    #[test]
    fn descriptors_include_every_port() {
        let http = http(4_096);
        let ports = receive::max_descriptors(&http) + admin::max_descriptors();
        assert!(admin::max_descriptors() > 0 && descriptors(&http, false) > u64::try_from(ports).unwrap());
        let console = u64::try_from(console::max_descriptors()).unwrap();
        assert_eq!(descriptors(&http, true), descriptors(&http, false) + console);
    }
}
