//! The base URL at which Twilio calls the service.

use std::fmt;

use thiserror::Error;

/// Why a public URL is invalid. The text says how to correct it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PublicUrlError {
    /// The URL begins neither with `https://` nor with `http://`.
    #[error("does not begin with https:// (or http://); write it as https://hooks.example.com")]
    Scheme,
    /// The host is missing or contains forbidden characters.
    #[error("has no valid host; write it as https://hooks.example.com")]
    Host,
    /// The URL contains `user:password@` before the host.
    #[error("contains a user name or an '@'; write only scheme, host, port and path")]
    UserInfo,
    /// The port is not between 1 and 65535.
    #[error("has an invalid port; write a number from 1 to 65535 after the host, or omit the port")]
    Port,
    /// The URL has a query or a fragment.
    #[error("has a query or fragment; remove everything from the '?' or '#' on")]
    Query,
    /// The path contains spaces, empty segments or dot segments.
    #[error("has a path that is not a plain prefix; write it as https://hooks.example.com/prefix")]
    Path,
}

/// A base URL as configured: scheme, host, optional port and path prefix.
///
/// The text is kept exactly as written, because Twilio signs the URL exactly as it is configured at Twilio. A URL parser
/// would convert the host to lower case, drop default ports and re-encode the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    configured: String,
    bases: Vec<String>,
    prefix: String,
}

impl PublicUrl {
    /// Parses a base URL such as `https://hooks.example.com:8443/twilio`. Drops a trailing slash.
    ///
    /// # Errors
    /// [`PublicUrlError`] when the URL is invalid.
    pub fn parse(text: &str) -> Result<Self, PublicUrlError> {
        let (scheme, rest, default_port) = split_scheme(text)?;
        if rest.contains(['?', '#']) {
            return Err(PublicUrlError::Query);
        }
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        let (host, port) = split_authority(authority)?;
        let prefix = path.strip_suffix('/').unwrap_or(path);
        check_prefix(prefix)?;
        Ok(Self {
            configured: format!("{scheme}://{authority}{prefix}"),
            bases: port_spellings(port, default_port)
                .iter()
                .map(|port| format!("{scheme}://{host}{port}{prefix}"))
                .collect(),
            prefix: prefix.to_owned(),
        })
    }

    /// The URL as configured, without a trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.configured
    }

    /// The path before the routes. It is empty, or begins but does not end with `/`.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The spellings of the URL: with the configured port, without a port and with the default port. Each is listed once,
    /// the configured one first.
    ///
    /// Twilio is inconsistent about the port that it signs, and its own libraries try these spellings, too.
    #[must_use]
    pub fn bases(&self) -> &[String] {
        &self.bases
    }

    /// Number of [`bases`](Self::bases): 2 or 3.
    #[must_use]
    pub fn port_spellings(&self) -> usize {
        self.bases.len()
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.configured)
    }
}

fn split_scheme(text: &str) -> Result<(&'static str, &str, u16), PublicUrlError> {
    [("https", "https://", 443), ("http", "http://", 80)]
        .into_iter()
        .find_map(|(scheme, start, port)| text.strip_prefix(start).map(|rest| (scheme, rest, port)))
        .ok_or(PublicUrlError::Scheme)
}

fn split_authority(authority: &str) -> Result<(&str, Option<u16>), PublicUrlError> {
    if authority.contains('@') {
        return Err(PublicUrlError::UserInfo);
    }
    let (host, port) = match authority.rsplit_once(':') {
        // A colon inside the brackets of an IPv6 address does not begin a port.
        Some((host, port)) if !port.contains(']') => (host, Some(parse_port(port)?)),
        _ => (authority, None),
    };
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || r#"\"'<>{}|^`,;%"#.contains(c);
    if host.is_empty() || host.contains(forbidden) || (host.contains(':') && !bracketed) {
        return Err(PublicUrlError::Host);
    }
    Ok((host, port))
}

fn parse_port(text: &str) -> Result<u16, PublicUrlError> {
    match text.parse() {
        Ok(port) if port > 0 && text.bytes().all(|b| b.is_ascii_digit()) => Ok(port),
        _ => Err(PublicUrlError::Port),
    }
}

fn check_prefix(prefix: &str) -> Result<(), PublicUrlError> {
    let plain = |segment: &str| {
        !matches!(segment, "" | "." | "..") && segment.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
    };
    match prefix.strip_prefix('/') {
        None => Ok(()),
        Some(path) if path.split('/').all(plain) => Ok(()),
        Some(_) => Err(PublicUrlError::Path),
    }
}

fn port_spellings(configured: Option<u16>, default: u16) -> Vec<String> {
    let with = |port: u16| format!(":{port}");
    match configured {
        None => vec![String::new(), with(default)],
        Some(port) if port == default => vec![with(port), String::new()],
        Some(port) => vec![with(port), String::new(), with(default)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_port_spelling_is_listed_once_with_the_configured_one_first() {
        let bases = |text| PublicUrl::parse(text).unwrap().bases().join(" ");
        assert_eq!(bases("https://a.example"), "https://a.example https://a.example:443");
        assert_eq!(bases("https://a.example:443/x"), "https://a.example:443/x https://a.example/x");
        assert_eq!(bases("http://a.example:8080"), "http://a.example:8080 http://a.example http://a.example:80");
        assert_eq!(bases("https://[::1]:8443"), "https://[::1]:8443 https://[::1] https://[::1]:443");
        assert_eq!(bases("https://[2001:db8::1]/"), "https://[2001:db8::1] https://[2001:db8::1]:443");
    }

    #[test]
    fn text_is_kept_as_written_except_for_a_trailing_slash() {
        let url = PublicUrl::parse("https://Hooks.Example.com/Twilio%20In/").unwrap();
        assert_eq!(url.as_str(), "https://Hooks.Example.com/Twilio%20In");
        assert_eq!(url.prefix(), "/Twilio%20In");
    }

    #[test]
    fn error_names_the_invalid_part() {
        use PublicUrlError::*;
        for (text, error) in [
            ("hooks.example.com", Scheme),
            ("HTTPS://hooks.example.com", Scheme),
            ("https://", Host),
            ("https://a b", Host),
            ("https://::1", Host),
            ("https://user:pw@hooks.example.com", UserInfo),
            ("https://hooks.example.com:", Port),
            ("https://hooks.example.com:0", Port),
            ("https://hooks.example.com:+1", Port),
            ("https://hooks.example.com:65536", Port),
            ("https://hooks.example.com/?a=b", Query),
            ("https://hooks.example.com/#x", Query),
            ("https://hooks.example.com//", Path),
            ("https://hooks.example.com/a/../b", Path),
            ("https://hooks.example.com/a b", Path),
        ] {
            assert_eq!(PublicUrl::parse(text), Err(error), "{text}");
        }
    }
}
