//! Updates of a profile.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use trusthub_events::{Label as _, Status};

/// The changes to a profile. A field that is `None` stays unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    /// The URL of the status callback, with retry overrides after a `#`. An empty string removes the URL.
    pub status_callback: Option<String>,
    /// The new status. [`Status::PendingReview`] submits the profile for review.
    pub status: Option<Status>,
    /// The new name.
    pub friendly_name: Option<String>,
    /// The address that Twilio sends mail about the profile to.
    pub email: Option<String>,
}

impl Update {
    /// Encodes the changes as `application/x-www-form-urlencoded`.
    pub(crate) fn to_form(&self) -> String {
        let fields = [
            ("StatusCallback", self.status_callback.as_deref()),
            ("Status", self.status.map(|status| status.as_str())),
            ("FriendlyName", self.friendly_name.as_deref()),
            ("Email", self.email.as_deref()),
        ];
        let given = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let encoded = given.map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
        encoded.collect::<Vec<_>>().join("&")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_contains_only_changed_fields_fully_encoded() {
        assert_eq!(Update::default().to_form(), "");
        let callback = Some("https://a.example/?x=1&y=ö z#rc=5".to_owned());
        let update = Update { status_callback: callback, status: Some(Status::PendingReview), ..Update::default() };
        assert_eq!(
            update.to_form(),
            "StatusCallback=https%3A%2F%2Fa%2Eexample%2F%3Fx%3D1%26y%3D%C3%B6%20z%23rc%3D5&Status=pending%2Dreview"
        );
        let cleared = Update { status_callback: Some(String::new()), ..Update::default() };
        assert_eq!(cleared.to_form(), "StatusCallback=");
    }
}
