//! The packages for consumers in `packages/`: their types are those of the schemas, they read each record in each format, and
//! the SDKs of CloudEvents read the same from the records.
//!
//! [`consumer`](super::consumer) compares the rules of all languages. [`other_languages`] needs more tools and time, and runs
//! in `make interop` only.

mod other_languages;
mod published;

use std::{
    fs,
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use test_support::{
    oracle::{harness, libraries},
    project_root,
};

use self::published::published_cloud_events;

fn package(language: &str) -> PathBuf {
    project_root().join("packages").join(language)
}

fn python() -> Command {
    let mut python = Command::new(libraries().join("python/bin/python"));
    python.env("PYTHONDONTWRITEBYTECODE", "1");
    python
}

/// Runs a command with this text as its input, and returns what it prints.
fn succeed(command: &mut Command, input: &str) -> String {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child =
        piped.spawn().unwrap_or_else(|error| panic!("{command:?} does not start, see scripts/setup: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // In a thread, because the program may print before it has read everything.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{command:?}: {printed}{}", String::from_utf8_lossy(&output.stderr));
    writer.join().unwrap().unwrap();
    printed
}

/// The records that the packages read in their own tests.
fn records() -> Vec<Value> {
    serde_json::from_str(&fs::read_to_string(package("testdata/records.json")).unwrap()).unwrap()
}

/// Those of them that the service writes as CloudEvents with JSON data, in the binary and the structured mode.
fn cloud_events() -> Vec<Value> {
    let mut records = records();
    records.retain(|record| {
        let name = record["name"].as_str().unwrap();
        let is_written = !name.starts_with("later version") && record["expected"]["error"].is_null();
        is_written && [", JSON", ", structured"].iter().any(|format| name.ends_with(format))
    });
    assert!(records.len() > 20, "{}", records.len());
    records
}

/// Asserts that a program that uses an SDK of CloudEvents reads each record as what it is: those of the packages, and those that
/// the service has published.
fn assert_reads_cloud_events(sdk: &mut Command) {
    let mut records = cloud_events();
    for record in &mut records {
        // What an SDK returns is the JSON as it is, in which an absent field is absent.
        let is_structured = record["name"].as_str().unwrap().ends_with(", structured");
        let value: Value =
            serde_json::from_slice(&STANDARD.decode(record["value"].as_str().unwrap()).unwrap()).unwrap();
        record["expected"]["data"] = if is_structured { value["data"].clone() } else { value };
    }
    records.extend_from_slice(published_cloud_events());
    let printed = succeed(sdk, &serde_json::to_string(&records).unwrap());
    let read: Vec<Value> = serde_json::from_str(&printed).unwrap();
    assert_eq!(read.len(), records.len());
    for (record, read) in records.iter().zip(read) {
        assert_eq!(read, record["expected"], "{}", record["name"]);
    }
}

#[test]
fn files_of_the_packages_are_generated_from_the_schemas() {
    succeed(python().arg(package("generate")).arg("--check"), "");
}

#[test]
fn python_package_reads_every_record_and_decides_as_rust() {
    let tests = python()
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"])
        .current_dir(package("python"))
        .env("PYTHONPATH", "src")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&tests.stdout);
    assert!(tests.status.success() && printed.contains(" passed") && !printed.contains("skipped"), "{printed}");
}

#[test]
fn python_sdk_of_cloud_events_reads_every_event() {
    assert_reads_cloud_events(python().arg(harness("cloudevents/read.py")));
}

#[test]
fn javascript_sdk_of_cloud_events_reads_every_event() {
    let mut node = Command::new("node");
    node.arg(harness("cloudevents/read.js")).env("NODE_PATH", libraries().join("node/node_modules"));
    assert_reads_cloud_events(&mut node);
}
