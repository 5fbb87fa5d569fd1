//! The value of a record, as a consumer reads it: no input panics, and an event that was applied is a repeat the second time.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trusthub_events::{
    cloud_events::EVENT_TYPE,
    view::{Decision, Reason, Record, View},
};

fuzz_target!(|data: &[u8]| {
    let record = Record {
        ce_id: Some("1"),
        ce_type: Some(EVENT_TYPE),
        ce_time: Some("2026-11-20T11:04:00.123Z"),
        value: Some(data),
    };
    let mut view = View::default();
    match view.apply(&record) {
        Decision::Applied(..) => assert_eq!(view.apply(&record), Decision::Skipped(Reason::Repeat)),
        Decision::Skipped(reason) => assert!(matches!(reason, Reason::Unreadable(_))),
    }
});
