//! The fuzzed modules, compiled without the rest of the package: librdkafka does not build with the fuzzer's flags, and
//! these modules do not need it.

#![allow(dead_code, unused_imports)]

#[path = "../../src/config/mod.rs"]
pub mod config;
#[path = "../../src/domain/mod.rs"]
pub mod domain;
#[path = "../../src/cli/explain/request.rs"]
pub mod request;
