//! Why a request is rejected.

use thiserror::Error;

use crate::limits::TooManyFields;

/// Why a request is rejected. It is for the operator: the response to the sender must not reveal it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum VerifyError {
    /// The request has no `X-Twilio-Signature`.
    #[error("the request has no X-Twilio-Signature header")]
    MissingSignature,
    /// The signature is not canonical base64 of the right length, or there are several that differ.
    #[error("the X-Twilio-Signature is not base64 of 20 bytes, or there are several that differ")]
    MalformedSignature,
    /// The request has too many fields, and its signature was not checked.
    #[error(transparent)]
    TooManyFields(#[from] TooManyFields),
    /// There is no key for the account that the request names.
    #[error("there is no key for the account that the request names")]
    UnknownAccount,
    /// No construction, URL spelling and key produces this signature.
    #[error("the signature does not match the request")]
    SignatureMismatch,
    /// The signature of the URL is valid, but its `bodySHA256` is not the hash of the received body.
    #[error("the signature matches the URL, but its bodySHA256 is not the hash of the body")]
    BodyHashMismatch,
}
