//! The token of a login to Amazon MSK: a presigned request `kafka-cluster:Connect`, as Base64.
//!
//! The request is signed with [Signature Version
//! 4](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html), with the signature in its
//! query. The parameters, their order and the name of the host, which is the same in all partitions, are those of AWS's own
//! signers; `tests/it/msk_iam` compares the tokens with those of `aws-msk-iam-sasl-signer-python`.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _, digest::InvalidLength};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::{
    config::AwsKeys,
    domain::{Timestamp, encode_hex},
};

/// How long a token is valid, if its key is.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(900);

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const SERVICE: &str = "kafka-cluster";
/// The characters that Signature Version 4 encodes: all except the unreserved ones of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Signs the token for the clusters of a region. `user_agent` is what AWS's audit log shows as the client.
///
/// # Errors
/// Never in practice: HMAC takes keys of every length.
pub fn msk_token(
    keys: &AwsKeys,
    region: &str,
    now: Timestamp,
    user_agent: &str,
) -> Result<SecretString, InvalidLength> {
    let time = basic_format(now);
    let date = time.split('T').next().unwrap_or_default();
    let scope = format!("{date}/{region}/{SERVICE}/aws4_request");
    let host = format!("kafka.{region}.amazonaws.com");
    let signed = [
        ("Action", "kafka-cluster:Connect".to_owned()),
        ("X-Amz-Algorithm", ALGORITHM.to_owned()),
        ("X-Amz-Credential", format!("{}/{scope}", keys.access_key_id)),
        ("X-Amz-Date", time.clone()),
        ("X-Amz-Expires", TOKEN_LIFETIME.as_secs().to_string()),
        ("X-Amz-SignedHeaders", "host".to_owned()),
    ];
    let session = keys.session_token.as_ref().map(|token| ("X-Amz-Security-Token", token.expose_secret().to_owned()));
    let mut query: Vec<_> = signed.into_iter().chain(session).map(|(name, value)| parameter(name, &value)).collect();
    let sent = query.join("&");
    query.sort_unstable();
    let request = format!("GET\n/\n{}\nhost:{host}\n\nhost\n{}", query.join("&"), encode_hex(&Sha256::digest(b"")));
    let text = format!("{ALGORITHM}\n{time}\n{scope}\n{}", encode_hex(&Sha256::digest(request.as_bytes())));
    let signature = encode_hex(&sign(&signing_key(keys, date, region)?, &text)?);
    let agent = parameter("User-Agent", user_agent);
    let url = format!("https://{host}/?{sent}&X-Amz-Signature={signature}&{agent}");
    Ok(URL_SAFE_NO_PAD.encode(url).into())
}

/// The time as in `20261120T110400Z`.
fn basic_format(time: Timestamp) -> String {
    let digits: String = time.to_string().chars().filter(|c| !"-:".contains(*c)).collect();
    let seconds = digits.split('.').next().unwrap_or_default();
    format!("{seconds}Z")
}

fn parameter(name: &str, value: &str) -> String {
    format!("{name}={}", utf8_percent_encode(value, RESERVED))
}

/// The key of a day, a region and a service, derived from the secret access key.
fn signing_key(keys: &AwsKeys, date: &str, region: &str) -> Result<Vec<u8>, InvalidLength> {
    let secret = format!("AWS4{}", keys.secret_access_key.expose_secret());
    [date, region, SERVICE, "aws4_request"].into_iter().try_fold(secret.into_bytes(), |key, part| sign(&key, part))
}

fn sign(key: &[u8], text: &str) -> Result<Vec<u8>, InvalidLength> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key)?;
    mac.update(text.as_bytes());
    Ok(mac.finalize().into_bytes().to_vec())
}
