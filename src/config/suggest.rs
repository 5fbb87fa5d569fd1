//! Suggests the right name for a misspelled variable.

use super::catalogue::VARIABLES;

/// Returns a warning if this unknown name is similar to that of a known variable.
///
/// Other unknown names are ignored, whatever their prefix, because Kubernetes injects `KAFKA_PORT` and the like.
pub(super) fn warning(name: &str) -> Option<String> {
    let upper = name.to_ascii_uppercase();
    VARIABLES
        .iter()
        .map(|variable| (strsim::osa_distance(&upper, variable.name), variable.name))
        .filter(|(distance, known)| *distance <= max_distance(known))
        .min()
        .map(|(_, known)| format!("{name} is unknown and ignored; did you mean {known}?"))
}

/// Returns the number of edits up to which a name is similar. In a short name, two edits already make another word.
fn max_distance(known: &str) -> usize {
    if known.len() < 10 { 1 } else { 2 }
}
