mod alert;
mod dashboard;
mod generated;
mod page;

use std::collections::BTreeSet;

use super::*;

fn entries() -> impl Iterator<Item = &'static CatalogEntry> {
    CATALOG.iter().flat_map(|family| family.entries)
}

#[test]
fn text_of_an_entry_is_its_code() {
    for entry in entries() {
        assert_eq!(entry.text, entry.code.to_string());
    }
}

#[test]
fn codes_are_unique_and_ascend_within_their_family() {
    for family in CATALOG {
        assert!(family.entries.is_sorted_by_key(|entry| entry.code), "{}", family.title);
    }
    let codes: BTreeSet<_> = entries().map(|entry| entry.code).collect();
    assert_eq!(codes.len(), entries().count());
}

#[test]
fn meaning_is_a_unique_name_in_snake_case() {
    let mut meanings = BTreeSet::new();
    for entry in entries() {
        let is_name = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        assert!(entry.meaning.split('_').all(is_name) && entry.meaning == entry.meaning.to_lowercase(), "{entry:?}");
        // A profile and a bundle have the same problem with different codes.
        let is_shared = entry.meaning.ends_with("name_and_website_cannot_be_linked");
        assert!(meanings.insert(entry.meaning) || is_shared, "{entry:?}");
    }
}

#[test]
fn texts_for_people_are_short_sentences() {
    for entry in entries() {
        for text in [entry.message, entry.cause, entry.cure] {
            assert!(text.ends_with('.') && text.starts_with(char::is_uppercase) && !text.contains("  "), "{text}");
            assert!(text.len() < 140, "{text}");
        }
        let has_one_sentence = !entry.message.trim_end_matches('.').contains(". ");
        assert!(has_one_sentence, "{}", entry.message);
    }
}

#[test]
fn every_range_of_the_dictionary_is_complete() {
    let ranges = [11001..=11022, 18001..=18025, 18036..=18039, 18050..=18064, 18099..=18099, 18601..=18610];
    let others = [22214..=22219, 22600..=22601, 32800..=32801];
    let expected: BTreeSet<u32> = ranges.into_iter().chain(others).flatten().collect();
    assert_eq!(rejection_codes().map(|entry| entry.code).collect::<BTreeSet<_>>(), expected);
}

#[test]
fn evaluation_codes_mean_what_the_dictionary_says() {
    let meanings = [22214, 22215, 22216, 22217, 22218, 22219].map(|code| entry(code).unwrap().meaning);
    let expected = [
        "evaluation_end_user_missing",
        "evaluation_end_user_field_missing",
        "evaluation_document_missing",
        "evaluation_document_field_missing",
        "evaluation_document_differs_from_end_user",
        "evaluation_address_missing",
    ];
    assert_eq!(meanings, expected);
}

#[test]
fn every_rejection_code_has_a_label_and_all_others_share_one() {
    for entry in rejection_codes() {
        assert_eq!(CodeLabel::of(entry.code).as_str(), entry.text);
    }
    assert_eq!(CodeLabel::of(90210).as_str(), "other");
    assert_eq!(CodeLabel::of(60711).as_str(), "other");
    assert_eq!(CodeLabel::NONE.as_str(), "none");
    assert_eq!(CodeLabel::ALL.len(), rejection_codes().count() + 2);
    let labels: BTreeSet<_> = CodeLabel::ALL.iter().map(|label| label.as_str()).collect();
    assert_eq!(labels.len(), CodeLabel::ALL.len());
}

#[test]
fn error_of_a_request_has_a_meaning_but_is_no_rejection_code() {
    assert_eq!(entry(60711).map(|entry| entry.meaning), Some("not_editable_in_this_status"));
    assert!(!is_rejection_code(60711) && is_rejection_code(18602) && entry(90210).is_none());
}
