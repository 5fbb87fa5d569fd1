//! The public listener and the admin listener.

use std::{net::SocketAddr, time::Duration};

use serde::Deserialize;

use super::{
    catalogue::{
        ADMIN_BIND, HTTP_BIND, HTTP_KEEP_ALIVE_SECS, HTTP_MAX_BODY_BYTES, HTTP_MAX_CONNECTIONS, HTTP_MAX_IN_FLIGHT,
        HTTP_REQUEST_TIMEOUT_MS,
    },
    describe::Row,
    validate::Validator,
};

/// The public listener and its limits.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// The address that receives callbacks.
    pub bind: SocketAddr,
    /// The size limit of a request body.
    pub max_body_bytes: usize,
    /// The time limit of a whole request, including its body.
    pub request_timeout: Duration,
    /// How many callbacks are processed at the same time.
    pub max_in_flight: usize,
    /// How long an idle connection is kept open. It should be longer than in the proxy.
    pub keep_alive: Duration,
}

/// The listener for probes and metrics.
#[derive(Debug, Clone)]
pub struct AdminConfig {
    /// The address that it listens on.
    pub bind: SocketAddr,
}

#[derive(Deserialize)]
pub(super) struct HttpSection {
    bind: Option<String>,
    max_body_bytes: Option<String>,
    request_timeout_ms: Option<String>,
    max_in_flight: Option<String>,
    /// The former name of `max_in_flight`.
    max_connections: Option<String>,
    keep_alive_secs: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct AdminSection {
    bind: Option<String>,
}

impl HttpSection {
    pub(super) fn validate(self, validator: &mut Validator) -> Option<HttpConfig> {
        let bind = validator.parse_address(&HTTP_BIND, self.bind);
        let max_body_bytes = validator.parse_number(&HTTP_MAX_BODY_BYTES, self.max_body_bytes, 1..=1_048_576);
        // Twilio gives up after 15 s and does not read a later response.
        let request_timeout = validator.parse_number(&HTTP_REQUEST_TIMEOUT_MS, self.request_timeout_ms, 100..=14_000);
        let max_in_flight = {
            // The new name wins. A problem names the variable that holds the value.
            let (variable, text) = match (self.max_in_flight, self.max_connections) {
                (None, Some(text)) => (&HTTP_MAX_CONNECTIONS, Some(text)),
                (text, _) => (&HTTP_MAX_IN_FLIGHT, text),
            };
            validator.parse_number(variable, text, 1..=65_536)
        };
        let keep_alive = validator.parse_number(&HTTP_KEEP_ALIVE_SECS, self.keep_alive_secs, 1..=3_600);
        Some(HttpConfig {
            bind: bind?,
            max_body_bytes: max_body_bytes?,
            request_timeout: Duration::from_millis(request_timeout?),
            max_in_flight: max_in_flight?,
            keep_alive: Duration::from_secs(keep_alive?),
        })
    }
}

impl AdminSection {
    pub(super) fn validate(self, http: Option<&HttpConfig>, validator: &mut Validator) -> Option<AdminConfig> {
        let bind = validator.parse_address(&ADMIN_BIND, self.bind)?;
        if http.is_some_and(|http| is_conflict(http.bind, bind)) {
            validator.report(&ADMIN_BIND, "is the address of HTTP_BIND; write another port");
        }
        Some(AdminConfig { bind })
    }
}

/// Returns whether both addresses cannot be bound at the same time. Port 0 means any free port, and a wildcard address
/// includes all addresses.
pub(super) fn is_conflict(one: SocketAddr, other: SocketAddr) -> bool {
    let same_ip = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && same_ip
}

impl HttpConfig {
    pub(super) fn describe(&self) -> Vec<Row> {
        vec![
            (HTTP_BIND.name, self.bind.to_string()),
            (HTTP_MAX_BODY_BYTES.name, self.max_body_bytes.to_string()),
            (HTTP_REQUEST_TIMEOUT_MS.name, self.request_timeout.as_millis().to_string()),
            (HTTP_MAX_IN_FLIGHT.name, self.max_in_flight.to_string()),
            (HTTP_KEEP_ALIVE_SECS.name, self.keep_alive.as_secs().to_string()),
        ]
    }
}

impl AdminConfig {
    pub(super) fn describe(&self) -> Vec<Row> {
        vec![(ADMIN_BIND.name, self.bind.to_string())]
    }
}
