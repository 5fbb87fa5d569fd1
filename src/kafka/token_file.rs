//! An OAuth token that another program keeps current in a file.
//!
//! librdkafka reads the expiry of a token from its claim `exp` and needs `sub`, and so do the brokers that validate it (RFC
//! 7519). So a token that is not a JSON Web Token with both is rejected here, with the name of the variable.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use parking_lot::Mutex;
use secrecy::SecretString;
use serde::Deserialize;
use thiserror::Error;

use super::token_endpoint::{TokenEndpoint, TokenProvider};
use crate::domain::Timestamp;

/// The largest file, far above the size of any token. A broker rejects a login of more than 512 KiB.
const MAX_BYTES: u64 = 65_536;

/// Base64 as in RFC 7515, section 2, which omits the padding.
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The endpoints of this process: one for each token file, so usually one.
static ENDPOINTS: Mutex<Vec<(PathBuf, Arc<TokenEndpoint>)>> = Mutex::new(Vec::new());

/// Returns the endpoint that offers the token in this file to librdkafka, and starts it on first use.
///
/// # Errors
/// Those of [`TokenEndpoint::start`].
pub(super) fn endpoint(file: &Path) -> io::Result<Arc<TokenEndpoint>> {
    let mut endpoints = ENDPOINTS.lock();
    if let Some((_, endpoint)) = endpoints.iter().find(|(known, _)| known == file) {
        return Ok(Arc::clone(endpoint));
    }
    let endpoint = Arc::new(TokenEndpoint::start(TokenFile { path: file.to_owned() })?);
    endpoints.push((file.to_owned(), Arc::clone(&endpoint)));
    Ok(endpoint)
}

/// Why the file has no usable token. The messages contain nothing of the file.
#[derive(Debug, Error)]
pub(super) enum TokenFileError {
    /// The file is missing, or its permissions do not allow to read it.
    #[error("KAFKA_OAUTH_TOKEN_FILE cannot be read ({})", .0.kind())]
    Unreadable(#[source] io::Error),
    /// A folder, a pipe or a device.
    #[error("KAFKA_OAUTH_TOKEN_FILE is not a regular file; write the path of a file with a token")]
    NoFile,
    /// More bytes than any token has.
    #[error("KAFKA_OAUTH_TOKEN_FILE is larger than {MAX_BYTES} bytes, so it is not a token")]
    TooLarge,
    /// Not three Base64 texts, of which the second is a JSON object with `exp` and `sub`.
    #[error("KAFKA_OAUTH_TOKEN_FILE has no JSON Web Token with the claims exp and sub; write such a token into it")]
    NoToken,
    /// The program that should renew the token has not done so.
    #[error("the token in KAFKA_OAUTH_TOKEN_FILE expired at {0}; check the program that renews it")]
    Expired(Timestamp),
}

/// The claims that librdkafka reads.
#[derive(Deserialize)]
struct Claims {
    /// Seconds since 1970, possibly with a fraction.
    exp: f64,
    #[serde(rename = "sub")]
    _sub: String,
}

/// Reads the token for each request.
struct TokenFile {
    path: PathBuf,
}

impl TokenFile {
    fn read(&self) -> Result<String, TokenFileError> {
        let metadata = std::fs::metadata(&self.path).map_err(TokenFileError::Unreadable)?;
        // Opening a pipe would wait for a writer.
        if !metadata.is_file() {
            return Err(TokenFileError::NoFile);
        }
        let mut text = Vec::new();
        let file = File::open(&self.path).map_err(TokenFileError::Unreadable)?;
        file.take(MAX_BYTES + 1).read_to_end(&mut text).map_err(TokenFileError::Unreadable)?;
        if text.len() as u64 > MAX_BYTES {
            return Err(TokenFileError::TooLarge);
        }
        String::from_utf8(text).map_err(|_| TokenFileError::NoToken)
    }
}

impl TokenProvider for TokenFile {
    type Error = TokenFileError;

