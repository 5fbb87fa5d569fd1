//! Variants of one part of a URL.

use super::near_miss::{Difference, NearMissKind};

/// A variant of one part of the URL.
pub(super) struct PartVariant {
    pub(super) text: String,
    /// `None` for the configured variant.
    pub(super) difference: Option<Difference>,
}

impl PartVariant {
    pub(super) fn differences(&self) -> usize {
        usize::from(self.difference.is_some())
    }

    /// Whether this difference is tried only alone: there are many, and they seldom come with others.
    pub(super) fn is_single(&self) -> bool {
        use NearMissKind::{LetterCase, Slashes};
        self.difference.as_ref().is_some_and(|difference| matches!(difference.kind, Slashes | LetterCase))
    }

    pub(super) fn configured(text: impl Into<String>) -> Self {
        Self { text: text.into(), difference: None }
    }

    pub(super) fn different(text: impl Into<String>, kind: NearMissKind, description: impl Into<String>) -> Self {
        Self { text: text.into(), difference: Some(Difference::new(kind, description.into())) }
    }
}

/// The first variant of each text.
pub(super) fn without_repeats(variants: Vec<PartVariant>) -> Vec<PartVariant> {
    let mut unique: Vec<PartVariant> = Vec::new();
    for variant in variants {
        if !unique.iter().any(|other| other.text == variant.text) {
            unique.push(variant);
        }
    }
    unique
}
