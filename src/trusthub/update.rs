//! What can be changed about a profile.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::domain::{Label as _, Status};

/// Changes of a profile; what is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    /// Where changes of its status are announced, retry overrides behind a `#` included; an empty text ends that.
    pub status_callback: Option<String>,
    /// Its new status: [`Status::PendingReview`] submits it.
    pub status: Option<Status>,
    /// Its name.
    pub friendly_name: Option<String>,
    /// To whom Twilio writes about it.
    pub email: Option<String>,
}

impl Update {
    /// As `application/x-www-form-urlencoded`.
    pub(super) fn form(&self) -> String {
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
    fn only_what_changes_is_sent_and_every_byte_of_it_arrives() {
        assert_eq!(Update::default().form(), "");
        let callback = Some("https://a.example/?x=1&y=ö z#rc=5".to_owned());
        let update = Update { status_callback: callback, status: Some(Status::PendingReview), ..Update::default() };
        assert_eq!(
            update.form(),
            "StatusCallback=https%3A%2F%2Fa%2Eexample%2F%3Fx%3D1%26y%3D%C3%B6%20z%23rc%3D5&Status=pending%2Dreview"
        );
        let cleared = Update { status_callback: Some(String::new()), ..Update::default() };
        assert_eq!(cleared.form(), "StatusCallback=");
    }
}
