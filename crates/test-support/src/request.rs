//! Callbacks, as Twilio sends them and otherwise.

use std::net::SocketAddr;

use twilio_signature::{Algorithm, SharedKey, SigningKey, decode_form, sign, url_with_body_hash};

use super::{Answer, Connection};

/// The auth token of [`ACCOUNT`].
pub const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// The URL as it is configured at Twilio.
pub const PUBLIC_URL: &str = "https://hooks.example.com";

/// The account of the callbacks.
pub const ACCOUNT: &str = "AC00000000000000000000000000000001";
/// The profile that most callbacks announce.
pub const PROFILE: &str = "BU00000000000000000000000000000002";

const FORM: &str = "application/x-www-form-urlencoded";

/// A request, every part of which a test can change.
#[derive(Debug, Clone)]
pub struct Request {
    /// The HTTP method.
    pub method: String,
    /// Path and query, as they are written into the request line.
    pub target: String,
    /// The headers besides `Content-Length`. Without a `Host`, the request has that of the host behind the public URL.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// An unsigned form.
    pub fn form(target: &str, body: &str) -> Self {
        Self::new("POST", target, &[("Content-Type", FORM)], body)
    }

    /// Unsigned JSON with its hash in the query.
    pub fn json(target: &str, body: &str) -> Self {
        Self::new("POST", &url_with_body_hash(target, body.as_bytes()), &[("Content-Type", "application/json")], body)
    }

    /// An unsigned `GET`.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target, &[], "")
    }

    /// A signed status change of [`PROFILE`].
    pub fn change(status: &str) -> Self {
        Self::change_of(PROFILE, status)
    }

    /// A signed status change.
    pub fn change_of(profile: &str, status: &str) -> Self {
        let body = format!("AccountSid={ACCOUNT}&BundleSid={profile}&Status={status}&FailureReason=");
        Self::form("/callbacks/customer-profiles", &body).signed()
    }

    /// Any request.
    pub fn new(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self { method: method.into(), target: target.into(), headers: headers.collect(), body: body.into() }
    }

    /// The same with another header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Signed with the default token for the default public URL.
    pub fn signed(self) -> Self {
        self.signed_with(TOKEN, PUBLIC_URL)
    }

    /// Signed with this token for this public URL.
    pub fn signed_with(self, token: &str, base: &str) -> Self {
        let key = SigningKey::from_auth_token(&token.into()).unwrap();
        let signature = self.signature(&key, base);
        self.with("X-Twilio-Signature", &signature)
    }

    /// Signed with this SharedKey, which the request names, for the default public URL.
    pub fn signed_with_shared_key(self, key: &SharedKey, algorithm: Algorithm) -> Self {
        let (signature, settings) = (self.signature(key.signing_key(algorithm), PUBLIC_URL), key.settings(algorithm));
        self.with("X-Twilio-Signature", &signature).with("X-Twilio-Webhooks-Signature-Settings", &settings)
    }

    fn signature(&self, key: &SigningKey, base: &str) -> String {
        let is_form = self.headers.iter().any(|(_, value)| value == FORM);
        let form = if is_form { decode_form(&self.body).unwrap() } else { Vec::new() };
        sign(key, &format!("{base}{}", self.target), &form).to_string()
    }

    /// The bytes on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        if !self.headers.iter().any(|(name, _)| name == "Host") {
            head.push_str("Host: internal.example\r\n");
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.method != "GET" || !self.body.is_empty() {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        let mut bytes = (head + "\r\n").into_bytes();
        bytes.extend(&self.body);
        bytes
    }

    /// Sends the request on a new connection.
    pub fn send(&self, address: SocketAddr) -> Answer {
        // Before connecting: from then on, the program waits for the head.
        let bytes = self.bytes();
        let mut connection = Connection::to(address);
        connection.write(bytes);
        connection.read().unwrap_or_else(|| panic!("no answer to {self:?}"))
    }
}
