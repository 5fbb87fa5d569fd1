//! The responses of the console, and the headers that all of them have.

use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};
use maud::Markup;
use serde::Serialize;

use super::layout::{Section, page};

/// What the browser may load: the embedded files and data of the console, and nothing else.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                                       img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The headers of every response, unless it sets one itself.
const HEADERS: [(HeaderName, &str); 8] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (header::CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
    (header::CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
    (header::PERMISSIONS_POLICY, "camera=(), geolocation=(), microphone=()"),
];

/// Adds the headers of every response.
pub(super) fn add_headers(response: &mut HttpResponse) {
    for (name, value) in HEADERS {
        if !response.headers().contains_key(&name) {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
    }
}

/// A page.
pub(super) fn html(markup: Markup) -> HttpResponse {
    html_with(StatusCode::OK, markup)
}

/// A page with another status than 200.
pub(super) fn html_with(status: StatusCode, markup: Markup) -> HttpResponse {
    HttpResponse::build(status).content_type("text/html; charset=utf-8").body(markup.into_string())
}

/// A response of the API.
pub(super) fn json(value: &impl Serialize) -> HttpResponse {
    json_with(StatusCode::OK, value)
}

/// A response of the API with another status than 200.
pub(super) fn json_with(status: StatusCode, value: &impl Serialize) -> HttpResponse {
    HttpResponse::build(status).json(value)
}

/// An error of the API: an object with a sentence.
pub(super) fn json_error(status: StatusCode, error: &str) -> HttpResponse {
    json_with(status, &serde_json::json!({ "error": error }))
}

/// A page that says what is wrong.
pub(super) fn problem(status: StatusCode, title: &str, text: &str) -> HttpResponse {
    html_with(status, page(title, Section::None, maud::html! { p { (text) } }))
}

/// The page for a path that does not exist.
pub(super) fn not_found() -> HttpResponse {
    problem(StatusCode::NOT_FOUND, "Not found", "The console has no such page.")
}

/// A plain text, for callers that may see no page.
pub(super) fn text(status: StatusCode, text: &'static str) -> HttpResponse {
    HttpResponse::build(status).content_type("text/plain; charset=utf-8").body(text)
}
