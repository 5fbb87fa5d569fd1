//! Small sources that break the rules, and some that do not.

use std::path::Path;

use super::super::inspector::uses;
use super::Table;

/// The violation in a source with exactly one.
fn violation(path: &str, text: &str) -> String {
    let mut violations = super::violations(Path::new(path), text);
    assert_eq!(violations.len(), 1, "{violations:?}");
    violations.remove(0)
}

fn assert_clean(path: &str, text: &str) {
    assert_eq!(super::violations(Path::new(path), text), Vec::<String>::new());
}

#[test]
fn forbidden_use_is_reported_with_file_path_and_rule() {
    assert_eq!(
        violation("normalize/fields.rs", "use crate::kafka::Record;"),
        r#"src/normalize/fields.rs: `crate::kafka::Record`: normalize may name ["domain", "verify"] only"#
    );
}

#[test]
fn forbidden_module_in_a_nested_use_is_reported() {
    let found = violation("app.rs", "use crate::{config::Config, kafka::{self, Sink}, cli::Args};");
    assert!(found.contains("`crate::cli::Args`"), "{found}");
}

#[test]
fn fully_qualified_path_in_an_expression_is_reported() {
    let found = violation("domain/sid.rs", "fn f() -> u8 { g(|| { crate::verify::check() }) }");
    assert!(found.contains("`crate::verify::check`"), "{found}");
}

#[test]
fn fully_qualified_path_in_a_type_is_reported() {
    let found = violation("admin/mod.rs", "struct Page { sinks: Vec<Option<crate::kafka::Sink>> }");
    assert!(found.contains("`crate::kafka::Sink`"), "{found}");
}

#[test]
fn path_in_the_tokens_of_a_macro_call_is_reported() {
    let found = violation("verify/mod.rs", r#"fn f() { tracing::info!(n = (1, crate::telemetry::now()), "seen"); }"#);
    assert!(found.contains("`crate::telemetry::now`"), "{found}");
}

#[test]
fn path_in_a_string_of_an_attribute_is_reported() {
    let found = violation("domain/event.rs", r#"#[serde(with = "crate::config::time")] struct Event;"#);
    assert!(found.contains("`crate::config::time`"), "{found}");
}

#[test]
fn forbidden_module_reached_through_super_is_reported() {
    let found = violation("domain/mod.rs", "mod tests { use super::*; use super::super::verify::Key; }");
    assert!(found.contains("`super::super::verify::Key`"), "{found}");
}

#[test]
fn import_of_the_whole_root_is_reported() {
    violation("app.rs", "use crate::*;");
    violation("app.rs", "use crate as root;");
}

#[test]
fn forbidden_module_named_by_the_binary_is_reported() {
    let found = violation("main.rs", "fn main() { trusthub_bridge::app::run() }");
    assert!(found.contains("main may name"), "{found}");
}

#[test]
fn foreign_crate_outside_its_modules_is_reported() {
    assert_eq!(
        violation("deliver/mod.rs", "use rdkafka::producer::FutureProducer;"),
        r#"src/deliver/mod.rs: `rdkafka::producer::FutureProducer`: rdkafka is for ["kafka"] only"#
    );
    violation("pipeline.rs", "fn f() -> actix_web::HttpResponse { todo!() }");
    violation("config.rs", "#[derive(Debug, clap::Args)] struct Http;");
    violation("config.rs", "use ::clap as arguments;");
}

#[test]
fn permitted_paths_are_not_reported() {
    assert_clean("verify.rs", "use crate::{domain::Sid, verify::Proof}; use twilio_signature::Verifier;");
    assert_clean("domain/sid.rs", "pub(crate) struct Sid(super::Text); mod tests { use super::*; }");
    assert_clean("domain/mod.rs", "fn f(redb: u8) -> u8 { redb }");
    assert_clean("receive/mod.rs", r#"fn f() { tracing::warn!(target: "rdkafka::client", "crate::kafka"); }"#);
    assert_clean("main.rs", "fn main() -> std::process::ExitCode { trusthub_bridge::cli::run() }");
    assert_clean("cli/dev.rs", "fn f() { crate::kafka::start(); crate::app::play(); }");
}

const ARROWS: &Table = &[("domain", &[]), ("normalize", &["domain", "verify"]), ("main", &["cli"])];
const FOREIGN: &Table = &[("hmac", &["normalize", "verify"])];

/// The unused permissions of the tables above, when the crate consists of these files.
fn unused(files: &[(&str, &str)]) -> Vec<String> {
    let used: Vec<_> = files.iter().flat_map(|(path, text)| uses(Path::new(path), text)).collect();
    super::unused(ARROWS, FOREIGN, &used)
}

#[test]
fn unused_permission_is_reported() {
    let normalize = ("normalize/mod.rs", "use crate::domain::Event;");
    let main = ("main.rs", "fn main() { trusthub_bridge::cli::run() }");
    let verify = ("verify/mod.rs", "use hmac::Mac;");
    let expected = ["normalize may name verify", "hmac is for normalize"];
    assert_eq!(unused(&[normalize, main, verify]), expected);
}

#[test]
fn permission_used_by_another_module_is_reported() {
    let found = unused(&[("domain/mod.rs", "use crate::{domain::Event, verify::Key, cli}; use hmac::Mac;")]);
    let arrows = ["normalize may name domain", "normalize may name verify", "main may name cli"];
    assert_eq!(found, [&arrows[..], &["hmac is for normalize", "hmac is for verify"]].concat());
}

#[test]
fn permissions_used_anywhere_in_their_module_are_not_reported() {
    let files = [
        ("normalize/fields.rs", "fn f() -> crate::domain::Event { log!(super::super::verify::key(), hmac::new()) }"),
        ("main.rs", "fn main() { trusthub_bridge::cli::run() }"),
        ("verify/key.rs", "#[derive(hmac::Mac)] struct Key;"),
    ];
    assert_eq!(unused(&files), Vec::<String>::new());
}
