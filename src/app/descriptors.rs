//! Open files: enough for the connections that may be held, or fewer connections.

use crate::{config, receive};

/// Raises the limit of open files so that it does not undercut the limit of connections, or else lowers the latter:
/// without a descriptor nobody could be admitted, and nobody displaced.
pub fn fit_descriptors(http: &mut config::Http) {
    let wanted = descriptors(http.max_connections);
    let granted = rlimit::increase_nofile_limit(wanted).unwrap_or_else(|error| {
        tracing::warn!(%error, wanted, "the limit of open files is not known");
        wanted
    });
    if granted < wanted {
        http.max_connections = most_connections(http.max_connections, granted);
        let connections = http.max_connections;
        tracing::warn!(
            granted,
            wanted,
            connections,
            "HTTP_MAX_CONNECTIONS is lowered to the open files that are allowed"
        );
    }
}

fn descriptors(connections: usize) -> u64 {
    /// Kafka's connections, the spool, the listeners, the log and what the runtime needs.
    const OWN: usize = 256;
    u64::try_from(receive::most_descriptors(connections).saturating_add(OWN)).unwrap_or(u64::MAX)
}

/// The largest number up to `most` for which so many descriptors suffice, but at least one.
fn most_connections(most: usize, granted: u64) -> usize {
    let (mut fits, mut exceeds) = (1, most.saturating_add(1));
    while exceeds - fits > 1 {
        let middle = usize::midpoint(fits, exceeds);
        if descriptors(middle) <= granted { fits = middle } else { exceeds = middle }
    }
    fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_lowered_to_what_the_open_files_allow_and_no_further() {
        for granted in [1_000, 4_096, 20_000] {
            let connections = most_connections(65_536, granted);
            assert!(descriptors(connections) <= granted && descriptors(connections + 1) > granted, "{connections}");
        }
        assert_eq!(most_connections(4_096, u64::MAX), 4_096);
        assert_eq!(most_connections(4_096, 10), 1);
    }
}
