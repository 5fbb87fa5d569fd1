//! The declarations of the TypeScript package, and the SDKs of CloudEvents for Go, Java and Rust. `make interop` runs these tests, and
//! `make test` does not.
//!
//! `scripts/packages` runs the tests of the packages themselves when it builds them.

mod pages;

use std::process::Command;

use test_support::oracle::{harness, libraries, packages};

use super::{assert_reads_cloud_events, succeed};

#[test]
fn go_sdk_of_cloud_events_reads_every_event() {
    assert_reads_cloud_events(&mut Command::new(packages().join("go/cloudevents")));
}

#[test]
fn java_sdk_of_cloud_events_reads_every_event() {
    let mut java = Command::new("java");
    java.arg("-classpath").arg(format!("{0}:{0}/*", packages().join("java").display())).arg("ReadCloudEvents");
    assert_reads_cloud_events(&mut java);
}

#[test]
fn rust_sdk_of_cloud_events_reads_every_event() {
    assert_reads_cloud_events(&mut Command::new(packages().join("rust/cloudevents")));
}

#[test]
fn typescript_declarations_fit_a_strict_consumer() {
    let mut tsc = Command::new("node");
    tsc.arg(libraries().join("node/node_modules/typescript/bin/tsc")).arg("--project").arg(harness("packages"));
    succeed(&mut tsc, "");
}
