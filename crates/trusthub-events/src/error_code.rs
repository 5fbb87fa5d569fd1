//! The catalog of Twilio's error codes for rejected profiles.

use crate::Label;

/// An entry of the [`CATALOG`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatalogEntry {
    /// The error code.
    pub code: u32,
    /// The error code as text.
    pub text: &'static str,
    /// The meaning, as a stable name in snake case.
    pub meaning: &'static str,
}

const fn entry(code: u32, text: &'static str, meaning: &'static str) -> CatalogEntry {
    CatalogEntry { code, text, meaning }
}

/// The error codes that Twilio documents for Trust Hub and for evaluations, in ascending order.
///
/// Source: Twilio's changelog of April 2024 and its Error and Warning Dictionary.
pub const CATALOG: [CatalogEntry; 18] = [
    entry(18099, "18099", "test_bundle_rejected"),
    entry(18601, "18601", "business_name_and_website_cannot_be_linked"),
    entry(18602, "18602", "business_registration_number_not_verified"),
    entry(18603, "18603", "address_not_verified"),
    entry(18604, "18604", "authorised_representative_1_not_verified"),
    entry(18605, "18605", "authorised_representative_2_not_verified"),
    entry(18606, "18606", "email_domain_differs_from_website_domain"),
    entry(18607, "18607", "not_eligible_to_be_copied"),
    entry(18608, "18608", "already_copied"),
    entry(18609, "18609", "registration_authority_not_eligible"),
    entry(18610, "18610", "address_deleted"),
    entry(22214, "22214", "evaluation_end_user_missing"),
    entry(22215, "22215", "evaluation_end_user_invalid"),
    entry(22216, "22216", "evaluation_document_missing"),
    entry(22217, "22217", "evaluation_document_invalid"),
    entry(22218, "22218", "evaluation_address_missing"),
    entry(22219, "22219", "evaluation_address_invalid"),
    entry(60711, "60711", "not_editable_in_this_status"),
];

const OTHER: usize = CATALOG.len();
const NONE: usize = CATALOG.len() + 1;

/// The meaning of a code; `None` when the code is not in the [`CATALOG`].
#[must_use]
pub fn meaning(code: u32) -> Option<&'static str> {
    CATALOG.iter().find(|entry| entry.code == code).map(|entry| entry.meaning)
}

/// An error code as a metric label: a code of the [`CATALOG`], `other` or `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeLabel(usize);

impl CodeLabel {
    /// The label of a rejection without a code.
    pub const NONE: Self = Self(NONE);

    /// The label of a code; `other` when it is not in the [`CATALOG`].
    #[must_use]
    pub fn of(code: u32) -> Self {
        Self(CATALOG.iter().position(|entry| entry.code == code).unwrap_or(OTHER))
    }
}

const fn all_labels() -> [CodeLabel; NONE + 1] {
    let mut labels = [CodeLabel(0); NONE + 1];
    let mut index = 0;
    while index < labels.len() {
        // INVARIANT: the loop condition keeps the index in bounds; evaluated at compile time.
        #[allow(clippy::indexing_slicing)]
        {
            labels[index] = CodeLabel(index);
        }
        index += 1;
    }
    labels
}

impl Label for CodeLabel {
    const ALL: &'static [Self] = &all_labels();

    fn index(self) -> usize {
        self.0
    }

    fn as_str(self) -> &'static str {
        match self.0 {
            NONE => "none",
            index => CATALOG.get(index).map_or("other", |entry| entry.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_an_entry_is_its_code() {
        for entry in CATALOG {
            assert_eq!(entry.text, entry.code.to_string());
        }
    }

    #[test]
    fn every_code_has_a_label_and_unknown_codes_share_one() {
        assert_eq!(CodeLabel::of(18602).as_str(), "18602");
        assert_eq!(CodeLabel::of(90210).as_str(), "other");
        assert_eq!(CodeLabel::NONE.as_str(), "none");
        assert_eq!(CodeLabel::ALL.len(), CATALOG.len() + 2);
    }
}
