//! The client of Trust Hub's REST API against servers that answer correctly, incorrectly or not at all.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]

mod answers;
mod bounds;
mod lists;
mod retries;
mod server;

use std::{
    thread,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::SecretString;
use serde_json::{Value, json};
use trusthub_client::{AccountClient, ApiLimits, Collection, Credentials, Error, Fetched, SetupError, TrustHub};
use trusthub_events::{AccountSid, ProfileSid};

use self::server::{Reply, Server};

/// Far longer than any operation takes here; only a broken client takes this long.
const TIMEOUT: Duration = Duration::from_secs(180);

const USER_AGENT: &str = "test/1.0";
const PASSWORD: &str = "6d0f1e9a7c5b43218f6e5d4c3b2a1908";

/// As many attempts as in production, but without long pauses.
fn limits() -> ApiLimits {
    ApiLimits { first_pause: Duration::from_millis(1), ..ApiLimits::default() }
}

fn hub(base_url: &str, limits: ApiLimits) -> TrustHub {
    TrustHub::new(base_url, USER_AGENT, limits).unwrap()
}

/// Polls until there is a result; panics with `what` when the time is over.
fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "timed out: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The credentials of an account that logs in with its token.
fn credentials() -> Credentials {
    let account = AccountSid::parse(&sid("AC", 1)).unwrap();
    Credentials::from_token(account, SecretString::from(PASSWORD))
}

fn account(base_url: &str) -> AccountClient {
    hub(base_url, limits()).account(credentials())
}

fn sid(prefix: &str, number: usize) -> String {
    format!("{prefix}{number:032x}")
}

fn profile_sid(number: usize) -> ProfileSid {
    ProfileSid::parse(&sid("BU", number)).unwrap()
}

/// A profile as Trust Hub returns it.
fn profile(number: usize) -> Value {
    let sid = sid("BU", number);
    let url = format!("https://trusthub.twilio.com/v1/CustomerProfiles/{sid}");
    json!({
        "sid": sid, "account_sid": self::sid("AC", 1), "policy_sid": self::sid("RN", 1),
        "friendly_name": format!("Business {number}"), "status": "draft", "valid_until": null,
        "email": "ada@example.com", "status_callback": null, "date_created": "2019-07-30T22:29:24Z",
        "date_updated": "2019-07-30T22:29:24Z", "url": url, "links": {}, "errors": null,
    })
}

/// The response to a rejected request, in Twilio's format.
fn rejection(status: u16, code: u32, message: &str) -> Reply {
    let more_info = format!("https://www.twilio.com/docs/errors/{code}");
    Reply::json(status, &json!({"code": code, "message": message, "more_info": more_info, "status": status}))
}

async fn fetch(account: &AccountClient) -> Result<Fetched, Error> {
    account.fetch(Collection::CustomerProfiles, &profile_sid(1)).await
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

#[tokio::test]
async fn profile_is_fetched_below_the_base_url_with_its_account_credentials() {
    let server = Server::with_replies([Reply::json(200, &profile(1)), Reply::json(200, &profile(1))]);
    let found = fetch(&account(&format!("{}/prefix", server.url()))).await.unwrap();
    assert_eq!((&found.sid, found.friendly_name.as_deref()), (&profile_sid(1), Some("Business 1")));

    let key = Credentials { user: sid("SK", 1), ..credentials() };
    let key_account = hub(&server.url(), limits()).account(key);
    key_account.fetch(Collection::TrustProducts, &profile_sid(1)).await.unwrap();

    let asked = server.asked();
    assert_eq!(asked[0].line, format!("GET /prefix/v1/CustomerProfiles/{}", sid("BU", 1)));
    assert_eq!(asked[0].header("authorization"), Some(basic(&sid("AC", 1), PASSWORD).as_str()));
    assert_eq!(asked[1].line, format!("GET /v1/TrustProducts/{}", sid("BU", 1)));
    assert_eq!(asked[1].header("authorization"), Some(basic(&sid("SK", 1), PASSWORD).as_str()));
    assert_eq!(asked[0].header("user-agent"), Some(USER_AGENT));
}

#[tokio::test]
async fn credentials_are_not_shown_by_any_value_that_contains_them() {
    let server = Server::with_replies([rejection(401, 20003, "Authenticate")]);
    let hub = hub(&server.url(), limits());
    let account = hub.account(credentials());
    let error = fetch(&account).await.unwrap_err();
    let shown = format!("{hub:?} {account:?} {error:?} {error} {:?}", credentials());
    assert!(!shown.contains(PASSWORD) && !shown.contains(&STANDARD.encode(PASSWORD)), "{shown}");
}

#[test]
fn base_url_that_cannot_be_called_is_an_error() {
    let error = TrustHub::new("http://1.2.3.999", USER_AGENT, ApiLimits::default()).unwrap_err();
    assert_eq!(error, SetupError::BaseUrl);
}
