//! A Trust Hub that can be made to do what Twilio's cannot: reject a profile on demand.
//!
//! It signs with the real signer and calls over real HTTP.

mod callback;
mod script;

pub use callback::{Caller, Refused};
pub use script::{ACCOUNT_SID, PROFILE_SID, Step, life_of_a_profile};
