//! `probe`: whether an installation refuses what is forged, and takes what is signed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{
    Variables,
    http::ask,
    output::{Failure, print},
};
use crate::{
    config::{self, ProbeConfig},
    domain::{AccountSid, Label as _, Resource, TEST_EVENT_TYPE},
    verify::{SigningKey, decode_form, sign},
};

/// What `probe --help` says.
pub(super) const LONG: &str = "Send a forged callback to a running service, which must refuse it

With --publish a signed one follows, which must be answered 204. It is marked as a test, so it becomes an event of the type
io.trusthub-bridge.test.v1, which consumers ignore and no metric of profiles counts. It is signed for the first PUBLIC_URL with
the first token, so the variables of the service are needed.";

const PATIENCE: Duration = Duration::from_secs(20);

/// The right length, and the signature of nothing.
const FORGED: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const NOBODY: &str = "AC00000000000000000000000000000000";
const NOTHING: &str = "BU00000000000000000000000000000000";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where the service is called, such as http://localhost:8080/callbacks/customer-profiles
    #[arg(long)]
    url: String,
    /// Also send a signed callback, which is published as a test
    #[arg(long)]
    publish: bool,
}

pub(super) fn run(arguments: &Arguments, variables: Variables) -> Result<(), Failure> {
    let place = Place::parse(&arguments.url).map_err(|wrong| Failure::Usage(format!("--url: {wrong}")))?;
    let refused = place.post(&body(NOBODY), FORGED)?;
    if refused != 403 {
        return Err(Failure::Failed(format!("a forged callback is answered {refused} and not 403")));
    }
    print("a forged callback is refused: 403")?;
    if !arguments.publish {
        return Ok(());
    }
    let config = config::load_probe(variables).map_err(Failure::usage)?;
    let taken = place.post_signed(&config)?;
    if taken != 204 {
        return Err(Failure::Failed(format!(
            "a signed callback is answered {taken} and not 204; see the service's log"
        )));
    }
    print(&format!("a signed callback is published as {TEST_EVENT_TYPE}: 204"))
}

/// An `http` URL of a callback path.
struct Place {
    authority: String,
    path: String,
    route: &'static str,
}

impl Place {
    fn parse(url: &str) -> Result<Self, &'static str> {
        let wrong = "write it as http://localhost:8080/callbacks/customer-profiles";
        let rest = url.strip_prefix("http://").ok_or(wrong)?;
        let (authority, path) = rest.split_once('/').ok_or(wrong)?;
        let path = format!("/{path}");
        let route = Resource::ALL.iter().filter_map(|resource| resource.route()).find(|route| path.ends_with(route));
        let authority = if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
        Ok(Self { authority, path, route: route.ok_or(wrong)? })
    }

    fn post_signed(&self, config: &ProbeConfig) -> Result<u16, Failure> {
        let account = config.account.as_ref().map_or(NOBODY, AccountSid::as_str);
        let key = SigningKey::from_auth_token(&config.token).map_err(Failure::usage)?;
        let body = format!("{}&TrusthubBridgeTest=true", body(account));
        let form = decode_form(body.as_bytes()).map_err(|_| Failure::failed("the form cannot be read"))?;
        let url = format!("{}{}", config.public_url, self.route);
        self.post(&body, &sign(&key, &url, &form).to_string())
    }

    /// The status of the answer.
    fn post(&self, body: &str, signature: &str) -> Result<u16, Failure> {
        let Self { authority, path, .. } = self;
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\
             X-Twilio-Signature: {signature}\r\nI-Twilio-Idempotency-Token: {}\r\n\r\n{body}",
            body.len(),
            token()
        );
        let failed = |what: &dyn std::fmt::Display| Failure::Failed(format!("http://{authority}{path}: {what}"));
        let line = ask(authority.as_str(), &request, PATIENCE).map_err(|error| failed(&error))?;
        line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(|| failed(&"no HTTP answer"))
    }
}

fn body(account: &str) -> String {
    format!("AccountSid={account}&BundleSid={NOTHING}&Status=draft")
}

/// Another one each time, or the service would take the next probe for a repeat.
fn token() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("probe-{}", now.as_nanos())
}
