//! The parameters of a query string or a form, with the checks of Twilio's API.

use std::{fmt::Display, str::FromStr};

use actix_web::{Error, HttpRequest, error::PayloadError, web::Bytes};
use trusthub_events::{Label, Status, Timestamp, is_sid};
use twilio_signature::decode_form;

use super::{
    error::ApiError,
    multipart::{MultipartForm, boundary},
};
use crate::{callback::is_callback_url, model::SimTime};

/// The limit on request bodies. No form of the API needs as much.
pub(super) const MAX_BODY_BYTES: usize = 64 * 1024;

/// The limit on one value, which bounds the memory that a profile takes. It is longer than any URL or name.
const MAX_VALUE_BYTES: usize = 2048;

/// The longest media type of a file that is kept.
const MAX_MEDIA_TYPE_CHARS: usize = 100;

/// A body as actix reads it, or the error of reading it.
pub(super) type RawBody = Result<Bytes, Error>;

/// Any integer type.
pub(super) trait Number: FromStr + PartialOrd + Display {}

impl<T: FromStr + PartialOrd + Display> Number for T {}

/// Parameters in their order. A name can occur more than once.
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Parses a query string.
    pub(super) fn from_query(query: &str) -> Result<Self, ApiError> {
        Self::parse(query.as_bytes())
    }

    /// Parses a form in a request body.
    pub(super) fn from_body(body: RawBody) -> Result<Self, ApiError> {
        Self::parse(&body.map_err(|error| body_error(&error))?)
    }

    /// Parses the query and the form in the body of a control request. Both count, so that a parameter in the wrong one of
    /// the two is not ignored: the request would do more or something else without it.
    pub(super) fn of_control(request: &HttpRequest, body: RawBody) -> Result<Self, ApiError> {
        let Self(mut all) = Self::from_query(request.query_string())?;
        all.extend(Self::from_body(body)?.0);
        Ok(Self(all))
    }

    /// Parses a form that may have a file, and returns the media type of the file.
    pub(super) fn from_upload(content_type: &str, body: RawBody) -> Result<(Self, Option<String>), ApiError> {
        let Some(boundary) = boundary(content_type) else { return Ok((Self::from_body(body)?, None)) };
        let body = body.map_err(|error| body_error(&error))?;
        let wrong = || ApiError::invalid("The body is not a complete form with parts (multipart/form-data)");
        let form = MultipartForm::parse(&body, boundary).ok_or_else(wrong)?;
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let file_type = form.file_type.map(|text| text.chars().take(MAX_MEDIA_TYPE_CHARS).collect());
        Ok((Self::checked_lengths(form.fields.iter().map(owned).collect())?, file_type))
    }

    fn parse(bytes: &[u8]) -> Result<Self, ApiError> {
        let pairs = decode_form(bytes).map_err(|_| ApiError::invalid("There are too many parameters"))?;
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes).map_err(|_| ApiError::invalid("A parameter is not UTF-8; encode it as %XX"))
        };
        let parameters = pairs.into_iter().map(|(name, value)| Ok((text(name)?, text(value)?)));
        Self::checked_lengths(parameters.collect::<Result<_, _>>()?)
    }

    fn checked_lengths(parameters: Vec<(String, String)>) -> Result<Self, ApiError> {
        let parameters = Self(parameters);
        let too_long = parameters.all().find(|(_, value)| value.len() > MAX_VALUE_BYTES);
        let error =
            too_long.map(|(name, _)| ApiError::invalid(format!("{name}: write at most {MAX_VALUE_BYTES} bytes")));
        error.map_or(Ok(parameters), Err)
    }

    /// Rejects parameters with any other name, because a misspelled name would change the effect of the request.
    pub(super) fn only(self, known: &[&str]) -> Result<Self, ApiError> {
        let unknown = self.all().find(|(name, _)| !known.contains(name));
        let error = unknown.map(|(name, _)| {
            ApiError::invalid(format!("{name}: unknown parameter; write one of {}", known.join(", ")))
        });
        error.map_or(Ok(self), Err)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the first parameter with this name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// Returns a parameter that must not be missing or empty.
    pub(super) fn required(&self, name: &str) -> Result<&str, ApiError> {
        let missing = || ApiError::invalid(format!("Missing required parameter {name} in the post body"));
        self.get(name).filter(|value| !value.trim().is_empty()).ok_or_else(missing)
    }

    /// Returns a parameter that can be missing but not empty.
    pub(super) fn not_empty(&self, name: &str) -> Result<Option<&str>, ApiError> {
        self.get(name).map(|_| self.required(name)).transpose()
    }

    /// Returns a number from `min` to `max`.
    pub(super) fn number<T: Number>(&self, name: &str, min: T, max: T) -> Result<Option<T>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| (&min..=&max).contains(&number));
        let wrong = || ApiError::invalid(format!("{name}: write a number from {min} to {max}"));
        number.map(Some).ok_or_else(wrong)
    }

    /// Returns the status of this name, which must be one of these.
    pub(super) fn status(&self, name: &str, statuses: &[Status]) -> Result<Option<Status>, ApiError> {
        self.status_or(name, statuses, ApiError::invalid)
    }

    fn status_or(
        &self,
        name: &str,
        statuses: &[Status],
        error: impl FnOnce(String) -> ApiError,
    ) -> Result<Option<Status>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let known = Status::named(text).filter(|status| statuses.contains(status));
        known.map(Some).ok_or_else(|| error(format!("{name}: write one of {}", Label::list(statuses))))
    }

    /// Returns `Status`, which must be one that an owner can request.
    pub(super) fn requested_status(&self) -> Result<Option<Status>, ApiError> {
        match self.status_or("Status", &STATUSES, ApiError::status_not_parsable)? {
            status @ (Some(Status::Draft | Status::PendingReview) | None) => Ok(status),
            Some(_) => {
                Err(ApiError::invalid("Status: write draft or pending-review; only a reviewer sets the other statuses"))
            }
        }
    }

    /// Returns `StatusCallback`. An empty value is valid and turns callbacks off.
    pub(super) fn status_callback(&self) -> Result<Option<&str>, ApiError> {
        const NAME: &str = "StatusCallback";
        if self.get(NAME) == Some("") { Ok(Some("")) } else { self.callback_url(NAME) }
    }

    /// Returns a URL that callbacks can be sent to.
    pub(super) fn callback_url(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let wrong = || format!("{name}: write a URL with https:// or http:// and without a user name");
        self.checked(name, is_callback_url, wrong)
    }

    /// Returns a parameter that must be one of these, in any case, as it is written here.
    pub(super) fn one_of(&self, name: &str, choices: &[&'static str]) -> Result<Option<&'static str>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let choice = choices.iter().find(|choice| choice.eq_ignore_ascii_case(text));
        let wrong = || ApiError::invalid(format!("{name}: write one of {}", choices.join(", ")));
        choice.copied().map(Some).ok_or_else(wrong)
    }

    /// Returns a parameter that must be `true` or `false`.
    pub(super) fn boolean(&self, name: &str) -> Result<Option<bool>, ApiError> {
        Ok(self.one_of(name, &["true", "false"])?.map(|text| text == "true"))
    }

    /// Returns a time, which is the start of the day if only a date is given.
    pub(super) fn time(&self, name: &str) -> Result<Option<SimTime>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let time = text.parse::<Timestamp>().or_else(|_| format!("{text}T00:00:00Z").parse());
        let time = time.ok().and_then(|time| u64::try_from(time.unix_millis()).ok());
        let wrong = || ApiError::invalid(format!("{name}: write a date and time such as 2026-11-20T11:04:00Z"));
        time.map(|millis| Some(millis.into())).ok_or_else(wrong)
    }

    /// Returns the SID of a policy.
    pub(super) fn policy(&self, name: &str) -> Result<Option<String>, ApiError> {
        let is_policy = |text: &str| text.starts_with("RN") && is_sid(text);
        let sid = self.checked(name, is_policy, || format!("{name}: write RN followed by 32 hexadecimal digits"))?;
        Ok(sid.map(canonical_sid))
    }

    /// Returns a SID of any kind.
    pub(super) fn sid(&self, name: &str) -> Result<Option<String>, ApiError> {
        let wrong = || format!("{name}: write two letters followed by 32 hexadecimal digits");
        Ok(self.checked(name, is_sid, wrong)?.map(canonical_sid))
    }

    /// Returns a parameter that must be valid if it is given.
    fn checked(
        &self,
        name: &str,
        is_valid: impl FnOnce(&str) -> bool,
        wrong: impl FnOnce() -> String,
    ) -> Result<Option<&str>, ApiError> {
        match self.get(name) {
            Some(text) if !is_valid(text) => Err(ApiError::invalid(wrong())),
            text => Ok(text),
        }
    }
}

