//! Describes a near miss to the operator.

use std::{borrow::Cow, fmt};

/// The part in which a request differs from the one that was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NearMissKind {
    /// `http` instead of `https`, or the reverse.
    Scheme,
    /// Another port.
    Port,
    /// Another host, or another spelling of the host.
    Host,
    /// Another path before the route.
    Prefix,
    /// A slash at the end of the path.
    TrailingSlash,
    /// Another spelling of the path: doubled or trailing slashes, or upper case.
    PathSpelling,
    /// A doubled slash within the path, which proxies merge.
    Slashes,
    /// Another letter case of the path.
    LetterCase,
    /// A user name and a password in the URL.
    Credentials,
    /// Another query, or another encoding of the query.
    Query,
    /// Another body, other fields, or another encoding of the fields.
    Body,
    /// Another SharedKey than the request names.
    Key,
    /// Another algorithm than the request names, or than its SharedKey is bound to.
    Algorithm,
    /// A SharedKey that the request does not name, or an auth token although it names a SharedKey.
    SettingsHeader,
}

impl NearMissKind {
    /// A stable name in `snake_case`, such as `trailing_slash`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheme => "scheme",
            Self::Port => "port",
            Self::Host => "host",
            Self::Prefix => "prefix",
            Self::TrailingSlash => "trailing_slash",
            Self::PathSpelling => "path_spelling",
            Self::Slashes => "slashes",
            Self::LetterCase => "letter_case",
            Self::Credentials => "credentials",
            Self::Query => "query",
            Self::Body => "body",
            Self::Key => "key",
            Self::Algorithm => "algorithm",
            Self::SettingsHeader => "settings_header",
        }
    }
}

impl fmt::Display for NearMissKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One difference. Its text describes what was signed and contains neither field values nor query values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) kind: NearMissKind,
    pub(super) text: Cow<'static, str>,
    /// What to change, unless that follows from the kind.
    pub(super) remedy: Option<&'static str>,
}

impl Difference {
    pub(super) fn new(kind: NearMissKind, text: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, text: text.into(), remedy: None }
    }
}

/// The request that the signature would match, described by its differences from the received request.
///
/// Suitable for the log: its text contains no token, no field and no query value.
/// The text calls the configured public URL `PUBLIC_URL`, the usual name of such a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    pub(super) kind: NearMissKind,
    /// The signed URL without its query.
    pub(super) url: String,
    pub(super) has_query: bool,
    pub(super) texts: Vec<Cow<'static, str>>,
    /// The public URL under which the request would have been accepted.
    pub(super) public_url: Option<String>,
    /// What to change, if a difference says so.
    pub(super) specific_remedy: Option<&'static str>,
}

impl NearMiss {
    /// The kind of the first difference.
    #[must_use]
    pub fn kind(&self) -> NearMissKind {
        self.kind
    }

    /// Whether the signed URL differs from the configured one.
    #[must_use]
    pub fn is_url(&self) -> bool {
        use NearMissKind::{Algorithm, Body, Key, SettingsHeader};
        !matches!(self.kind, Body | Key | Algorithm | SettingsHeader)
    }

    /// Tells the operator what to change.
    #[must_use]
    pub fn remedy(&self) -> String {
        if let Some(remedy) = self.specific_remedy {
            return remedy.to_owned();
        }
        match (&self.public_url, self.kind) {
            (None, NearMissKind::Credentials) => "write the user name and the password into PUBLIC_URL as well, as in \
                 https://user:password@hooks.example.com, or remove them from the callback URL at Twilio"
                .to_owned(),
            (Some(url), _) => format!("set PUBLIC_URL={url}, or correct the callback URL at Twilio"),
            (None, NearMissKind::PathSpelling) => {
                "configure the proxy in front of this service to forward the path unchanged".to_owned()
            }
            (None, NearMissKind::Query) => {
                "configure the proxy in front of this service to forward the query unchanged".to_owned()
            }
            (None, NearMissKind::Body) => {
                "configure the proxy in front of this service to forward the body unchanged".to_owned()
            }
            (None, _) => "correct the callback URL at Twilio".to_owned(),
        }
    }
}

impl fmt::Display for NearMiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let query = if self.has_query { "?…" } else { "" };
        write!(f, "signature would match {}{query}: {}; {}", self.url, self.texts.join(" and "), self.remedy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_kinds_are_stable_and_displayed() {
        use NearMissKind::*;
        for (kind, name) in [
            (Scheme, "scheme"),
            (Port, "port"),
            (Host, "host"),
            (Prefix, "prefix"),
            (TrailingSlash, "trailing_slash"),
            (PathSpelling, "path_spelling"),
            (Slashes, "slashes"),
            (LetterCase, "letter_case"),
            (Credentials, "credentials"),
            (Query, "query"),
            (Body, "body"),
            (Key, "key"),
            (Algorithm, "algorithm"),
            (SettingsHeader, "settings_header"),
        ] {
            assert_eq!((kind.as_str(), kind.to_string().as_str()), (name, name));
        }
    }
}
