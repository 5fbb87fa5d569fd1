//! The SDKs of CloudEvents for Go and Java. `make interop` runs these tests, and `make test` does not.
//!
//! `scripts/packages` runs the tests of the packages themselves when it builds them.

use std::process::Command;

use test_support::oracle::packages;

use super::assert_reads_cloud_events;

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
