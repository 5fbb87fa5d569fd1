//! The error codes that a reviewer can give as reasons.

use thiserror::Error;
use trusthub_events::error_code;

/// A text that is not an error code of a rejection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RejectionCodeError {
    /// It is not a number as Twilio writes it.
    #[error("write a number of five digits, such as 18602")]
    NotANumber,
    /// No rejection has this code.
    #[error("{0} is not an error code of a rejection; write one that docs/rejections.md lists, such as 18602")]
    Unknown(u32),
}

/// Parses an error code that a rejection can have.
///
/// # Errors
/// [`RejectionCodeError`].
pub fn parse_rejection_code(text: &str) -> Result<u32, RejectionCodeError> {
    let number = text.parse().ok().filter(|number: &u32| number.to_string() == text);
    let number = number.ok_or(RejectionCodeError::NotANumber)?;
    error_code::is_rejection_code(number).then_some(number).ok_or(RejectionCodeError::Unknown(number))
}

/// Returns the meanings of the codes as sentences, each with its code.
pub(super) fn sentences(codes: &[u32]) -> String {
    let message =
        |code| error_code::entry(code).map_or("Twilio gave a reason that is not known", |entry| entry.message);
    codes.iter().map(|code| sentence(message(*code), *code)).collect::<Vec<_>>().join(" ")
}

/// Adds the code to a sentence, before its period.
pub(super) fn sentence(text: &str, code: u32) -> String {
    format!("{} ({code}).", text.trim_end_matches('.'))
}
