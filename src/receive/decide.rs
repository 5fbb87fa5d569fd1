//! Decides what the service would answer to a captured request, with the code that decides for arriving ones and without
//! their effects.

use actix_web::http::{
    Method, Uri,
    header::{HeaderName, HeaderValue},
};
use twilio_signature::Verifier;

use super::{
    head::RequestHead,
    health::{HEALTH_PATH, health},
    response::status_of,
    route::{CallbackPath, Route, Routes},
};
use crate::{
    domain::{Headers, Outcome, PublicUrl, RawCallback, RejectReason, Resource, SignatureMode},
    pipeline::expected_outcome,
};

/// A request that was captured: complete, and not verified.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CapturedRequest<'a> {
    /// The method.
    pub(crate) method: &'a str,
    /// The path and query as received.
    pub(crate) target: &'a str,
    /// All headers.
    pub(crate) headers: &'a Headers,
    /// The raw body.
    pub(crate) body: &'a [u8],
}

/// Why the service would give its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The HTTP server cannot parse the head, or a path is missing.
    NotHttp,
    /// The request is a health check.
    HealthCheck,
    /// The path is not a callback path. If it ends like one, this is it, relative to the public URL.
    OtherPath(Option<&'static str>),
    /// The request has this outcome.
    Outcome(Outcome),
}

/// What the service would answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    /// The status code.
    pub(crate) status: u16,
    /// Why.
    pub(crate) answer: Answer,
    /// The path of a callback.
    pub(crate) path: Option<CallbackPath>,
}

/// Decides about captured requests as the service with these settings does.
pub(crate) struct Decider {
    routes: Routes,
    verifier: Verifier,
    mode: SignatureMode,
    max_bytes: usize,
}

impl Decider {
    /// `max_bytes` is the limit of a body, `HTTP_MAX_BODY_BYTES`.
    pub(crate) fn new(urls: &[PublicUrl], verifier: Verifier, mode: SignatureMode, max_bytes: usize) -> Self {
        Self { routes: Routes::new(urls), verifier, mode, max_bytes }
    }

    /// The answer to this request if it arrived for the first time, in time, and while Kafka or the spool accepts records.
    pub(crate) fn decide(&self, request: CapturedRequest<'_>) -> Decision {
        let Some((method, uri)) = parse_head(request) else {
            return Decision { status: 400, answer: Answer::NotHttp, path: None };
        };
        match self.routes.find(uri.path()) {
            Some(route) => {
                let outcome = self.outcome(request, (&method, &uri), route);
                let status = status_of(outcome).as_u16();
                Decision { status, answer: Answer::Outcome(outcome), path: Some(route.callback_path()) }
            }
            None if uri.path() == HEALTH_PATH => {
                let status = health(&method, !request.body.is_empty()).as_u16();
                Decision { status, answer: Answer::HealthCheck, path: None }
            }
            None => Decision { status: 404, answer: Answer::OtherPath(Routes::resembling(uri.path())), path: None },
        }
    }

    /// The callback that this request is; `None` if the service would not read it as one. Nothing in it is verified.
    pub(crate) fn callback(&self, request: CapturedRequest<'_>) -> Option<RawCallback> {
        let (method, uri) = parse_head(request)?;
        let route = self.routes.find(uri.path())?;
        self.read(request, (&method, &uri), route).ok()
    }

    /// The kind of profile that the path of a request names; `None` if it is no callback path.
    pub(crate) fn resource_of(&self, target: &str) -> Option<Resource> {
        let path = target.split('?').next().unwrap_or_default();
        self.routes.find(path).map(|route| route.resource)
    }

    /// What verifies the signatures.
    pub(crate) fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    fn outcome(&self, request: CapturedRequest<'_>, head: (&Method, &Uri), route: Route<'_>) -> Outcome {
        match self.read(request, head, route) {
            Ok(raw) => expected_outcome(&self.verifier, self.mode, raw),
            Err(reason) => Outcome::Rejected(reason),
        }
    }

    /// The steps of [`read`](super::request::read), with a body that is complete.
    fn read(
        &self,
        request: CapturedRequest<'_>,
        (method, uri): (&Method, &Uri),
        route: Route<'_>,
    ) -> Result<RawCallback, RejectReason> {
        let head = RequestHead { method, uri, headers: request.headers.clone() };
        let encoding = head.encoding()?;
        head.check_stated_length(self.max_bytes)?;
        if request.body.len() > self.max_bytes {
            return Err(RejectReason::TooLarge);
        }
        head.with_body(route, encoding, request.body.to_vec(), self.max_bytes)
    }
}

/// Parses what the HTTP server parses before the service sees the request.
fn parse_head(request: CapturedRequest<'_>) -> Option<(Method, Uri)> {
    let is_header = |(name, value): (&str, &[u8])| {
        HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_bytes(value).is_ok()
    };
    if !request.headers.iter().all(is_header) {
        return None;
    }
    let method = Method::from_bytes(request.method.as_bytes()).ok()?;
    let uri: Uri = request.target.parse().ok()?;
    uri.path_and_query().is_some().then_some((method, uri))
}
