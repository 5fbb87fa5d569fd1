//! The cause of a failure below HTTP.

use std::{error::Error, fmt, sync::Arc};

/// The cause of a failed connection or transfer. Its text is the innermost cause: the message of the operating system or
/// of TLS.
///
/// Two of them are equal if their texts are equal.
#[derive(Debug, Clone)]
pub struct TransportError(Arc<dyn Error + Send + Sync>);

impl TransportError {
    pub(crate) fn new(error: impl Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(error))
    }
}

impl From<reqwest::Error> for TransportError {
    /// The URL is omitted, because it may contain personal data.
    fn from(error: reqwest::Error) -> Self {
        Self::new(error.without_url())
    }
}

impl fmt::Display for TransportError {
    /// The outer errors add little to the innermost one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let causes = std::iter::successors(self.source(), |cause| (*cause).source());
        causes.last().map_or(Ok(()), |cause| write!(f, "{cause}"))
    }
}

impl Error for TransportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

impl PartialEq for TransportError {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for TransportError {}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn text_is_that_of_the_innermost_cause_and_all_causes_are_sources() {
        let inner = io::Error::new(io::ErrorKind::ConnectionReset, "reset by the peer");
        let error = TransportError::new(TransportError::new(inner));
        assert_eq!(error.to_string(), "reset by the peer");
        let causes: Vec<_> = std::iter::successors(error.source(), |cause| (*cause).source()).collect();
        assert!(causes.last().is_some_and(|cause| cause.is::<io::Error>()), "{causes:?}");
    }
}
