//! Closed sets that describe signatures.

use twilio_signature::{Algorithm, Construction, KeyKind, SignatureMatch};

use super::{Label, RejectReason, closed_set};

/// How the signed message was built, as a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConstructionLabel(pub Construction);

closed_set! {
    /// The kind of key that signed the message and its algorithm: two metric labels, in the combinations that are accepted.
    pub enum Signer {
        /// The first auth token, with HMAC-SHA1.
        CurrentToken => "current_hmac_sha1",
        /// Another auth token, with HMAC-SHA1.
        PreviousToken => "previous_hmac_sha1",
        /// A SharedKey with HMAC-SHA1.
        SharedSha1 => "shared_hmac_sha1",
        /// A SharedKey with HMAC-SHA256.
        SharedSha256 => "shared_hmac_sha256",
    }
}

impl Signer {
    /// The values of the labels `key` and `algorithm`.
    #[must_use]
    pub fn labels(self) -> [&'static str; 2] {
        match self {
            Self::CurrentToken => ["current", "hmac_sha1"],
            Self::PreviousToken => ["previous", "hmac_sha1"],
            Self::SharedSha1 => ["shared", "hmac_sha1"],
            Self::SharedSha256 => ["shared", "hmac_sha256"],
        }
    }
}

impl From<SignatureMatch> for Signer {
    fn from(SignatureMatch { key, algorithm, .. }: SignatureMatch) -> Self {
        match (key, algorithm) {
            // Verification accepts auth tokens with HMAC-SHA1 only.
            (KeyKind::Current, _) => Self::CurrentToken,
            (KeyKind::Previous, _) => Self::PreviousToken,
            (KeyKind::Shared, Algorithm::HmacSha1) => Self::SharedSha1,
            (KeyKind::Shared, Algorithm::HmacSha256) => Self::SharedSha256,
        }
    }
}

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
    }

    #[test]
    fn labels_of_each_signer_are_the_names_of_its_key_and_algorithm() {
        let construction = Construction::Form;
        for &signer in Signer::ALL {
            let [key, algorithm] = signer.labels();
            assert_eq!(signer.as_str(), format!("{key}_{algorithm}"));
            let key = *KeyKind::ALL.iter().find(|kind| kind.as_str() == key).unwrap();
            let algorithm = Algorithm::parse(algorithm).unwrap();
            assert_eq!(Signer::from(SignatureMatch { construction, key, algorithm }), signer);
        }
    }
}