fn body_error(error: &Error) -> ApiError {
    match error.as_error::<PayloadError>() {
        Some(PayloadError::Overflow) => ApiError::too_large(),
        _ => ApiError::invalid("The body of the request is not complete"),
    }
}

/// The statuses of profiles and trust products.
pub(super) const STATUSES: [Status; 5] =
    [Status::Draft, Status::PendingReview, Status::InReview, Status::TwilioRejected, Status::TwilioApproved];

/// The statuses of regulatory bundles.
pub(super) const BUNDLE_STATUSES: [Status; 6] = [
    Status::Draft,
    Status::PendingReview,
    Status::InReview,
    Status::TwilioRejected,
    Status::TwilioApproved,
    Status::ProvisionallyApproved,
];

/// Returns a SID in the case in which the simulator stores it. Twilio compares the digits in any case.
pub(super) fn canonical_sid(text: &str) -> String {
    match text.split_at_checked(2) {
        Some((kind, digits)) if is_sid(text) => format!("{kind}{}", digits.to_ascii_lowercase()),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sid_is_found_in_any_case_of_its_digits_and_other_text_is_kept() {
        let lower = format!("BU{}", "0af9".repeat(8));
        assert_eq!(canonical_sid(&format!("BU{}", "0AF9".repeat(8))), lower);
        for text in ["", "B", "BU0A", "ä", "CustomerProfiles"] {
            assert_eq!(canonical_sid(text), text);
        }
    }
}
