//! Finds slips of the pen: names that are not ours but nearly are.

use super::catalogue::VARIABLES;

/// A warning for a name that is not read, when it is near one that is.
///
/// Other unknown names say nothing, whatever their prefix: Kubernetes injects `KAFKA_PORT` and the like.
pub(super) fn warning(name: &str) -> Option<String> {
    let upper = name.to_ascii_uppercase();
    VARIABLES
        .iter()
        .map(|variable| (strsim::osa_distance(&upper, variable.name), variable.name))
        .filter(|(distance, ours)| *distance <= tolerance(ours))
        .min()
        .map(|(_, ours)| format!("{name} is not read; did you mean {ours}?"))
}

/// In a short name two edits already make another word.
fn tolerance(ours: &str) -> usize {
    if ours.len() < 10 { 1 } else { 2 }
}
