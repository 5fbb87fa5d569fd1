//! The accounts file: no input panics, and an accepted file has at least one key for each account.

#![no_main]

use libfuzzer_sys::fuzz_target;
use twilio_accounts::parse_accounts;

fuzz_target!(|data: &[u8]| {
    match parse_accounts(data) {
        Ok(accounts) => {
            assert!(!accounts.is_empty());
            assert!(accounts.iter().all(|account| !account.tokens.is_empty() || !account.shared_keys.is_empty()));
        }
        Err(mistakes) => assert!(!mistakes.is_empty()),
    }
});
