//! The rules and the examples in Go, TypeScript and Java. `make interop` runs these tests, and `make test` does not.

use super::{
    commits_only_applied_records, derives_the_latest_status, derives_the_latest_status_from_kafka,
    example::Language,
    formats::{never_skips_a_record_without_its_schema, reads_every_format},
    mixed::decides_about_mixed_formats,
    prints_each_decision, resumes_at_its_committed_offset_with_an_empty_view,
};

#[test]
fn go_rules_derive_the_latest_status_from_shuffled_histories() {
    derives_the_latest_status(Language::Go);
}

#[test]
fn go_rules_decide_about_records_of_mixed_formats() {
    decides_about_mixed_formats(Language::Go);
}

#[test]
fn typescript_rules_derive_the_latest_status_from_shuffled_histories() {
    derives_the_latest_status(Language::TypeScript);
}

#[test]
fn typescript_rules_decide_about_records_of_mixed_formats() {
    decides_about_mixed_formats(Language::TypeScript);
}

#[test]
fn java_rules_derive_the_latest_status_from_shuffled_histories() {
    derives_the_latest_status(Language::Java);
}

#[test]
fn java_rules_decide_about_records_of_mixed_formats() {
    decides_about_mixed_formats(Language::Java);
}

#[test]
fn go_example_follows_a_real_kafka() {
    follows_a_real_kafka(Language::Go);
}

#[test]
fn node_example_follows_a_real_kafka() {
    follows_a_real_kafka(Language::TypeScript);
}

#[test]
fn java_example_follows_a_real_kafka() {
    follows_a_real_kafka(Language::Java);
}

#[test]
fn spring_boot_example_follows_a_real_kafka() {
    follows_a_real_kafka(Language::SpringBoot);
}

fn follows_a_real_kafka(language: Language) {
    prints_each_decision(language);
    reads_every_format(language);
    never_skips_a_record_without_its_schema(language);
    resumes_at_its_committed_offset_with_an_empty_view(language);
    derives_the_latest_status_from_kafka(language);
    commits_only_applied_records(language);
}
