//! Which requests the console answers.
//!
//! | Rule | Against | Otherwise |
//! |---|---|---|
//! | on a loopback address, `Host` is a loopback name or address | DNS rebinding | 403 |
//! | a request does not come from a page of another site, unless that page links to a page of the console: by `Sec-Fetch-Site`, `-Mode` and `-Dest`, or else by `Origin` | other sites in the same browser | 403 |
//! | with a password, the request has it | everyone else | 401 |
//! | few passwords are wrong | guessing | 429 |
//!
//! On other addresses any `Host` is accepted. There is always a password then, and browsers send credentials only to the name for
//! which the user entered them: a page that rebinds its own name has none. `docs/decisions/0064-console-access.md` says more.

mod failures;
mod host;
mod password;

use std::{
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use actix_web::{
    HttpRequest,
    http::header::{self, HeaderName, HeaderValue},
};
use secrecy::SecretString;

use self::{failures::FailureLimiter, password::PasswordCheck};

/// Where a request comes from, as browsers say. No page can set it.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// How a browser uses the response. A link is followed with `navigate`, and with `document` if it is shown in a window.
/// Source: <https://www.w3.org/TR/fetch-metadata/>.
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Why a request is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AccessDenied {
    /// `Host` is missing, repeated, or not that of this machine.
    ForeignHost,
    /// A page of another site sent the request.
    CrossSite,
    /// The password is missing or wrong.
    WrongPassword,
    /// Too many passwords were wrong; the next one is looked at after this time.
    TooManyWrongPasswords(Duration),
}

/// Which names a console can be opened under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BoundAddress {
    /// Only those of the machine itself.
    Loopback,
    /// Any.
    Other,
}

/// Which requests that a page of another site causes are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CrossSiteRule {
    /// Links that a person follows: the response is a page that no other site can read or frame. Scripts, images and frames
    /// are not, because a script could repeat them without end.
    Links,
    /// None.
    Refused,
}

/// Decides which requests are answered.
pub(super) struct Guard {
    bound: BoundAddress,
    password: Option<PasswordCheck>,
    failures: FailureLimiter,
}

impl Guard {
    /// A guard of a console on this address, which requires the password if there is one.
    pub(super) fn new(bound: BoundAddress, password: Option<&SecretString>) -> Self {
        Self { bound, password: password.map(PasswordCheck::new), failures: FailureLimiter::default() }
    }

    /// Replaces the password. Who knew the former one is as unknown as everyone else. Without a password, nothing changes.
    pub(super) fn replace_password(&self, password: &SecretString) {
        if let Some(check) = &self.password {
            check.replace(password);
            self.failures.forget_known();
        }
    }

    /// Checks a request.
    ///
    /// # Errors
    /// [`AccessDenied`] if it must not be answered.
    pub(super) fn check(&self, request: &HttpRequest, rule: CrossSiteRule, now: Instant) -> Result<(), AccessDenied> {
        let host = single(request, &header::HOST).and_then(|host| host.to_str().ok()).filter(|host| !host.is_empty());
        // A target with an authority of its own would contradict `Host`, and no browser sends one to a server.
        let Some(host) = host.filter(|_| request.uri().authority().is_none()) else {
            return Err(AccessDenied::ForeignHost);
        };
        if self.bound == BoundAddress::Loopback && !host::is_loopback(host) {
            return Err(AccessDenied::ForeignHost);
        }
        let is_refused = rule == CrossSiteRule::Refused || !is_link(request);
        if is_refused && is_cross_site(request, host) {
            return Err(AccessDenied::CrossSite);
        }
        self.check_password(request, now)
    }

    fn check_password(&self, request: &HttpRequest, now: Instant) -> Result<(), AccessDenied> {
        let Some(check) = &self.password else { return Ok(()) };
        let caller = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip());
        // The first request of a browser has none, and is no guess.
        if !request.headers().contains_key(header::AUTHORIZATION) {
            return Err(AccessDenied::WrongPassword);
        }
        if let Some(wait) = self.failures.wait(caller, now) {
            return Err(AccessDenied::TooManyWrongPasswords(wait));
        }
        let given = single(request, &header::AUTHORIZATION);
        if given.is_some_and(|given| check.accepts(given.as_bytes())) {
            self.failures.add_success(caller);
            Ok(())
        } else {
            self.failures.add_failure(caller, now);
            Err(AccessDenied::WrongPassword)
        }
    }
}

/// The value of a header that occurs once.
fn single<'r>(request: &'r HttpRequest, name: &HeaderName) -> Option<&'r HeaderValue> {
    let mut values = request.headers().get_all(name);
    values.next().filter(|_| values.next().is_none())
}

/// Whether the browser is to show the response in a window, as after a click on a link.
fn is_link(request: &HttpRequest) -> bool {
    let is = |name: HeaderName, expected: &str| single(request, &name).is_some_and(|value| value == expected);
    is(SEC_FETCH_MODE, "navigate") && is(SEC_FETCH_DEST, "document")
}

/// Whether a page of another site sent the request. A request that says nothing about it is not from a page: browsers send
/// `Sec-Fetch-Site` to loopback addresses and over TLS, and `Origin` with each request that has a body.
fn is_cross_site(request: &HttpRequest, host: &str) -> bool {
    if request.headers().contains_key(SEC_FETCH_SITE) {
        let site = single(request, &SEC_FETCH_SITE).map(HeaderValue::as_bytes);
        return !matches!(site, Some(b"same-origin" | b"none"));
    }
    if !request.headers().contains_key(header::ORIGIN) {
        return false;
    }
    let origin = single(request, &header::ORIGIN).and_then(|origin| origin.to_str().ok());
    let authority =
        origin.and_then(|origin| origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")));
    !authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests;
