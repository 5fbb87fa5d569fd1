//! The names of hosts that are allowed in addition to those that are always safe.

use std::{
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use thiserror::Error;

/// The longest host name of the DNS.
const MAX_BYTES: usize = 253;

/// A host name or an address under which the simulator may be addressed, in lower case. It must not be a name that others can point at
/// the simulator, because pages of that name in a browser can control the simulator then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedHost(String);

/// The text is neither a host name nor an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("write a host name or an address without scheme and port, such as simulator.example.com or [2001:db8::1]")]
pub struct AllowedHostError;

impl AllowedHost {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the address; `None` if this is a name.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.0.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }
}

impl FromStr for AllowedHost {
    type Err = AllowedHostError;

    fn from_str(text: &str) -> Result<Self, AllowedHostError> {
        if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            // An address has many spellings; this is the shortest.
            return address
                .parse::<Ipv6Addr>()
                .map(|address| Self(format!("[{address}]")))
                .map_err(|_| AllowedHostError);
        }
        let is_label = |label: &str| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        let is_name = text.len() <= MAX_BYTES && text.split('.').all(is_label);
        if is_name { Ok(Self(text.to_ascii_lowercase())) } else { Err(AllowedHostError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_host_is_a_name_or_an_address_without_scheme_and_port() {
        assert_eq!("Hub.Example.com".parse::<AllowedHost>().map(|host| host.0), Ok("hub.example.com".to_owned()));
        assert_eq!("[2001:DB8:0::1]".parse::<AllowedHost>().map(|host| host.0), Ok("[2001:db8::1]".to_owned()));
        let long = format!("{}.com", "a".repeat(250));
        for wrong in [
            "",
            "*",
            "*.example.com",
            "http://hub",
            "hub:8090",
            "hub.",
            ".hub",
            "a..b",
            "a b",
            "[::1",
            "[hub]",
            "::1",
            &long,
        ] {
            assert_eq!(wrong.parse::<AllowedHost>(), Err(AllowedHostError), "{wrong}");
        }
    }
}
