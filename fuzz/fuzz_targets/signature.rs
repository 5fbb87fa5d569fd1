//! The signature header: an accepted signature has exactly one spelling.

#![no_main]

use libfuzzer_sys::fuzz_target;
use twilio_signature::Signature;

fuzz_target!(|data: &[u8]| {
    if let Some(signature) = Signature::parse(data) {
        assert_eq!(signature.to_string().as_bytes(), data);
    }
});
