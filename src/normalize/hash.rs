//! The hash behind the ids of events.

use sha2::{Digest as _, Sha256};

/// Hashes each part with its length, so that different lists of parts never yield the same input.
pub(super) fn hash(parts: &[&[u8]]) -> u128 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte))
}