    fn token(&self, now: Timestamp) -> Result<SecretString, TokenFileError> {
        let text = self.read()?;
        let token = text.trim();
        let expires = expiry(token).ok_or(TokenFileError::NoToken)?;
        if expires <= now {
            return Err(TokenFileError::Expired(expires));
        }
        Ok(token.into())
    }
}

/// The time at which a JSON Web Token expires; `None` if the text is not one.
fn expiry(token: &str) -> Option<Timestamp> {
    let mut parts = token.split('.');
    let (header, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let is_base64 = |part: &str| BASE64_URL.decode(part).is_ok();
    if parts.next().is_some() || !is_base64(header) || !is_base64(signature) {
        return None;
    }
    let claims: Claims = serde_json::from_slice(&BASE64_URL.decode(claims).ok()?).ok()?;
    // A conversion to an integer saturates, so that no number of the file can overflow.
    Timestamp::from_unix_millis((claims.exp * 1000.0) as i64)
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command, time::Duration};

    use secrecy::ExposeSecret as _;

    use super::*;

    const NOW: i64 = 1_795_172_640_000;

    fn now() -> Timestamp {
        Timestamp::from_unix_millis(NOW).unwrap()
    }

    fn jwt(claims: &str) -> String {
        let part = |text: &str| BASE64_URL.encode(text).trim_end_matches('=').to_owned();
        format!("{}.{}.{}", part(r#"{"alg":"RS256"}"#), part(claims), part("signature"))
    }

    fn file(name: &str, text: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("token-file-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(name);
        // Writing to a pipe of a former process with this id would wait for a reader.
        let _ = fs::remove_file(&path);
        fs::write(&path, text).unwrap();
        path
    }

    fn provider(path: &Path) -> TokenFile {
        TokenFile { path: path.to_owned() }
    }

    fn message(path: &Path) -> String {
        provider(path).token(now()).unwrap_err().to_string()
    }

    #[test]
    fn file_is_read_again_for_each_request() {
        let path = file("renewed", "");
        let provider = provider(&path);
        for claims in [r#"{"sub":"bridge","exp":1795172641}"#, r#"{"exp":1.8e9,"sub":"bridge","aud":["kafka"]}"#] {
            fs::write(&path, format!("{}\n", jwt(claims))).unwrap();
            assert_eq!(provider.token(now()).unwrap().expose_secret(), jwt(claims));
        }
    }

    #[test]
    fn text_that_is_not_a_token_is_rejected_and_not_repeated() {
        let wrong = [
            "",
            "secret",
            "secret.secret",
            "!.!.!",
            &jwt("secret"),
            &jwt("[]"),
            &jwt(r#"{"sub":"secret"}"#),
            &jwt(r#"{"exp":1795172700}"#),
            &jwt(r#"{"sub":"secret","exp":"1795172700"}"#),
            &jwt(r#"{"sub":"secret","exp":1e300}"#),
            &format!("{}.secret", jwt(r#"{"sub":"secret","exp":1795172700}"#)),
        ];
        for text in wrong {
            let problem = message(&file("wrong", text));
            assert!(problem.contains("has no JSON Web Token with the claims exp and sub"), "{text}: {problem}");
            assert!(!problem.contains("secret"), "{problem}");
        }
    }

    #[test]
    fn expired_token_is_rejected_with_its_time() {
        let path = file("expired", &jwt(r#"{"sub":"bridge","exp":1795172640}"#));
        assert!(
            message(&path).contains("expired at 2026-11-20T11:04:00.000Z; check the program"),
            "{}",
            message(&path)
        );
        let before = now().before(Duration::from_millis(1));
        assert!(provider(&path).token(before).is_ok(), "it is valid until then");
    }

    #[test]
    fn path_that_is_not_a_small_file_is_rejected_without_waiting() {
        assert!(message(Path::new("/nowhere/token")).contains("cannot be read (entity not found)"));
        assert!(message(&std::env::temp_dir()).contains("not a regular file"));
        let large = file("large", &"a".repeat(65_537));
        assert!(message(&large).contains("larger than 65536 bytes"));
        let pipe = file("pipe", "");
        fs::remove_file(&pipe).unwrap();
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(message(&pipe).contains("not a regular file"), "opening it would wait for a writer");
    }

    #[test]
    fn each_file_has_one_endpoint() {
        let [one, same, other] = ["/a", "/a", "/b"].map(|file| endpoint(Path::new(file)).unwrap());
        assert!(Arc::ptr_eq(&one, &same) && !Arc::ptr_eq(&one, &other));
    }
}
