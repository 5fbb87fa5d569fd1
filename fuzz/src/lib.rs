//! The rooms that are fuzzed, compiled by themselves: librdkafka's build does not go well with the fuzzer's flags, and
//! none of it is needed here.

#![allow(dead_code)]

#[path = "../../src/config/mod.rs"]
pub mod config;
#[path = "../../src/domain/mod.rs"]
pub mod domain;
#[path = "../../src/cli/explain/request.rs"]
pub mod request;
#[path = "../../src/verify/mod.rs"]
pub mod verify;
