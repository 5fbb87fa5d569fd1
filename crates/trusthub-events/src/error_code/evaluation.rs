//! Evaluations.

use super::entry::{CatalogEntry, CodeFamily};

pub(super) const EVALUATION: CodeFamily = CodeFamily {
    title: "Evaluations",
    about: "What an evaluation found missing. Twilio rejects such a profile at once, without a review. It can be \
            edited and submitted again immediately.",
    is_in_rejections: true,
    entries: ENTRIES,
};

const ENTRIES: &[CatalogEntry] = &[
    CatalogEntry {
        code: 22214,
        text: "22214",
        meaning: "evaluation_end_user_missing",
        message: "A required end user is missing.",
        cause: "The policy asks for an end user, such as the business or a representative, that is not assigned.",
        cure: "Create the end user, assign it to the profile, and submit again.",
    },
    CatalogEntry {
        code: 22215,
        text: "22215",
        meaning: "evaluation_end_user_field_missing",
        message: "A required field of an end user is missing.",
        cause: "An attribute that the policy asks for is absent or empty.",
        cure: "Add the attribute to the end user, and submit again. An evaluation names the field.",
    },
    CatalogEntry {
        code: 22216,
        text: "22216",
        meaning: "evaluation_document_missing",
        message: "A required supporting document is missing.",
        cause: "The policy asks for a document that is not assigned.",
        cure: "Create the supporting document, assign it to the profile, and submit again.",
    },
    CatalogEntry {
        code: 22217,
        text: "22217",
        meaning: "evaluation_document_field_missing",
        message: "A required field of a supporting document is missing.",
        cause: "An attribute that the policy asks for is absent or empty.",
        cure: "Add the attribute to the document, and submit again. An evaluation names the field.",
    },
    CatalogEntry {
        code: 22218,
        text: "22218",
        meaning: "evaluation_document_differs_from_end_user",
        message: "A field of a supporting document does not match the end user.",
        cause: "The document and the end user have different values, such as two spellings of a name.",
        cure: "Make both the same, and submit again. An evaluation names the field.",
    },
    CatalogEntry {
        code: 22219,
        text: "22219",
        meaning: "evaluation_address_missing",
        message: "A required address is missing.",
        cause: "The supporting document refers to no address.",
        cure: "Create the address, refer to it in the supporting document, and submit again.",
    },
];
