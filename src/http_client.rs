//! HTTP clients for services that the process calls itself, with limits on time and size.
//!
//! | Call | Thread | Lock | Bound |
//! | --- | --- | --- | --- |
//! | send a request and read its response | none, asynchronous | none | the `timeout` of the client; the caller's `max_bytes` |

use std::{error::Error as _, iter, time::Duration};

use reqwest::{Certificate, Client, Response, redirect};
use rustls::crypto::ring;

use crate::domain::USER_AGENT;

/// How long the parts of a request may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HttpTimeouts {
    /// Until the connection is established.
    pub(crate) connect: Duration,
    /// Until the whole response was received.
    pub(crate) total: Duration,
}

/// Which servers a client trusts.
#[derive(Debug)]
pub(crate) enum HttpTrust {
    /// All: the connections are not encrypted.
    Plain,
    /// Those with a certificate of an authority that the system trusts.
    System,
    /// Those with a certificate of one of these authorities.
    Only(Vec<Certificate>),
}

impl HttpTrust {
    /// That of the system, if connections are encrypted.
    pub(crate) fn of_system(is_encrypted: bool) -> Self {
        if is_encrypted { Self::System } else { Self::Plain }
    }
}

/// Creates a client that follows no redirects. It opens no connection before the first request.
///
/// # Errors
/// When it needs certificate authorities, and the system has none, or one of them is not valid.
pub(crate) fn create(trust: HttpTrust, timeouts: HttpTimeouts) -> Result<Client, reqwest::Error> {
    // The provider is process-wide; another part of the process may already have installed the same one.
    let _ = ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(timeouts.connect)
        .timeout(timeouts.total);
    let builder = match trust {
        HttpTrust::System => builder.https_only(true),
        HttpTrust::Only(authorities) => builder.https_only(true).tls_certs_only(authorities),
        // Plain HTTP needs no certificate authorities, and a proxy would see the credentials.
        HttpTrust::Plain => builder.tls_certs_only([]).no_proxy(),
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

/// The message of the innermost cause, without the URL. It says what is wrong; the others only say which step failed.
pub(crate) fn innermost(error: reqwest::Error) -> String {
    let error = error.without_url();
    let causes = iter::successors(error.source(), |cause| (*cause).source());
    causes.last().map_or_else(|| error.to_string(), ToString::to_string)
}
