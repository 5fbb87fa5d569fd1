//! When an approval expires.

use super::profile_state::ProfileState;
use crate::{Status, Timestamp};

impl ProfileState {
    /// When the approval expires. `None` if the profile is not approved, and if `valid_until` is neither an RFC 3339 timestamp
    /// nor a date such as `2027-07-30`, which stands for its first moment in UTC.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        expiry(self.status, self.valid_until.as_deref())
    }
}

pub(super) fn expiry(status: Status, valid_until: Option<&str>) -> Option<Timestamp> {
    let text = valid_until.filter(|_| status.is_approved())?.trim();
    text.parse().or_else(|_| format!("{text}T00:00:00Z").parse()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn approval_expires_at_the_time_or_on_the_date_that_twilio_wrote() {
        let expiry = |text| expiry(Status::TwilioApproved, Some(text)).map(|time| time.to_string());
        for (text, expected) in [
            ("2027-07-30T22:29:24Z", Some("2027-07-30T22:29:24.000Z")),
            ("2027-07-31T00:29:24+02:00", Some("2027-07-30T22:29:24.000Z")),
            (" 2027-07-30 ", Some("2027-07-30T00:00:00.000Z")),
            ("2027-02-30", None),
            ("next year", None),
            ("", None),
        ] {
            assert_eq!(expiry(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn only_approvals_expire() {
        let expires = |status| expiry(status, Some("2027-07-30")).is_some();
        assert!(expires(Status::TwilioApproved) && expires(Status::ProvisionallyApproved));
        for status in [Status::Draft, Status::PendingReview, Status::InReview, Status::TwilioRejected, Status::Unknown]
        {
            assert!(!expires(status), "{status}");
        }
        assert_eq!(expiry(Status::TwilioApproved, None), None);
    }
}
