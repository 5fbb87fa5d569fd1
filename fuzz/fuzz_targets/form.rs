//! Form parsing: no bytes panic, and what was decoded survives being encoded and decoded again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trusthub_bridge_fuzz::verify::{MAX_FIELDS, Pair, decode_form};

fn encode(pairs: &[Pair]) -> Vec<u8> {
    let mut form = Vec::new();
    for (name, value) in pairs {
        for (bytes, end) in [(name, b'='), (value, b'&')] {
            bytes.iter().for_each(|byte| form.extend(format!("%{byte:02X}").bytes()));
            form.push(end);
        }
    }
    form
}

fuzz_target!(|data: &[u8]| {
    if let Ok(pairs) = decode_form(data) {
        assert!(pairs.len() <= MAX_FIELDS);
        assert_eq!(decode_form(&encode(&pairs)).as_ref(), Ok(&pairs));
    }
});
