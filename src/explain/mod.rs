//! Explains a captured request: what the service would answer to it, and why its signature matches or does not match. For the
//! command `explain` and for the console.
//!
//! A captured request is answered by the code that answers arriving ones (`receive`), without its effects.

mod answer;
mod capture;
mod keys;
mod report;
mod url;

use thiserror::Error;
use twilio_signature::{
    Keyring, MatchResult, Signature, SignatureSettings, TooManyFields, Verifier, WebhookRequest, explain,
};

use self::{answer::AnswerFacts, capture::without_byte_order_mark};
pub(crate) use self::{
    answer::rejection_advice,
    capture::{Capture, CaptureError, Format},
    keys::NamedKey,
    report::SignatureDisplay,
    url::{prefix, split_url},
};
use crate::{
    config::ExplainConfig,
    domain::{Encoding, Outcome, PublicUrl, RejectReason, SIGNATURE_HEADER},
    receive::{Answer, CapturedRequest, Decider, Decision},
};

const FORM: &[u8] = b"application/x-www-form-urlencoded";

/// Why a text is not a capture, with what was read as which format.
#[derive(Debug, Error)]
#[error("the capture ({format}) {error}")]
pub(crate) struct UnreadableCapture {
    format: &'static str,
    error: CaptureError,
}

/// Reads a capture, whose format is detected if none is given. `body` replaces its body. The target of the result is path and
/// query.
///
/// # Errors
/// [`UnreadableCapture`].
pub(crate) fn read_capture(
    bytes: &[u8],
    format: Option<Format>,
    body: Option<Vec<u8>>,
) -> Result<Capture, UnreadableCapture> {
    let text = without_byte_order_mark(bytes);
    let format = format.map_or_else(|| capture::detect(text), Ok);
    let format = format.map_err(|error| UnreadableCapture { format: "JSON", error })?;
    let capture = capture::read(format, text, body);
    let capture = capture.map_err(|error| UnreadableCapture { format: format.name(), error })?;
    Ok(capture.with_relative_target())
}

/// What is known about a captured request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Explained {
    /// The status code that the service would answer.
    pub status: u16,
    /// Whether it would become an event.
    pub becomes_event: bool,
    /// The explanation, line by line; the first line says what the service would answer.
    pub lines: Vec<String>,
}

/// Explains requests as the service with these settings would answer them.
pub(crate) struct Explainer {
    urls: Vec<PublicUrl>,
    keys: Vec<NamedKey>,
    decider: Decider,
    max_body_bytes: usize,
}

impl Explainer {
    /// `keyring` has the keys that the service would have, and `keys` names them.
    pub(crate) fn new(
        urls: Vec<PublicUrl>,
        (keys, keyring): (Vec<NamedKey>, Keyring),
        settings: ExplainConfig,
    ) -> Self {
        let ExplainConfig { max_body_bytes, signature_mode } = settings;
        let verifier = Verifier::new(urls.clone(), keyring);
        let decider = Decider::new(&urls, verifier, signature_mode, max_body_bytes);
        Self { urls, keys, decider, max_body_bytes }
    }

    /// Explains a request.
    ///
    /// # Errors
    /// [`TooManyFields`].
    pub(crate) fn explain(&self, capture: &Capture, display: SignatureDisplay) -> Result<Explained, TooManyFields> {
        let Capture { method, target, headers, body, notes } = capture;
        let mut decision = self.decider.decide(CapturedRequest { method, target, headers, body });
        let ExplainedSignature { matches, is_of_other_url, lines: signature } =
            self.explain_signature(capture, &decision, display)?;
        if is_of_other_url {
            decision.answer = name_url_mismatch(decision.answer);
        }
        let facts = AnswerFacts {
            path: url::split_target(target).0,
            max_bytes: self.max_body_bytes,
            spelling: decision.path.as_ref().filter(|path| path.requested != path.documented),
            matches,
        };
        let notes = notes.iter().map(|note| format!("note: {note}"));
        let lines = answer::lines(&decision, &facts).into_iter().chain(notes).chain(signature).collect();
        let becomes_event = decision.answer == Answer::Outcome(Outcome::Published);
        Ok(Explained { status: decision.status, becomes_event, lines })
    }

