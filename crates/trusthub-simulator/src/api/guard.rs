//! Refuses what a page in a browser sends on behalf of another web origin.
//!
//! The control requests need no password, and a browser sends requests of any page to loopback addresses. A page of
//! another origin names itself in `Origin` or `Sec-Fetch-Site`. A page whose host name was pointed at the simulator after
//! it was loaded (DNS rebinding) is of the same origin for the browser, but its host name is in `Host`. Programs send
//! neither `Origin` nor `Sec-Fetch-Site`.

use std::net::{IpAddr, SocketAddr};

use actix_web::{
    Error,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN},
        uri::Authority,
    },
    middleware::Next,
    web::Data,
};

use super::{allowed_host::AllowedHost, error::ApiError};

/// Host names that machines give to the machine that runs their containers.
const CONTAINER_HOSTS: [&str; 2] = ["host.docker.internal", "host.containers.internal"];

/// Which requests the server accepts.
pub(super) struct RequestGuard {
    bound: IpAddr,
    allowed: Vec<AllowedHost>,
}

/// A middleware that answers 403 to requests that the guard does not accept.
pub(super) async fn guard<B: MessageBody + 'static>(
    guard: Data<RequestGuard>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match guard.check(&request) {
        Ok(()) => next.call(request).await.map(ServiceResponse::map_into_boxed_body),
        Err(error) => Ok(request.error_response(error)),
    }
}

impl RequestGuard {
    pub(super) fn new(bound: SocketAddr, allowed: Vec<AllowedHost>) -> Self {
        Self { bound: bound.ip(), allowed }
    }

    fn check(&self, request: &ServiceRequest) -> Result<(), ApiError> {
        let host = only(request.headers(), &HOST).ok_or_else(ApiError::host_missing)?;
        // A request line with a complete URL has a host, too.
        for authority in request.uri().authority().map(Authority::as_str).into_iter().chain([host]) {
            if !self.is_own(authority) {
                return Err(ApiError::unknown_host(host_of(authority).as_deref()));
            }
        }
        if is_of_other_origin(request, host) { Err(ApiError::other_origin()) } else { Ok(()) }
    }

    /// Returns whether this host, which may have a port, is an address of the simulator or a name that only the owner of
    /// the machine or of its network can give to it.
    fn is_own(&self, authority: &str) -> bool {
        let Some(host) = host_of(authority).and_then(|host| host.parse::<AllowedHost>().ok()) else { return false };
        let is_own = match host.address() {
            Some(address) => self.is_own_address(address.to_canonical()),
            None => is_loopback_name(host.as_str()) || self.is_network_name(host.as_str()),
        };
        is_own || self.allowed.contains(&host)
    }

    /// Returns whether a name is one that containers and machines of one network use for each other. Nobody can register
    /// it, but who answers the queries for names in this network can point it anywhere, also at loopback addresses.
    /// So a simulator that only this machine can reach does not accept it.
    fn is_network_name(&self, name: &str) -> bool {
        !self.bound.is_loopback() && (!name.contains('.') || CONTAINER_HOSTS.contains(&name))
    }

    fn is_own_address(&self, address: IpAddr) -> bool {
        // The addresses of a machine that listens on several are not known. A page cannot point an address elsewhere.
        !self.bound.is_loopback() || address.is_loopback() || address == self.bound.to_canonical()
    }
}

/// Returns the host in lower case, if nothing but a port follows it.
fn host_of(authority: &str) -> Option<String> {
    let host = authority.parse::<Authority>().ok()?.host().to_ascii_lowercase();
    let port = authority.get(host.len()..)?;
    let is_port = |text: &str| text.strip_prefix(':').is_some_and(|digits| digits.parse::<u16>().is_ok());
    (port.is_empty() || is_port(port)).then_some(host)
}

/// Returns whether browsers and resolvers give this name a loopback address without asking anyone (RFC 6761).
fn is_loopback_name(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

/// Returns whether a browser says that a page of another origin has caused the request. A link to the simulator may be
/// on any page, because the page cannot read the response.
fn is_of_other_origin(request: &ServiceRequest, host: &str) -> bool {
    // Each value counts, because a program between the browser and the simulator may have added one.
    let values = |name: &'static str| request.headers().get_all(name).map(HeaderValue::as_bytes);
    let own = format!("http://{host}");
    let has_other_origin =
        request.headers().get_all(ORIGIN).any(|origin| !origin.as_bytes().eq_ignore_ascii_case(own.as_bytes()));
    let is_own_site = values("sec-fetch-site").all(|site| [&b"same-origin"[..], b"none"].contains(&site));
    let is_only = |name, expected: &[u8]| values(name).next().is_some() && values(name).all(|value| value == expected);
    let is_link = [Method::GET, Method::HEAD].contains(request.method())
        && is_only("sec-fetch-mode", b"navigate")
        && is_only("sec-fetch-dest", b"document");
    has_other_origin || !(is_own_site || is_link)
}

/// Returns the value of a header that occurs once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name);
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard_at(bound: &str, allowed: &[&str]) -> RequestGuard {
        let allowed = allowed.iter().map(|name| name.parse().unwrap()).collect();
        RequestGuard::new(bound.parse().unwrap(), allowed)
    }

    #[test]
    fn host_is_own_if_no_stranger_can_point_it_at_the_simulator() {
        let guard = guard_at("127.0.0.1:8090", &["Hub.Example.com", "192.0.2.9", "hub", "[2001:DB8:0::9]"]);
        for own in [
            "127.0.0.1:8090",
            "127.8.9.10",
            "[::1]:8090",
            "[::ffff:127.0.0.1]",
            "LOCALHOST:1",
            "hub.localhost",
            "hub.example.COM:80",
            "192.0.2.9",
            "hub:8090",
            "[2001:db8::9]:8090",
        ] {
            assert!(guard.is_own(own), "{own}");
        }
        for other in [
            "",
            ":8090",
            "localhost:",
            "localhost:http",
            "$(id)",
            "evil.example",
            "evil.example:8090",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.1:8090@evil.example",
            "evil.example@127.0.0.1",
            "simulator:8090",
            "host.docker.internal:8090",
            "host.containers.internal",
            "hub.",
            "other.example.com",
            "sub.hub.example.com",
            "host.docker.internal.evil.example",
            "192.0.2.1",
            "0.0.0.0",
            "[2001:db8::1]",
            "a b",
            "localhost/x",
        ] {
            assert!(!guard.is_own(other), "{other}");
        }
    }

    #[test]
    fn addresses_and_names_of_a_network_are_own_beyond_loopback() {
        for bound in ["0.0.0.0:8090", "192.0.2.1:8090", "[::]:8090"] {
            let guard = guard_at(bound, &[]);
            assert!(guard.is_own("192.0.2.7:8090") && guard.is_own("[2001:db8::1]") && guard.is_own("127.0.0.1"));
            assert!(!guard.is_own("evil.example:8090"), "a name with a dot is not");
            for own in ["simulator:8090", "localhost", "host.docker.internal:8090", "host.containers.internal"] {
                assert!(guard.is_own(own), "{own}");
            }
        }
    }
}
