//! The kind of a profile.

use serde::{Deserialize, Serialize};

use crate::label::closed_set;

closed_set! {
    /// The kind of a profile. The path of the callback determines it; the payload does not contain it.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Resource {
        /// A customer profile of Trust Hub.
        CustomerProfile => "customer-profile",
        /// A trust product of Trust Hub.
        TrustProduct => "trust-product",
        /// A bundle of the regulatory compliance API.
        RegulatoryBundle => "regulatory-bundle",
        /// A compliance registration of Trust Hub, a successor of the other kinds in private beta.
        ComplianceRegistration => "compliance-registration",
        /// A kind that this version does not know.
        #[serde(other)]
        Unknown => "unknown",
    }
}
