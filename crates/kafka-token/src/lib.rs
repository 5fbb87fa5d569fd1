#![doc = include_str!("../README.md")]

mod write_access;

use std::{
    ffi::{CStr, CString},
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use rdkafka::{
    bindings::{rd_kafka_oauthbearer_set_token, rd_kafka_resp_err_t},
    client::{Client, ClientContext},
};
use thiserror::Error;

pub use write_access::{WriteAccess, write_access};

/// The size of the buffer for an error message, as librdkafka's examples have it.
const MAX_MESSAGE_BYTES: usize = 512;

/// An OAuth token for a client of Kafka.
#[derive(Clone, Copy)]
pub struct ClientToken<'a> {
    /// The token itself, as it is sent to the broker.
    pub value: &'a str,
    /// When it expires.
    pub expires: SystemTime,
    /// The name of the principal, which librdkafka requires, and does not send.
    pub principal: &'a str,
}

/// Without the token, which is a secret.
impl fmt::Debug for ClientToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { value: _, expires, principal } = self;
        f.debug_struct("ClientToken").field("expires", expires).field("principal", principal).finish_non_exhaustive()
    }
}

/// Why librdkafka did not take a token.
#[derive(Debug, Error)]
pub enum SetTokenError {
    /// The token or the name of the principal contains a character other than visible ASCII.
    #[error("the token or the name of its principal contains a character that is not visible ASCII")]
    InvalidCharacter,
    /// It is expired, or the client does not log in with tokens. The message is librdkafka's, without the token.
    #[error("librdkafka does not take the token: {0}")]
    Rejected(String),
}

/// Sets the token with which the client logs in from now on. Threads that wait for a token connect at once.
///
/// Does not block: librdkafka copies the token under a lock of its own.
///
/// # Errors
/// [`SetTokenError`]; the client then keeps its former token.
pub fn set_token<C: ClientContext>(client: &Client<C>, token: ClientToken<'_>) -> Result<(), SetTokenError> {
    // Checked here because librdkafka's message would repeat the token.
    let text = |text: &str| match CString::new(text) {
        Ok(safe) if text.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(safe),
        _ => Err(SetTokenError::InvalidCharacter),
    };
    let (value, principal) = (text(token.value)?, text(token.principal)?);
    let expires = token.expires.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    // librdkafka multiplies it by 1000, which must not overflow.
    let expires = i64::try_from(expires).unwrap_or(i64::MAX).min(i64::MAX / 1000);
    let mut message = [0_u8; MAX_MESSAGE_BYTES];
    // SAFETY: `client` is borrowed during the call, so its handle is valid, and librdkafka may be called from any thread. The
    // two texts end with a null byte and outlive the call, which copies them. There are no extensions: a null array of
    // length 0 is not read. librdkafka writes at most as many bytes of the message as it is told, with a null byte at the end.
    #[expect(unsafe_code, reason = "the rdkafka crate does not expose this function")]
    let code = unsafe {
        rd_kafka_oauthbearer_set_token(
            client.native_ptr(),
            value.as_ptr(),
            expires,
            principal.as_ptr(),
            std::ptr::null_mut(),
            0,
            message.as_mut_ptr().cast(),
            MAX_MESSAGE_BYTES,
        )
    };
    match code {
        rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
        _ => {
            let message = CStr::from_bytes_until_nul(&message).unwrap_or_default();
            Err(SetTokenError::Rejected(message.to_string_lossy().into_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rdkafka::{
        ClientConfig,
        admin::AdminClient,
        client::DefaultClientContext,
        consumer::{BaseConsumer, Consumer as _},
        producer::{BaseProducer, Producer as _},
    };

    use super::*;

    fn config() -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("security.protocol", "sasl_plaintext").set("sasl.mechanism", "OAUTHBEARER");
        config
    }

    fn token(value: &str) -> ClientToken<'_> {
        ClientToken { value, expires: SystemTime::now() + Duration::from_secs(60), principal: "name" }
    }

    fn reason(result: Result<(), SetTokenError>) -> String {
        match result {
            Err(SetTokenError::Rejected(reason)) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn clients_of_every_kind_take_a_token_before_they_are_polled() {
        let consumer: BaseConsumer = config().create().unwrap();
        let producer: BaseProducer = config().create().unwrap();
        let admin: AdminClient<DefaultClientContext> = config().create().unwrap();
        for _renewal in 0..2 {
            set_token(consumer.client(), token("a/b+c=")).unwrap();
            set_token(producer.client(), token("a/b+c=")).unwrap();
            set_token(admin.inner(), token("a/b+c=")).unwrap();
        }
    }

    #[test]
    fn token_that_is_not_valid_is_an_error() {
        let consumer: BaseConsumer = config().create().unwrap();
        let set = |token| set_token(consumer.client(), token);
        assert!(reason(set(ClientToken { expires: SystemTime::now(), ..token("a") })).contains("unexpired token"));
        assert!(
            reason(set(ClientToken { expires: UNIX_EPOCH - Duration::from_secs(1), ..token("a") })).contains("exp=0")
        );
        for value in ["ä", "a b", "a\0b", "a\u{1}b"] {
            assert!(matches!(set(token(value)), Err(SetTokenError::InvalidCharacter)), "{value:?}");
        }
        assert!(matches!(set(ClientToken { principal: "\0", ..token("a") }), Err(SetTokenError::InvalidCharacter)));
        let far = UNIX_EPOCH + Duration::from_secs(u64::MAX / 4);
        set(ClientToken { expires: far, ..token("a") }).unwrap();
    }

    #[test]
    fn client_that_logs_in_otherwise_takes_no_token() {
        let consumer: BaseConsumer = ClientConfig::new().create().unwrap();
        assert!(
            reason(set_token(consumer.client(), token("a"))).contains("not the configured authentication mechanism")
        );
    }

    #[test]
    fn token_does_not_print() {
        assert!(!format!("{:?}", token("very-secret")).contains("secret"));
    }
}
