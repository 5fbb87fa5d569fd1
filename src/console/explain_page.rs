//! The page *Explain*: what the service would answer to a request that an operator pastes, and why.
//!
//! The request is explained by the code of the command `explain`, with the keys of the service. They stay on the server, and no
//! signature that the service would accept is shown: otherwise the page would sign any request.
//!
//! # Calls that can block
//!
//! | Call | Thread | Lock | Bound |
//! |---|---|---|---|
//! | explanation: CPU time, no I/O | `explain`, [`MAX_EXPLANATIONS`](super::state::MAX_EXPLANATIONS) at a time | none | a budget of work, as for the command; the response does not wait longer than [`EXPLAIN_TIMEOUT`] |

use std::{sync::Arc, time::Duration};

use actix_web::{HttpResponse, http::StatusCode, web};
use futures_util::StreamExt as _;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use super::{
    Console,
    layout::{Section, page},
    reply,
};
use crate::{blocking, explain::Explained};

/// The largest body of a request to this page. A captured callback has a few kilobytes.
const MAX_BODY_BYTES: usize = 256 * 1024;

/// How long a body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a response waits for the explanation.
const EXPLAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// The fields of the form.
#[derive(Deserialize)]
struct ExplainForm {
    request: String,
}

/// Why there is no explanation.
enum NoExplanation {
    /// Another request is being explained, or the explanation takes too long.
    Busy,
    /// The text is not a captured request.
    NotExplained(String),
}

/// Responds with the empty form.
pub(super) fn respond() -> HttpResponse {
    reply::html(page("Explain", Section::Explain, form("")))
}

/// Responds to the form.
pub(super) async fn submit(console: &Console, payload: &mut web::Payload) -> HttpResponse {
    let form = match read(payload).await {
        Ok(body) => web::Query::<ExplainForm>::from_query(&String::from_utf8_lossy(&body)),
        Err((status, problem)) => return reply::problem(status, "Explain", problem),
    };
    let Ok(form) = form.map(|form| form.into_inner()) else {
        return reply::problem(StatusCode::BAD_REQUEST, "Explain", "The form has no field named request.");
    };
    // Browsers write every line end of a form as CR LF.
    let explained = explain(console, form.request.replace("\r\n", "\n").into_bytes()).await;
    let (status, result) = match explained {
        Ok(explained) => (StatusCode::OK, explanation(&explained)),
        Err(problem) => (problem.status(), html! { p.note data-severity="bad" { (problem.text()) } }),
    };
    let body = html! { div role="status" { (result) } (self::form(&form.request)) };
    reply::html_with(status, page("Explain", Section::Explain, body))
}

/// Responds to a captured request in the body.
pub(super) async fn api(console: &Console, payload: &mut web::Payload) -> HttpResponse {
    let body = match read(payload).await {
        Ok(body) => body,
        Err((status, problem)) => return reply::json_error(status, problem),
    };
    match explain(console, body).await {
        Ok(Explained { status, becomes_event, lines }) => {
            reply::json(&json!({ "status": status, "becomes_event": becomes_event, "lines": lines }))
        }
        Err(problem) => reply::json_error(problem.status(), &problem.text()),
    }
}

/// Reads a body.
///
/// # Errors
/// The status code, and what is wrong.
async fn read(payload: &mut web::Payload) -> Result<Vec<u8>, (StatusCode, &'static str)> {
    let whole = async {
        let mut body = Vec::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| (StatusCode::BAD_REQUEST, "The body is not complete."))?;
            if body.len().saturating_add(chunk.len()) > MAX_BODY_BYTES {
                return Err((StatusCode::PAYLOAD_TOO_LARGE, "The request is larger than 256 KiB."));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    };
    let late = |_| Err((StatusCode::REQUEST_TIMEOUT, "The body was not complete within 10 seconds."));
    timeout(BODY_TIMEOUT, whole).await.unwrap_or_else(late)
}

async fn explain(console: &Console, capture: Vec<u8>) -> Result<Explained, NoExplanation> {
    let permit = Arc::clone(&console.explanations).try_acquire_owned().map_err(|_| NoExplanation::Busy)?;
    let explain = Arc::clone(&console.sources.explain);
    let work = blocking::run("explain", move || {
        // Held until the work ends, however long the response waits.
        let _permit = permit;
        explain(&capture)
    });
    match timeout(EXPLAIN_TIMEOUT, work).await {
        Ok(Ok(explained)) => explained.map_err(NoExplanation::NotExplained),
        Ok(Err(_)) | Err(_) => Err(NoExplanation::Busy),
    }
}

impl NoExplanation {
    fn status(&self) -> StatusCode {
        match self {
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotExplained(_) => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Busy => "Another request is being explained; try again in a few seconds.".to_owned(),
            Self::NotExplained(problem) => format!("It cannot be explained: {problem}."),
        }
    }
}

fn explanation(explained: &Explained) -> Markup {
    let severity = if explained.becomes_event { "good" } else { "bad" };
    let (first, rest) = explained.lines.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    html! {
        p.headline data-severity=(severity) { "It " (first) "." }
        pre { (rest.join("\n")) }
    }
}

fn form(request: &str) -> Markup {
    html! {
        form method="post" action="/explain" {
            p id="explain-help" {
                "Paste a captured request: raw HTTP, a curl command, a HAR, an event of an AWS gateway, or a dead letter with \
                 the reason signature_failed. It is explained with the keys of this service, which are not shown, and it is \
                 not kept. Options that an error names are those of the command " code { "trusthub-bridge explain" } "."
            }
            label {
                span { "Request" }
                textarea name="request" required maxlength="131072" spellcheck="false" autocomplete="off"
                    aria-describedby="explain-help" { (request) }
            }
            p { button type="submit" { "Explain" } }
        }
    }
}