    fn explain_signature(
        &self,
        capture: &Capture,
        decision: &Decision,
        display: SignatureDisplay,
    ) -> Result<ExplainedSignature, TooManyFields> {
        let (Some(signature), Some(encoding)) = (read_signature(capture), encoding(capture)) else {
            return Ok(ExplainedSignature::default());
        };
        let (path, query) = url::split_target(&capture.target);
        let request = WebhookRequest {
            path,
            route: expected_route(path, &self.urls, decision),
            query,
            encoding,
            headers: &capture.headers,
            body: if encoding == Encoding::Query { &[] } else { &capture.body },
        };
        let Ok(account) = request.account() else { return Ok(ExplainedSignature::default()) };
        let settings = SignatureSettings::read(&capture.headers).ok();
        let (mut keys, others): (Vec<_>, Vec<_>) =
            self.keys.iter().partition(|key| key.is_of(&account) && key.is_selected_by(settings));
        let own = keys.len();
        keys.extend(others);
        let signing: Vec<_> = keys.iter().map(|key| key.key.clone()).collect();
        let explanation = explain(&request, &self.urls, &signing, own, &signature)?;
        let is_of_other_url = match &explanation.result {
            MatchResult::NearMiss { near_miss, key, .. } => near_miss.is_url() && *key < own,
            MatchResult::Matches { .. } | MatchResult::Unexplained { .. } => false,
        };
        let claim = report::KeyClaim { account, settings };
        let (matches, lines) = report::lines(&explanation, &claim, (&keys, own), &signature, display);
        Ok(ExplainedSignature { matches, is_of_other_url, lines })
    }
}

/// What is found about the signature. The default is that of a request without a readable signature.
#[derive(Default)]
struct ExplainedSignature {
    /// Whether it matches.
    matches: bool,
    /// Whether a token of the account of the request signed another URL.
    is_of_other_url: bool,
    lines: Vec<String>,
}

/// The answer after the search for near misses, with the reason that the service then counts and logs.
fn name_url_mismatch(answer: Answer) -> Answer {
    match answer {
        Answer::Outcome(Outcome::Rejected(RejectReason::SignatureMismatch | RejectReason::BodyHashMismatch)) => {
            Answer::Outcome(Outcome::Rejected(RejectReason::UrlMismatch))
        }
        other => other,
    }
}

/// The route that was probably meant.
fn expected_route<'a>(path: &'a str, urls: &[PublicUrl], decision: &'a Decision) -> &'a str {
    match (&decision.path, decision.answer) {
        (Some(path), _) => &path.requested,
        (None, Answer::OtherPath(Some(resembling))) => resembling,
        (None, _) => url::route(path, urls),
    }
}

/// The only value of the signature header, if it can be parsed.
fn read_signature(capture: &Capture) -> Option<Signature> {
    let mut values = capture.headers.values(SIGNATURE_HEADER);
    let first = values.next()?;
    if values.any(|other| other != first) { None } else { Signature::parse(first) }
}

/// Where Twilio would have put the fields. A content type that the service does not accept is taken for JSON, whose fields
/// are not signed.
fn encoding(capture: &Capture) -> Option<Encoding> {
    let content_type = capture.headers.values("content-type").next();
    let media_type = content_type.map(|value| value.split(|b| *b == b';').next().unwrap_or_default().trim_ascii());
    match (capture.method.as_str(), media_type) {
        ("GET", _) => Some(Encoding::Query),
        ("POST", Some(media_type)) if media_type.eq_ignore_ascii_case(FORM) => Some(Encoding::Form),
        ("POST", Some(_)) => Some(Encoding::Json),
        ("POST", None) if is_json(&capture.body) => Some(Encoding::Json),
        ("POST", None) => Some(Encoding::Form),
        _ => None,
    }
}

/// Whether a body without a content type is taken for JSON.
pub(crate) fn is_json(body: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Map<_, _>>(body).is_ok()
}
