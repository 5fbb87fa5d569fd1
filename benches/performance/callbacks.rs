//! Callbacks as Twilio sends them: signed, all distinct, ready to be written to a connection.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering},
};

use twilio_signature::{SigningKey, decode_form, sign};

use test_support::{PUBLIC_URL, TOKEN};

const ROUTE: &str = "/callbacks/customer-profiles";
/// The number of profiles, enough to spread over the partitions.
const PROFILES: u64 = 10_000;

/// The shape of the callbacks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// The number of accounts, which are used in turn.
    pub(crate) accounts: u64,
    /// The size of the bodies, at least that of the usual one.
    pub(crate) body: usize,
}

impl Shape {
    /// A rejection with its reason, 200 bytes, of a single account.
    pub(crate) const USUAL: Self = Self { accounts: 1, body: 200 };

    /// Prepares this many callbacks. Each is distinct from all earlier ones.
    pub(crate) fn prepare(self, count: u64) -> Callbacks {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let first = NEXT.fetch_add(count, Ordering::Relaxed);
        let mut callbacks = Callbacks { bytes: Vec::new(), ends: Vec::new() };
        for number in first..first + count {
            self.write(number, &mut callbacks.bytes);
            callbacks.ends.push(callbacks.bytes.len());
        }
        callbacks
    }

    fn write(self, number: u64, into: &mut Vec<u8>) {
        let account = number % self.accounts;
        let body = self.body(number, account);
        let key = SigningKey::from_auth_token(&token(account).into()).unwrap();
        let signature = sign(&key, &format!("{PUBLIC_URL}{ROUTE}"), &decode_form(body.as_bytes()).unwrap());
        let head = format!(
            "POST {ROUTE} HTTP/1.1\r\n\
             Host: hooks.example.com\r\n\
             User-Agent: TwilioProxy/1.1\r\n\
             Accept: */*\r\n\
             Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\n\
             Content-Length: {}\r\n\
             I-Twilio-Idempotency-Token: {number:08x}-5d3c-4d3f-9e43-0d9f8f1f2a11\r\n\
             X-Twilio-Signature: {signature}\r\n\r\n",
            body.len()
        );
        into.extend_from_slice(head.as_bytes());
        into.extend_from_slice(body.as_bytes());
    }

    fn body(self, number: u64, account: u64) -> String {
        let profile = number % PROFILES;
        let mut body = format!(
            "AccountSid={}&BundleSid=BU{profile:032x}&Status=twilio-rejected&FailureReason=Business+registration+number+\
             could+not+be+verified+%2818602%29&Number=",
            sid(account)
        );
        let left = self.body.saturating_sub(body.len());
        write!(body, "{number:0left$}").unwrap();
        body
    }
}

/// The SID of an account by its number.
pub(crate) fn sid(account: u64) -> String {
    format!("AC{account:032x}")
}

/// The auth token of an account by its number; the first account has the default token of the tests.
pub(crate) fn token(account: u64) -> String {
    if account == 0 { TOKEN.to_owned() } else { format!("{account:032x}") }
}

/// Prepared requests, one after the other.
pub(crate) struct Callbacks {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Callbacks {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The request of this number, if it exists.
    pub(crate) fn get(&self, number: usize) -> Option<&[u8]> {
        let end = *self.ends.get(number)?;
        let begin = if number == 0 { 0 } else { self.ends[number - 1] };
        self.bytes.get(begin..end)
    }
}
