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
    /// The user name and the password contain forbidden characters, or one of them is missing.
    #[error("has no valid user name and password before its '@'; write it as https://user:password@hooks.example.com")]
    Credentials,
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
///
/// It may have a user name and a password. `Debug`, `Display` and [`as_str`](Self::as_str) hide them.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicUrl {
    /// Without the user name and the password.
    configured: String,
    bases: Vec<String>,
    prefix: String,
    /// `user:password`.
    credentials: Option<String>,
}

impl PublicUrl {
    /// Parses a base URL such as `https://hooks.example.com:8443/twilio`. Drops a trailing slash.
    ///
    /// # Errors
    /// [`PublicUrlError`] when the URL is invalid, or has a user name.
    pub fn parse(text: &str) -> Result<Self, PublicUrlError> {
        let url = Self::parse_with_credentials(text)?;
        if url.credentials.is_some() { Err(PublicUrlError::UserInfo) } else { Ok(url) }
    }

    /// Like [`parse`](Self::parse), but accepts `https://user:password@hooks.example.com`. The caller sends the user name and
    /// the password in a header. Whether the signed URL has them is not documented, so both spellings are candidates.
    ///
    /// # Errors
    /// [`PublicUrlError`] when the URL is invalid.
    pub fn parse_with_credentials(text: &str) -> Result<Self, PublicUrlError> {
        let (scheme, rest, default_port) = split_scheme(text)?;
        if rest.contains(['?', '#']) {
            return Err(PublicUrlError::Query);
        }
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        let (credentials, authority) = split_credentials(authority)?;
        let (host, port) = split_authority(authority)?;
        let prefix = path.strip_suffix('/').unwrap_or(path);
        check_prefix(prefix)?;
        let users = credentials.map(|credentials| format!("{credentials}@")).into_iter().chain([String::new()]);
        let ports = port_spellings(port, default_port);
        let bases =
            users.flat_map(|user| ports.iter().map(move |port| format!("{scheme}://{user}{host}{port}{prefix}")));
        Ok(Self {
            configured: format!("{scheme}://{authority}{prefix}"),
            bases: bases.collect(),
            prefix: prefix.to_owned(),
            credentials: credentials.map(str::to_owned),
        })
    }

    /// The URL as configured, without a user name and a password, and without a trailing slash.
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
    /// Twilio is inconsistent about the port that it signs, and its own libraries try these spellings, too. If the URL has a
    /// user name and a password, they are in the first half of the list, so never show it.
    #[must_use]
    pub fn bases(&self) -> &[String] {
        &self.bases
    }

    /// Number of [`bases`](Self::bases): 2 or 3, and twice as many with a user name and a password.
    #[must_use]
    pub fn port_spellings(&self) -> usize {
        self.bases.len()
    }

    /// `user:password`, as in the URL.
    pub(crate) fn credentials(&self) -> Option<&str> {
        self.credentials.as_deref()
    }

    /// The bases with the configured port: with the user name and the password, and without.
    pub(crate) fn configured_bases(&self) -> impl Iterator<Item = &str> {
        let users = if self.credentials.is_some() { 2 } else { 1 };
        self.bases.chunks(self.bases.len().div_ceil(users).max(1)).filter_map(|ports| ports.first()).map(String::as_str)
    }
}

/// A URL with `[redacted]` for its user name and password.
pub(crate) fn redact_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest.split_at_checked(end).and_then(|(authority, path)| Some((authority.rsplit_once('@')?.1, path))) {
        Some((host, path)) => format!("{scheme}://[redacted]@{host}{path}"),
        None => url.to_owned(),
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.credentials.is_some(), self.configured.split_once("://")) {
            (true, Some((scheme, rest))) => write!(f, "{scheme}://[redacted]@{rest}"),
            _ => f.write_str(&self.configured),
        }
    }
}

impl fmt::Debug for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicUrl({self})")
    }
}

fn split_scheme(text: &str) -> Result<(&'static str, &str, u16), PublicUrlError> {
    [("https", "https://", 443), ("http", "http://", 80)]
        .into_iter()
        .find_map(|(scheme, start, port)| text.strip_prefix(start).map(|rest| (scheme, rest, port)))
        .ok_or(PublicUrlError::Scheme)
}

/// Splits `user:password@` off.
fn split_credentials(authority: &str) -> Result<(Option<&str>, &str), PublicUrlError> {
    let Some((credentials, host)) = authority.rsplit_once('@') else { return Ok((None, authority)) };
    let (user, password) = credentials.split_once(':').ok_or(PublicUrlError::Credentials)?;
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && !b"@,\"\\<>".contains(&byte));
    if user.is_empty() || password.is_empty() || !is_plain(credentials) {
        return Err(PublicUrlError::Credentials);
    }
    Ok((Some(credentials), host))
}

fn split_authority(authority: &str) -> Result<(&str, Option<u16>), PublicUrlError> {
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
    fn credentials_are_candidates_and_are_never_shown() {
        let url = PublicUrl::parse_with_credentials("https://user:s3cret@a.example:8443/x").unwrap();
        assert_eq!(url.bases()[0], "https://user:s3cret@a.example:8443/x");
        assert_eq!(url.bases()[3], "https://a.example:8443/x");
        assert_eq!((url.port_spellings(), url.prefix()), (6, "/x"));
        assert_eq!(url.configured_bases().collect::<Vec<_>>(), [&url.bases()[0], &url.bases()[3]]);
        let shown = [url.to_string(), format!("{url:?}"), url.as_str().to_owned(), redact_credentials(&url.bases()[0])];
        assert_eq!(shown[0], "https://[redacted]@a.example:8443/x");
        assert_eq!(shown[1], "PublicUrl(https://[redacted]@a.example:8443/x)");
        assert!(shown.iter().all(|text| !text.contains("s3cret") && !text.contains("user")), "{shown:?}");
        assert_eq!(redact_credentials("https://a.example/x@y"), "https://a.example/x@y");
        for wrong in
            ["https://@a", "https://user@a", "https://:b@a", "https://a:@a", "https://a:b@c@d", "https://a:b c@d"]
        {
            assert_eq!(PublicUrl::parse_with_credentials(wrong), Err(PublicUrlError::Credentials), "{wrong}");
        }
        assert_eq!(PublicUrl::parse_with_credentials("https://a:b@"), Err(PublicUrlError::Host));
        let plain = PublicUrl::parse("https://a.example").unwrap();
        assert_eq!(plain.configured_bases().collect::<Vec<_>>(), ["https://a.example"]);
    }

    #[test]
    fn error_names_the_invalid_part() {
        use PublicUrlError::*;
        for (text, error) in [
            ("hooks.example.com", Scheme),
            ("HTTPS://hooks.example.com", Scheme),
            ("https://", Host),
            ("https://a b", Host),
            ("https://a<b", Host),
            ("https://a\u{7}b", Host),
            ("https://::1", Host),
            ("https://[::1", Host),
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
