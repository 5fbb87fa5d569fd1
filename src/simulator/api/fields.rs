//! Parameters of a query or a form.

use std::{fmt::Display, str::FromStr};

use actix_web::{Error, error::PayloadError, web::Bytes};

use super::error::ApiError;
use crate::{
    domain::{Label, Status, is_sid},
    simulator::callback::is_callback_url,
    verify::decode_form,
};

/// A body that is larger is no form of ours.
pub(super) const MAX_BODY_BYTES: usize = 64 * 1024;

/// Above any URL or name; a profile must not cost more memory than that.
const MOST_OF_A_VALUE: usize = 2048;

/// A number of any size.
pub(super) trait Number: FromStr + PartialOrd + Display {}

impl<T: FromStr + PartialOrd + Display> Number for T {}

/// Parameters in their order; a name may stand there again.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Those of a query.
    pub(super) fn of_query(query: &str) -> Result<Self, ApiError> {
        Self::parse(query.as_bytes())
    }

    /// Those of a body.
    pub(super) fn of_body(body: Result<Bytes, Error>) -> Result<Self, ApiError> {
        Self::parse(&body.map_err(|error| unread(&error))?)
    }

    fn parse(bytes: &[u8]) -> Result<Self, ApiError> {
        let pairs = decode_form(bytes).map_err(|_| ApiError::invalid("There are too many parameters"))?;
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes).map_err(|_| ApiError::invalid("A parameter is not UTF-8; encode it as %XX"))
        };
        let fields = pairs.into_iter().map(|(name, value)| Ok((text(name)?, text(value)?)));
        let fields = Self(fields.collect::<Result<_, _>>()?);
        let too_long = fields.all().find(|(_, value)| value.len() > MOST_OF_A_VALUE);
        let error =
            too_long.map(|(name, _)| ApiError::invalid(format!("{name}: write at most {MOST_OF_A_VALUE} bytes")));
        error.map_or(Ok(fields), Err)
    }

    /// Refuses every other name: a slip would change what is done.
    pub(super) fn only(self, known: &[&str]) -> Result<Self, ApiError> {
        let strange = self.all().find(|(name, _)| !known.contains(name));
        let error = strange
            .map(|(name, _)| ApiError::invalid(format!("{name}: is not known here; there are {}", known.join(", "))));
        error.map_or(Ok(self), Err)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The first of this name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// One that must not be missing or empty.
    pub(super) fn required(&self, name: &str) -> Result<&str, ApiError> {
        let missing = || ApiError::invalid(format!("Missing required parameter {name} in the post body"));
        self.get(name).filter(|value| !value.trim().is_empty()).ok_or_else(missing)
    }

    /// A number between these.
    pub(super) fn number<T: Number>(&self, name: &str, least: T, most: T) -> Result<Option<T>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| (&least..=&most).contains(&number));
        let wrong = || ApiError::invalid(format!("{name}: write a number from {least} to {most}"));
        number.map(Some).ok_or_else(wrong)
    }

    /// A status of Trust Hub.
    pub(super) fn status(&self) -> Result<Option<Status>, ApiError> {
        let Some(name) = self.get("Status") else { return Ok(None) };
        let known = Status::named(name).filter(|status| STATUSES.contains(status));
        let wrong = || ApiError::invalid(format!("Status: write one of {}", Label::list(&STATUSES)));
        known.map(Some).ok_or_else(wrong)
    }

    /// What an owner may ask for.
    pub(super) fn wish(&self) -> Result<Option<Status>, ApiError> {
        match self.status()? {
            wish @ (Some(Status::Draft | Status::PendingReview) | None) => Ok(wish),
            Some(_) => Err(ApiError::invalid("Status: write draft or pending-review; the others are the reviewer's")),
        }
    }

    /// Where changes are announced; empty for nowhere.
    pub(super) fn status_callback(&self) -> Result<Option<&str>, ApiError> {
        const NAME: &str = "StatusCallback";
        if self.get(NAME) == Some("") { Ok(Some("")) } else { self.callback_url(NAME) }
    }

    /// A URL that can be called.
    pub(super) fn callback_url(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let wrong = || format!("{name}: write a URL with https:// or http:// and without a user name");
        self.checked(name, is_callback_url, wrong)
    }

    /// Who is written to.
    pub(super) fn email(&self) -> Result<Option<&str>, ApiError> {
        self.checked("Email", is_email, || "Email: write an address such as name@example.com".to_owned())
    }

    /// A policy.
    pub(super) fn policy(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let is_policy = |text: &str| text.starts_with("RN") && is_sid(text);
        self.checked(name, is_policy, || format!("{name}: write RN followed by 32 hexadecimal digits"))
    }

    /// One that must be right if it is there.
    fn checked(
        &self,
        name: &str,
        is_right: impl FnOnce(&str) -> bool,
        wrong: impl FnOnce() -> String,
    ) -> Result<Option<&str>, ApiError> {
        match self.get(name) {
            Some(text) if !is_right(text) => Err(ApiError::invalid(wrong())),
            text => Ok(text),
        }
    }
}

fn unread(error: &Error) -> ApiError {
    match error.as_error::<PayloadError>() {
        Some(PayloadError::Overflow) => ApiError::too_large(),
        _ => ApiError::invalid("The body of the request is not complete"),
    }
}

const STATUSES: [Status; 5] =
    [Status::Draft, Status::PendingReview, Status::InReview, Status::TwilioRejected, Status::TwilioApproved];

fn is_email(text: &str) -> bool {
    let is_odd = |c: char| c.is_whitespace() || c.is_control();
    text.rsplit_once('@').is_some_and(|(name, domain)| {
        !name.is_empty()
            && !domain.starts_with('.')
            && !domain.ends_with('.')
            && domain.contains('.')
            && !text.contains(is_odd)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_name_and_a_domain() {
        for good in ["a@b.c", "first.last+tag@mail.example.com", "\"a@b\"@example.com"] {
            assert!(is_email(good), "{good}");
        }
        for bad in ["", "a", "@b.c", "a@b", "a@.c", "a@b.", "a b@c.d", "a@b.c\n"] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
