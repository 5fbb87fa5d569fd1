//! Where Trust Hub's REST API is.

use std::net::IpAddr;

use serde::Deserialize;

use super::{Row, catalogue::TRUSTHUB_BASE_URL, validate::Reader};
use crate::domain::{PublicUrl, PublicUrlError};

/// Trust Hub's REST API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustHub {
    /// Scheme, host, optional port and path prefix, without a slash at the end; the version and the rest of the path
    /// follow it.
    pub base_url: String,
}

#[derive(Deserialize)]
pub(super) struct TrustHubSection {
    base_url: Option<String>,
}

impl TrustHubSection {
    pub(super) fn read(self, reader: &mut Reader) -> Option<TrustHub> {
        let text = reader.text(&TRUSTHUB_BASE_URL, self.base_url)?;
        // The same parts may stand in it as in the public URL.
        match PublicUrl::parse(&text) {
            Ok(url) => Some(TrustHub { base_url: url.as_str().to_owned() }),
            Err(error) => {
                reader.report(&TRUSTHUB_BASE_URL, wrong(error));
                None
            }
        }
    }
}

fn wrong(error: PublicUrlError) -> &'static str {
    match error {
        PublicUrlError::Scheme => {
            "does not begin with https:// (or http:// for a simulator); write https://trusthub.twilio.com"
        }
        PublicUrlError::Host => "has no valid host; write https://trusthub.twilio.com",
        PublicUrlError::UserInfo => {
            "contains a user name or an '@'; write credentials to TWILIO_AUTH_TOKEN or TWILIO_ACCOUNTS_FILE, and only \
             scheme, host, port and path here"
        }
        PublicUrlError::Port => "has no valid port; write a number from 1 to 65535 after the host, or leave it away",
        PublicUrlError::Query => "has a query or fragment; remove everything from the '?' or '#' on",
        PublicUrlError::Path => "has a path that is not a plain prefix; write https://trusthub.twilio.com",
    }
}

impl TrustHub {
    /// Credentials go with every request, and plain HTTP shows them to everybody on the way.
    pub(super) fn warning(&self) -> Option<String> {
        let authority = self.base_url.strip_prefix("http://")?.split('/').next()?;
        (!is_loopback(authority)).then(|| {
            let name = TRUSTHUB_BASE_URL.name;
            format!("{name} is not https; credentials can be read on the way, so use it with a simulator only")
        })
    }

    pub(super) fn describe(&self) -> Vec<Row> {
        vec![(TRUSTHUB_BASE_URL.name, self.base_url.clone())]
    }
}

fn is_loopback(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        _ => authority,
    };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}
