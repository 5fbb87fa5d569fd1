//! `explain`: says what the service would answer to a captured request, and why its signature matches or does not match.

mod answer;
mod arguments;
mod capture;
mod input;
mod keys;
mod report;
mod url;

use twilio_signature::{MatchResult, Signature, SignatureSettings, Verifier, WebhookRequest, explain};

pub(super) use self::arguments::Arguments;
use self::{answer::AnswerFacts, capture::Capture, input::ExplainInput, keys::NamedKey};
use super::{
    output::{Failure, print},
    sign,
    variables::Variables,
};
use crate::{
    config,
    domain::{Encoding, Outcome, PublicUrl, RejectReason, SIGNATURE_HEADER},
    receive::{Answer, CapturedRequest, Decider, Decision},
};

/// The text of `explain --help`.
pub(super) const LONG: &str = "Say what the service would answer to a captured request, and why

Exits with code 0 if the request would become an event, and with code 1 if it
would become a dead letter or be rejected. The output contains the signed
fields, but no key. The format of a capture is detected.

  trusthub-bridge explain --public-url https://hooks.example.com request.txt
  trusthub-bridge explain --url URL --body BODY \\
    --header 'X-Twilio-Signature: …'";

const FORM: &[u8] = b"application/x-www-form-urlencoded";

pub(super) fn run(arguments: &Arguments, variables: Variables) -> Result<(), Failure> {
    let input = input::read(arguments, &variables)?;
    let settings = config::load_explain(variables.clone()).map_err(Failure::usage)?;
    let (keys, keyring) = keys::read(arguments, variables)?;
    let verifier = Verifier::new(input.urls.clone(), keyring);
    let decider = Decider::new(&input.urls, verifier, settings.signature_mode, settings.max_body_bytes);
    let ExplainInput { capture, urls } = &input;
    let Capture { method, target, headers, body, notes } = capture;
    let mut decision = decider.decide(CapturedRequest { method, target, headers, body });
    let ExplainedSignature { matches, is_of_other_url, lines: signature } =
        explain_signature(capture, urls, keys, &decision)?;
    if is_of_other_url {
        decision.answer = name_url_mismatch(decision.answer);
    }
    let facts = AnswerFacts {
        path: url::split_target(target).0,
        max_bytes: settings.max_body_bytes,
        spelling: decision.path.as_ref().filter(|path| path.requested != path.documented),
        matches,
    };
    let notes = notes.iter().map(|note| format!("note: {note}"));
    answer::lines(&decision, &facts).into_iter().chain(notes).chain(signature).try_for_each(|line| print(&line))?;
    match decision.answer {
        Answer::Outcome(Outcome::Published) => Ok(()),
        _ => Err(Failure::failed("the request would not become an event")),
    }
}

/// What `explain` finds about the signature. The default is that of a request without a readable signature.
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

fn explain_signature(
    capture: &Capture,
    urls: &[PublicUrl],
    keys: Vec<NamedKey>,
    decision: &Decision,
) -> Result<ExplainedSignature, Failure> {
    let (Some(signature), Some(encoding)) = (read_signature(capture), encoding(capture)) else {
        return Ok(ExplainedSignature::default());
    };
    let (path, query) = url::split_target(&capture.target);
    let request = WebhookRequest {
        path,
        route: expected_route(path, urls, decision),
        query,
        encoding,
        headers: &capture.headers,
        body: if encoding == Encoding::Query { &[] } else { &capture.body },
    };
    let Ok(account) = request.account() else { return Ok(ExplainedSignature::default()) };
    let settings = SignatureSettings::read(&capture.headers).ok();
    let (mut keys, others): (Vec<_>, Vec<_>) =
        keys.into_iter().partition(|key| key.is_of(&account) && key.is_selected_by(settings));
    let own = keys.len();
    keys.extend(others);
    let signing: Vec<_> = keys.iter().map(|key| key.key.clone()).collect();
    let explanation = explain(&request, urls, &signing, own, &signature).map_err(Failure::failed)?;
    let is_of_other_url = match &explanation.result {
        MatchResult::NearMiss { near_miss, key, .. } => near_miss.is_url() && *key < own,
        MatchResult::Matches { .. } | MatchResult::Unexplained { .. } => false,
    };
    let (matches, lines) = report::lines(&explanation, &report::KeyClaim { account, settings }, &keys, own, &signature);
    Ok(ExplainedSignature { matches, is_of_other_url, lines })
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
        ("POST", None) if sign::is_json(&capture.body) => Some(Encoding::Json),
        ("POST", None) => Some(Encoding::Form),
        _ => None,
    }
}
