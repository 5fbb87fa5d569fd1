//! What a regulatory bundle has that other profiles do not.

use serde::{Deserialize, Serialize};
use trusthub_events::ProfileSid;

use super::number_kind::NumberKind;

/// What a regulatory bundle has that other profiles do not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BundleDetails {
    /// The phone numbers that it is for; `None` if its owner named only a regulation that the simulator does not have.
    pub numbers: Option<NumberKind>,
    /// Whether it is a test bundle, which is rejected at its submission.
    pub is_test: bool,
    /// The bundles that were made as copies of this one, the oldest first. Some may be deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) copies: Vec<ProfileSid>,
}

impl BundleDetails {
    /// Returns the details of a new bundle.
    #[must_use]
    pub fn new(numbers: Option<NumberKind>, is_test: bool) -> Self {
        Self { numbers, is_test, copies: Vec::new() }
    }
}
