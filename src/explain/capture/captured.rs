//! What every format yields, and why a text is not a capture.

use thiserror::Error;

use super::super::url::{host, split_url};
use crate::domain::Headers;

/// The parts of a captured request, as they arrived.
#[derive(Debug, Default)]
pub(crate) struct Capture {
    pub(crate) method: String,
    /// Path and query, or the whole URL.
    pub(crate) target: String,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
    /// What the format or its tool may have changed, one sentence each.
    pub(crate) notes: Vec<String>,
}

/// Why a text cannot be read as a capture in some format.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum CaptureError {
    #[error("is not JSON: {0}")]
    NotJson(String),
    #[error("is JSON, but none of the known kinds; name the kind with --format")]
    UnknownJson,
    #[error("has no {0}")]
    Missing(&'static str),
    #[error("has a {0} that is not valid base64")]
    NotBase64(&'static str),
    #[error("has no request with an X-Twilio-Signature header")]
    Unsigned,
    #[error("has {0} requests with an X-Twilio-Signature header; pass only one of them")]
    Several(usize),
    #[error("has {0} records; pass only one of them")]
    SeveralRecords(usize),
    #[error("is an event, whose signature matched; pass a dead letter")]
    Event,
    #[error("was cut from {0} bytes to fit the topic, so its signature cannot be checked")]
    Cut(usize),
    #[error("has the reason {0}, so its signature matched, and the service did not keep it")]
    SignatureMatched(String),
    #[error("has an option that explain does not know, {0}; remove it from the command")]
    UnknownOption(String),
    #[error("has an option without its value, {0}")]
    OptionWithoutValue(String),
    #[error("has a second URL, or a word that belongs to no option; quote each value, and pass one request")]
    SecondUrl,
    #[error("has {0} outside of quotes; quote the value that contains it, or remove it and what follows")]
    Operator(char),
    #[error("ends within a quoted text")]
    OpenQuote,
    #[error("reads its body from a file; pass the file with --body-file")]
    BodyInFile,
    #[error("is truncated: the body has {actual} bytes, but Content-Length says {stated}{advice}")]
    Truncated { stated: usize, actual: usize, advice: &'static str },
    #[error(transparent)]
    Request(#[from] twilio_signature::RequestError),
}

/// What a tool may add behind a body.
const LINE_ENDS: [&[u8]; 2] = [b"\n", b"\r\n"];

impl Capture {
    /// The same request with path and query as its target, and with the host of a whole URL as one more header.
    pub(crate) fn with_relative_target(mut self) -> Self {
        if !self.target.starts_with('/') {
            let whole = std::mem::take(&mut self.target);
            let (origin, target) = split_url(&whole);
            self.headers.push("host", host(origin).as_bytes());
            self.target = target.to_owned();
        }
        self
    }

    /// Compares the length of the body with `Content-Length`. Removes a line ending that it excludes, with a note; `advice` is
    /// the end of the error if the body is too short.
    ///
    /// # Errors
    /// [`CaptureError::Truncated`].
    pub(super) fn fit_to_content_length(mut self, advice: &'static str) -> Result<Self, CaptureError> {
        let stated = self.headers.values("content-length").next();
        let Some(stated) = stated.and_then(|text| std::str::from_utf8(text).ok()?.trim().parse().ok()) else {
            return Ok(self);
        };
        let actual = self.body.len();
        if stated > actual {
            return Err(CaptureError::Truncated { stated, actual, advice });
        }
        if self.body.get(stated..).is_some_and(|rest| LINE_ENDS.contains(&rest)) {
            self.body.truncate(stated);
            self.notes.push(excess_note(actual - stated));
        }
        Ok(self)
    }
}

/// The note for bytes after the body.
pub(super) fn excess_note(bytes: usize) -> String {
    let count = if bytes == 1 { "1 byte".to_owned() } else { format!("{bytes} bytes") };
    format!("the capture ends with {count} that Content-Length excludes, such as a line ending; they are ignored")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(length: &str, body: &str) -> Result<(usize, usize), CaptureError> {
        let headers = [("content-length", length)].into_iter().collect();
        let capture = Capture { headers, body: body.into(), ..Capture::default() };
        capture.fit_to_content_length("").map(|capture| (capture.body.len(), capture.notes.len()))
    }

    #[test]
    fn only_a_line_ending_beyond_the_stated_length_is_removed() {
        assert_eq!(fitted("3", "a=1\n"), Ok((3, 1)));
        assert_eq!(fitted("3", "a=1\r\n"), Ok((3, 1)));
        assert_eq!(fitted("4", "a=1\n"), Ok((4, 0)));
        assert_eq!(fitted("3", "a=1&b=2"), Ok((7, 0)));
        assert_eq!(fitted("x", "a=1\n"), Ok((4, 0)));
        assert_eq!(fitted("9", "a=1"), Err(CaptureError::Truncated { stated: 9, actual: 3, advice: "" }));
    }
}
