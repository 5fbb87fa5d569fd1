//! Compares docs/errors.md with the messages, reasons and answers in the source.

use std::collections::BTreeSet;

use reqwest::StatusCode;
use trusthub_bridge::domain::{DeliveryError, Label, PublishFailure, RejectReason};

use super::{
    document::{CONFIGURATION, ERRORS, code, rows},
    source::texts,
};

/// Answers that actix gives without the service's code, as tests/it/edge.rs shows.
const ANSWERS_OF_ACTIX: [u16; 1] = [431];

#[test]
fn every_message_of_the_source_is_explained() {
    let (explained, property_reasons) = (explained(), reasons_to_refuse_a_property());
    let messages = texts().messages.into_iter();
    let missing: Vec<_> =
        messages.filter(|message| !explained.contains(message) && !property_reasons.contains(message)).collect();
    assert!(missing.is_empty(), "docs/errors.md does not explain\n{}", missing.join("\n"));
}

#[test]
fn every_explained_message_is_in_the_source() {
    let texts = texts().all;
    let gone: Vec<_> = explained().into_iter().filter(|message| !texts.contains(message)).collect();
    assert!(gone.is_empty(), "docs/errors.md explains messages that are not in the source\n{}", gone.join("\n"));
}

#[test]
fn every_reason_is_explained_in_the_section_of_its_outcome() {
    assert_eq!(reasons("Rejected callbacks"), labels::<RejectReason>());
    assert_eq!(reasons("Callbacks answered 503"), labels::<DeliveryError>());
    assert_eq!(reasons("Why Kafka does not take a record"), labels::<PublishFailure>());
}

#[test]
fn every_answer_is_explained() {
    let explained: BTreeSet<u16> =
        rows(ERRORS).iter().filter_map(|row| Some(row.get("Answer")?.parse().unwrap())).collect();
    let given = [
        include_str!("../../../src/receive/response.rs"),
        include_str!("../../../src/receive/mod.rs"),
        include_str!("../../../src/receive/health.rs"),
    ];
    let given = given.iter().flat_map(|source| source.split("StatusCode::").skip(1)).filter_map(status_code);
    assert_eq!(explained, given.chain(ANSWERS_OF_ACTIX).collect());
}

/// The messages of all tables that have a column `Message`.
fn explained() -> BTreeSet<String> {
    rows(ERRORS).iter().filter_map(|row| row.get("Message").map(code)).flatten().collect()
}

/// The reasons are a table of docs/configuration.md, which tests/it/config.rs compares with the source.
fn reasons_to_refuse_a_property() -> BTreeSet<String> {
    rows(CONFIGURATION).iter().filter_map(|row| row.get("Because, and instead").map(str::to_owned)).collect()
}

fn reasons(section: &str) -> Vec<String> {
    let rows = rows(ERRORS).into_iter().filter(|row| row.section == section);
    rows.flat_map(|row| code(row.get("Reason").expect("a table of reasons"))).collect()
}

fn labels<L: Label>() -> Vec<String> {
    L::ALL.iter().map(|label| label.as_str().to_owned()).collect()
}

/// The status code whose name begins the source text, such as 204 for `NO_CONTENT`.
fn status_code(source: &str) -> Option<u16> {
    let name = source.split(|character: char| !character.is_ascii_uppercase() && character != '_').next()?;
    let is_named = |code: &u16| {
        let reason = StatusCode::from_u16(*code).unwrap().canonical_reason();
        reason.is_some_and(|reason| reason.to_uppercase().replace([' ', '-'], "_") == name)
    };
    (100..600).find(is_named)
}
