//! The names of hosts that are allowed in addition to those that are always safe.

use std::str::FromStr;

use thiserror::Error;

/// The longest host name of the DNS.
const MAX_BYTES: usize = 253;

/// A host name under which the simulator may be addressed, in lower case. It must not be a name that others can point at
/// the simulator, because pages of that name in a browser can control the simulator then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedHost(String);

/// The text is not a host name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("write a host name without scheme and port, such as simulator.example.com")]
pub struct AllowedHostError;

impl AllowedHost {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AllowedHost {
    type Err = AllowedHostError;

    fn from_str(text: &str) -> Result<Self, AllowedHostError> {
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
    fn allowed_host_is_a_name_without_scheme_and_port() {
        assert_eq!("Hub.Example.com".parse::<AllowedHost>().map(|host| host.0), Ok("hub.example.com".to_owned()));
        let long = format!("{}.com", "a".repeat(250));
        for wrong in ["", "*", "*.example.com", "http://hub", "hub:8090", "hub.", ".hub", "a..b", "a b", "[::1]", &long]
        {
            assert_eq!(wrong.parse::<AllowedHost>(), Err(AllowedHostError), "{wrong}");
        }
    }
}
