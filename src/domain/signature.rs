//! Closed sets that describe signatures.

use twilio_signature::{Construction, KeyAge};

use super::{Label, RejectReason, closed_set};

/// How the signed message was built, as a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConstructionLabel(pub Construction);

/// Which key signed the message, as a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyAgeLabel(pub KeyAge);

impl Label for ConstructionLabel {
    const ALL: &'static [Self] = &[
        Self(Construction::Form),
        Self(Construction::BodyHash),
        Self(Construction::FormWithoutHash),
        Self(Construction::Query),
        Self(Construction::QueryWithoutHash),
    ];

    fn index(self) -> usize {
        self.0 as usize
    }

    fn as_str(self) -> &'static str {
        self.0.as_str()
    }
}

impl Label for KeyAgeLabel {
    const ALL: &'static [Self] = &[Self(KeyAge::Current), Self(KeyAge::Previous)];

    fn index(self) -> usize {
        self.0 as usize
    }

    fn as_str(self) -> &'static str {
        self.0.as_str()
    }
}

closed_set! {
    /// How the service handles a callback whose signature does not match. Verification cannot be turned off.
    pub enum SignatureMode {
        /// The callback is rejected.
        Enforce => "enforce",
        /// The callback becomes a dead letter, never an event. For the first days, until the public URL is correct.
        ReportOnly => "report-only",
    }
}

impl SignatureMode {
    /// Whether a callback that is rejected for this reason becomes a dead letter, within limits.
    #[must_use]
    pub fn keeps(self, reason: RejectReason) -> bool {
        match self {
            Self::Enforce => false,
            Self::ReportOnly => reason.is_unauthenticated(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_indexed<L: Label>(count: usize) {
        assert_eq!(L::ALL.len(), count);
        assert!(L::ALL.iter().enumerate().all(|(index, label)| label.index() == index));
    }

    #[test]
    fn every_value_is_a_label_whose_index_is_its_place_in_the_list() {
        assert_indexed::<ConstructionLabel>(Construction::ALL.len());
        assert_indexed::<KeyAgeLabel>(KeyAge::ALL.len());
    }
}
