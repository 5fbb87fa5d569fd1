//! The raw request that `explain` reads: no input panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trusthub_bridge_fuzz::request::parse_request;

fuzz_target!(|data: &[u8]| {
    let _ = parse_request(data);
});
