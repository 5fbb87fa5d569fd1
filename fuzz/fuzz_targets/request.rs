//! The raw request that `explain` reads: no input panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use twilio_signature::parse_request;

fuzz_target!(|data: &[u8]| {
    let _ = parse_request(data);
});
