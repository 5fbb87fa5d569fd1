//! What the simulator says about itself under `/`: what it is, and what to type next.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{ACCEPT, CONTENT_SECURITY_POLICY, ContentType, VARY},
    web::Data,
};

use super::account_call::base_url;
use crate::instance::{ANY_POLICY, Simulator};

/// `GET /`: plain text, or HTML for a browser
pub(super) async fn welcome(simulator: Data<Simulator>, request: HttpRequest) -> HttpResponse {
    let base = base_url(&request);
    let text = text(&base, &credentials(&simulator));
    let mut response = HttpResponse::Ok();
    response.insert_header((VARY, "Accept"));
    let accepts_html = |accepted: &str| accepted.contains("text/html");
    if request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(accepts_html) {
        response.insert_header((CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"));
        response.content_type(ContentType::html()).body(page(&base, &text))
    } else {
        response.content_type(ContentType::plaintext()).body(text)
    }
}

/// Returns the user name of the first account and the variable that has its password, but never the password.
fn credentials(simulator: &Simulator) -> String {
    let Some(account) = simulator.account(None) else { return String::new() };
    match &account.api_key {
        Some((key, _)) if account.tokens.is_empty() => format!("{key}:$TWILIO_API_SECRET"),
        _ => format!("{}:$TWILIO_AUTH_TOKEN", account.sid),
    }
}

fn text(base: &str, credentials: &str) -> String {
    format!(
        "Trust Hub simulator

It serves Twilio's API for customer profiles, trust products and regulatory
bundles, lets you decide their reviews, and announces each change of a status
with a signed callback to the StatusCallback of the profile.

Create a profile and submit it for review, with the password in the variable:

  sid=$(curl -s -u {credentials} \\
    {base}/v1/CustomerProfiles -d FriendlyName=Shop \\
    -d Email=shop@example.com -d PolicySid={ANY_POLICY} |
    grep -o 'BU[0-9a-f]*' | head -1)
  curl -u {credentials} \\
    {base}/v1/CustomerProfiles/$sid -d Status=pending-review

Decide the review: reject it and, once it is submitted again, approve it:

  curl -d code=18602 {base}/simulator/profiles/$sid/reject
  curl -u {credentials} \\
    {base}/v1/CustomerProfiles/$sid -d Status=pending-review
  curl -X POST {base}/simulator/profiles/$sid/approve

List all profiles, the callbacks with their answers, and all requests:

  curl {base}/simulator/profiles
  curl {base}/simulator/callbacks
  curl {base}/openapi.json
"
    )
}

/// Renders the text as a page in which the addresses that a browser can open are links.
fn page(base: &str, text: &str) -> String {
    let mut page = escaped(text);
    for path in ["/simulator/profiles", "/simulator/callbacks", "/openapi.json"] {
        let url = escaped(&format!("{base}{path}"));
        page = page.replace(&format!("{url}\n"), &format!("<a href=\"{path}\">{url}</a>\n"));
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Trust Hub simulator</title>\n\
         <pre>{page}</pre>\n</html>\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
