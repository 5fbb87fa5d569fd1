//! The headers of a request.

use std::fmt;

/// Typical total size of the headers of a request behind a proxy, in bytes.
const TYPICAL_BYTES: usize = 1_024;
/// Typical number of headers.
const TYPICAL_COUNT: usize = 24;

/// Headers in the order received, with names in lower case. They share one buffer, since a request has a dozen headers and
/// few of them are ever read.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers {
    /// All names and values, each name followed by its value.
    bytes: Vec<u8>,
    /// The end of each name and of its value in `bytes`.
    ends: Vec<(usize, usize)>,
}

impl Headers {
    /// Appends a header.
    pub fn push(&mut self, name: &str, value: &[u8]) {
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(name.as_bytes());
        // Faster than to convert each byte as it is copied.
        if let Some(name) = self.bytes.get_mut(begin..) {
            name.make_ascii_lowercase();
        }
        let end_of_name = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.ends.push((end_of_name, self.bytes.len()));
    }

    /// The values of all headers with this name, which must be in lower case.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.pairs().filter(move |(candidate, _)| *candidate == name.as_bytes()).map(|(_, value)| value)
    }

    /// All names and values, in the order received.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.pairs().map(|(name, value)| (std::str::from_utf8(name).unwrap_or_default(), value))
    }

    /// Total size of the names and values in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let begins = std::iter::once(0).chain(self.ends.iter().map(|(_, end)| *end));
        begins.zip(&self.ends).map(|(begin, &(middle, end))| {
            let part = |range| self.bytes.get::<std::ops::Range<usize>>(range).unwrap_or_default();
            (part(begin..middle), part(middle..end))
        })
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> Extend<(N, V)> for Headers {
    fn extend<I: IntoIterator<Item = (N, V)>>(&mut self, headers: I) {
        headers.into_iter().for_each(|(name, value)| self.push(name.as_ref(), value.as_ref()));
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(headers: I) -> Self {
        let mut all = Self { bytes: Vec::with_capacity(TYPICAL_BYTES), ends: Vec::with_capacity(TYPICAL_COUNT) };
        all.extend(headers);
        all
    }
}

/// Prints only the names, since values may be credentials.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_keep_their_order_and_are_found_by_name() {
        let mut headers: Headers = [("host", "h"), ("a", ""), ("ab", "c")].into_iter().collect();
        headers.push("A", b"\xff");
        let all: [(&str, &[u8]); 4] = [("host", b"h"), ("a", b""), ("ab", b"c"), ("a", b"\xff")];
        assert_eq!(headers.iter().collect::<Vec<_>>(), all);
        assert_eq!(headers.values("a").collect::<Vec<_>>(), [&b""[..], b"\xff"]);
        assert_eq!(headers.values("abc").count() + headers.values("").count(), 0);
        assert_eq!(headers.bytes(), "hosthaabcaX".len());
    }

    #[test]
    fn debug_output_hides_the_values() {
        let headers: Headers = [("authorization", "Basic c2VjcmV0")].into_iter().collect();
        assert_eq!(format!("{headers:?}"), r#"["authorization"]"#);
    }
}
