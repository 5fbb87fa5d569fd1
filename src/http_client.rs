//! HTTP clients for services that the process calls itself, with limits on time and size.
//!
//! | Call | Thread | Lock | Bound |
//! | --- | --- | --- | --- |
//! | send a request and read its response | none, asynchronous | none | the `timeout` of the client; the caller's `max_bytes` |

use std::time::Duration;

use reqwest::{Client, Response, redirect};
use rustls::crypto::ring;

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// How long the parts of a request may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HttpTimeouts {
    /// Until the connection is established.
    pub(crate) connect: Duration,
    /// Until the whole response was received.
    pub(crate) total: Duration,
}

/// Creates a client that follows no redirects. It opens no connection before the first request.
///
/// # Errors
/// When it needs certificate authorities, and the system has none.
pub(crate) fn create(is_encrypted: bool, timeouts: HttpTimeouts) -> Result<Client, reqwest::Error> {
    // The provider is process-wide; another part of the process may already have installed the same one.
    let _ = ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(timeouts.connect)
        .timeout(timeouts.total);
    let builder = if is_encrypted {
        builder.https_only(true)
    } else {
        // Plain HTTP needs no certificate authorities, and a proxy would see the credentials.
        builder.tls_certs_only([]).no_proxy()
    };
    builder.build()
}

/// Reads the body of a response; `None` if it is larger than `max_bytes`.
///
/// # Errors
/// When the response ends early, or takes too long.
pub(crate) async fn read(mut response: Response, max_bytes: usize) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > max_bytes {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}
