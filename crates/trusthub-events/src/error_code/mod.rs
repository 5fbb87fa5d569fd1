//! The catalog of Twilio's error codes for rejected profiles.

mod bundles;
mod documents;
mod entry;
mod evaluation;
mod profiles;
mod requests;
mod voice;

pub use self::entry::{CatalogEntry, CodeFamily};
use crate::Label;

/// The error codes that Twilio documents for Trust Hub, for regulatory bundles and for evaluations, by what they concern.
///
/// Source: Twilio's changelog of April 2024 and its Error and Warning Dictionary. `docs/rejections.md` is generated from
/// it.
pub const CATALOG: [CodeFamily; 6] = [
    profiles::PROFILES,
    evaluation::EVALUATION,
    documents::DOCUMENTS,
    bundles::BUNDLES,
    voice::VOICE,
    requests::REQUESTS,
];

/// The codes that a rejection can have, in the order of the [`CATALOG`].
pub fn rejection_codes() -> impl Iterator<Item = &'static CatalogEntry> {
    CATALOG.iter().filter(|family| family.is_in_rejections).flat_map(|family| family.entries)
}

/// The entry of a code; `None` when the code is not in the [`CATALOG`].
#[must_use]
pub fn entry(code: u32) -> Option<&'static CatalogEntry> {
    CATALOG.iter().flat_map(|family| family.entries).find(|entry| entry.code == code)
}

/// Whether a number in the text of a failure reason is an error code. Any other number there may be a postal code,
/// and so may this one.
#[must_use]
pub fn is_rejection_code(code: u32) -> bool {
    rejection_codes().any(|entry| entry.code == code)
}

const OTHER: usize = count();
const NONE: usize = OTHER + 1;

/// The number of codes that a rejection can have.
const fn count() -> usize {
    let mut families: &[CodeFamily] = &CATALOG;
    let mut count = 0;
    while let [family, rest @ ..] = families {
        if family.is_in_rejections {
            count += family.entries.len();
        }
        families = rest;
    }
    count
}

/// An error code as a metric label: a code of [`rejection_codes`], `other` or `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeLabel(usize);

impl CodeLabel {
    /// The label of a rejection without a code.
    pub const NONE: Self = Self(NONE);

    /// The label of a code; `other` when it is not among the [`rejection_codes`].
    #[must_use]
    pub fn of(code: u32) -> Self {
        Self(rejection_codes().position(|entry| entry.code == code).unwrap_or(OTHER))
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
            index => rejection_codes().nth(index).map_or("other", |entry| entry.text),
        }
    }
}

#[cfg(test)]
mod tests;
