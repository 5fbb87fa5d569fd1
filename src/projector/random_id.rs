//! Ids that no other process uses.

use crate::domain::encode_hex;

/// 16 hexadecimal digits.
pub(super) fn random_id() -> String {
    let mut bytes = [0; 8];
    // Without random numbers, the id of the process has to do.
    if getrandom::getrandom(&mut bytes).is_err() {
        bytes = u64::from(std::process::id()).to_be_bytes();
    }
    encode_hex(&bytes)
}
