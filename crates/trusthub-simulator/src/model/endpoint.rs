//! The phone numbers and other endpoints that a profile vouches for.

use serde::{Deserialize, Serialize};

use super::clock::SimTime;

/// The assignment of an endpoint, such as a phone number, to a profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelEndpoint {
    /// The SID of the assignment: `RA` and 32 hexadecimal digits.
    pub sid: String,
    /// The type of the endpoint, such as `phone-number`.
    pub endpoint_type: String,
    /// The SID of the endpoint, such as a `PN…`. The simulator has no endpoints, so it does not check that it exists.
    pub endpoint: String,
    /// The time of the assignment.
    pub created: SimTime,
}
