//! When an approval expires.

use crate::domain::{Status, Timestamp, state::ProfileState};

/// When the approval of a profile expires, or has expired while the profile is still approved. `None` if the profile is not
/// approved, if the approval does not expire, or if Twilio's text is neither a time nor a date. A date begins at midnight UTC.
pub(crate) fn approval_expiry(state: &ProfileState) -> Option<Timestamp> {
    if !matches!(state.status, Status::TwilioApproved | Status::ProvisionallyApproved) {
        return None;
    }
    let text = state.valid_until.as_deref()?.trim();
    text.parse().or_else(|_| format!("{text}T00:00:00Z").parse()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profiles::fixtures::state;

    fn expiry(status: Status, valid_until: &str) -> Option<String> {
        let state = ProfileState { status, valid_until: Some(valid_until.to_owned()), ..state(1) };
        approval_expiry(&state).map(|expiry| expiry.to_string())
    }

    #[test]
    fn approval_expires_at_the_time_or_date_that_twilio_wrote() {
        let approved = |text| expiry(Status::TwilioApproved, text);
        assert_eq!(approved("2027-07-30T22:29:24Z").as_deref(), Some("2027-07-30T22:29:24.000Z"));
        assert_eq!(approved("2027-07-30").as_deref(), Some("2027-07-30T00:00:00.000Z"));
        assert_eq!([approved(""), approved("soon")], [None, None]);
    }

    #[test]
    fn profile_that_is_not_approved_has_no_expiry() {
        let of = |status| expiry(status, "2027-07-30").is_some();
        let with_expiry: Vec<_> =
            [Status::InReview, Status::TwilioRejected, Status::ProvisionallyApproved].map(of).into();
        assert_eq!(with_expiry, [false, false, true]);
    }
}
