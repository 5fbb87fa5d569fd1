//! `probe`: checks that a running service rejects forged callbacks and accepts signed ones.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use twilio_signature::{SigningKey, decode_form, sign};

use super::{
    http::send,
    output::{Failure, print},
    variables::Variables,
};
use crate::{
    config::{self, ProbeConfig},
    domain::{AccountSid, Label as _, Resource, TEST_EVENT_TYPE, callback_route},
};

/// The text of `probe --help`.
pub(super) const LONG: &str = "Send a forged callback to a running service, which must reject it

With --publish the command then sends a signed callback, which the service must answer with 204. The callback is marked as a
test, so it becomes an event of the type io.trusthub-bridge.test.v1, which consumers ignore and the profile metrics do not
count. It is signed for the first PUBLIC_URL with the first token, so the command needs the service's variables.";

const TIMEOUT: Duration = Duration::from_secs(20);

/// A signature of the right length that matches no request.
const FORGED_SIGNATURE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const UNKNOWN_ACCOUNT: &str = "AC00000000000000000000000000000000";
const UNKNOWN_PROFILE: &str = "BU00000000000000000000000000000000";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The callback URL of the service, such as http://localhost:8080/callbacks/customer-profiles
    #[arg(long)]
    url: String,
    /// Also send a signed callback, which the service publishes as a test event
    #[arg(long)]
    publish: bool,
}

pub(super) fn run(arguments: &Arguments, variables: Variables) -> Result<(), Failure> {
    let target = ProbeTarget::parse(&arguments.url).map_err(|error| Failure::usage(format!("--url: {error}")))?;
    let forged = target.post(&body(UNKNOWN_ACCOUNT), FORGED_SIGNATURE)?;
    if forged != 403 {
        return Err(Failure::failed(format!("the service answered a forged callback with {forged} instead of 403")));
    }
    print("the service rejected a forged callback: 403")?;
    if !arguments.publish {
        return Ok(());
    }
    let config = config::load_probe(variables).map_err(Failure::usage)?;
    let signed = target.post_signed(&config)?;
    if signed != 204 {
        return Err(Failure::failed(format!(
            "the service answered a signed callback with {signed} instead of 204; see its log"
        )));
    }
    print(&format!("the service accepted a signed callback as {TEST_EVENT_TYPE}: 204"))
}

/// The parsed URL of a callback path.
struct ProbeTarget {
    authority: String,
    path: String,
    route: &'static str,
}

impl ProbeTarget {
    fn parse(url: &str) -> Result<Self, &'static str> {
        let usage = "write it as http://localhost:8080/callbacks/customer-profiles";
        let rest = url.strip_prefix("http://").ok_or(usage)?;
        let (authority, path) = rest.split_once('/').ok_or(usage)?;
        let path = format!("/{path}");
        let route =
            Resource::ALL.iter().filter_map(|resource| callback_route(*resource)).find(|route| path.ends_with(route));
        let authority = if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
        Ok(Self { authority, path, route: route.ok_or(usage)? })
    }

    fn post_signed(&self, config: &ProbeConfig) -> Result<u16, Failure> {
        let account = config.account.as_ref().map_or(UNKNOWN_ACCOUNT, AccountSid::as_str);
        let key = SigningKey::from_auth_token(&config.token).map_err(Failure::usage)?;
        let body = format!("{}&TrusthubBridgeTest=true", body(account));
        let form = decode_form(body.as_bytes()).map_err(|_| Failure::failed("cannot decode the form"))?;
        let url = format!("{}{}", config.public_url, self.route);
        self.post(&body, &sign(&key, &url, &form).to_string())
    }

    /// Sends the callback, and returns the status of the response.
    fn post(&self, body: &str, signature: &str) -> Result<u16, Failure> {
        let Self { authority, path, .. } = self;
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\
             X-Twilio-Signature: {signature}\r\nI-Twilio-Idempotency-Token: {}\r\n\r\n{body}",
            body.len(),
            idempotency_token()
        );
        let failed = |reason: &dyn std::fmt::Display| Failure::failed(format!("http://{authority}{path}: {reason}"));
        let line = send(authority.as_str(), &request, TIMEOUT).map_err(|error| failed(&error))?;
        line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(|| failed(&"the response is not HTTP"))
    }
}

fn body(account: &str) -> String {
    format!("AccountSid={account}&BundleSid={UNKNOWN_PROFILE}&Status=draft")
}

/// A new token each time. With the same one, the service would treat the next probe as a duplicate.
fn idempotency_token() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("probe-{}", now.as_nanos())
}
