//! Why a request is rejected.

use thiserror::Error;

use crate::limits::TooManyFields;

/// Why a request is rejected. It is for the operator: the response to the sender must not reveal it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum VerifyError {
    /// The request has no `X-Twilio-Signature`.
    #[error("the request has no X-Twilio-Signature header")]
    MissingSignature,
    /// The signature is not canonical base64 of as many bytes as its algorithm gives, or there are several that differ.
    #[error(
        "the X-Twilio-Signature is not base64 of the 20 bytes of HMAC_SHA1 or the 32 bytes of HMAC_SHA256, whichever the \
         request names, or there are several that differ"
    )]
    MalformedSignature,
    /// The header [`SIGNATURE_SETTINGS_HEADER`](crate::SIGNATURE_SETTINGS_HEADER) names no single key, or there are several
    /// that differ.
    #[error("the X-Twilio-Webhooks-Signature-Settings names no single key, or there are several that differ")]
    MalformedSettings,
    /// The request names an algorithm that is not known.
    #[error("the X-Twilio-Webhooks-Signature-Settings names an algorithm other than HMAC_SHA1 and HMAC_SHA256")]
    UnknownAlgorithm,
    /// The request names a SharedKey that is not configured for its account.
    #[error("the SharedKey that the request names is not configured for its account")]
    UnknownSharedKey,
    /// The request names an algorithm other than the one that its SharedKey is bound to.
    #[error("the SharedKey that the request names is bound to another algorithm")]
    AlgorithmNotAllowed,
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
