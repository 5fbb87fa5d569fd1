//! The headers of the signature: an accepted signature has exactly one spelling, and accepted settings name a key.

#![no_main]

use libfuzzer_sys::fuzz_target;
use twilio_signature::{Headers, SIGNATURE_SETTINGS_HEADER, Signature, SignatureSettings};

fuzz_target!(|data: &[u8]| {
    if let Some(signature) = Signature::parse(data) {
        assert_eq!(signature.to_string().as_bytes(), data);
        assert_eq!(signature.as_bytes().len(), signature.algorithm().signature_bytes());
    }
    let headers: Headers = data.split(|byte| *byte == b'\n').map(|value| (SIGNATURE_SETTINGS_HEADER, value)).collect();
    if let Ok(Some(settings)) = SignatureSettings::read(&headers) {
        assert!(!settings.key.is_empty() && !settings.key.contains(','));
    }
});
