//! Parses a captured raw HTTP request, such as the one that a proxy or a packet sniffer has recorded.

use thiserror::Error;

use crate::Headers;

/// The parts of an HTTP request, not interpreted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRequest {
    /// The method.
    pub method: String,
    /// The request target: path and query, or an absolute URL.
    pub target: String,
    /// The headers, with names in lower case.
    pub headers: Headers,
    /// Everything after the headers, or as much as `Content-Length` says.
    pub body: Vec<u8>,
    /// Number of bytes after the body, which `Content-Length` excludes.
    pub excess: usize,
}

/// Why a text cannot be parsed as an HTTP request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RequestError {
    /// The text is empty.
    #[error("is empty; pass a request line, headers, an empty line and the body")]
    Empty,
    /// The first line does not consist of method, target and version.
    #[error("does not begin with a request line; write it as POST /callbacks/customer-profiles HTTP/1.1")]
    RequestLine,
    /// A header line has no name or no colon.
    #[error("has no header in line {0}; write it as Name: value, and put an empty line before the body")]
    Header(usize),
    /// The body has chunked transfer encoding.
    #[error("has a chunked body, which is not what was signed; pass the decoded body, without Transfer-Encoding")]
    Chunked,
    /// The body is shorter than `Content-Length`.
    #[error("is truncated: the body has {actual} bytes, but Content-Length says {stated}")]
    Truncated {
        /// The value of `Content-Length`.
        stated: usize,
        /// The actual length.
        actual: usize,
    },
}

/// Parses a raw request. Lines may end with LF or CRLF.
///
/// ```
/// let request = twilio_signature::parse_request(b"POST /myapp.php?foo=1 HTTP/1.1\nHost: mycompany.com\n\nDigits=1234")?;
/// assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/myapp.php?foo=1"));
/// assert_eq!(request.headers.values("host").next(), Some(b"mycompany.com".as_slice()));
/// assert_eq!(request.body, b"Digits=1234");
/// # Ok::<(), twilio_signature::RequestError>(())
/// ```
///
/// # Errors
/// [`RequestError`], whose text names the problem and never repeats the request.
pub fn parse_request(bytes: &[u8]) -> Result<RawRequest, RequestError> {
    let mut rest = bytes;
    let mut line = next_line(&mut rest);
    while line == Some(b"") {
        line = next_line(&mut rest);
    }
    let (method, target) = request_line(line.ok_or(RequestError::Empty)?).ok_or(RequestError::RequestLine)?;
    let mut headers = Headers::default();
    for number in 2.. {
        match next_line(&mut rest) {
            None | Some(b"") => break,
            Some(line) => headers.extend([parse_header(line).ok_or(RequestError::Header(number))?]),
        }
    }
    let body = body(rest, &headers)?.to_vec();
    let excess = rest.len().saturating_sub(body.len());
    Ok(RawRequest { method, target, headers, body, excess })
}

/// Splits off the next line, without its line ending; `None` at the end.
fn next_line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    if rest.is_empty() {
        return None;
    }
    let mut halves = rest.splitn(2, |b| *b == b'\n');
    let line = halves.next().unwrap_or_default();
    *rest = halves.next().unwrap_or_default();
    Some(line.strip_suffix(b"\r").unwrap_or(line))
}

fn request_line(line: &[u8]) -> Option<(String, String)> {
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split(' ').filter(|word| !word.is_empty());
    let (method, target) = (words.next()?, words.next()?);
    let version = words.next().is_none_or(|version| version.starts_with("HTTP/"));
    let plain = method.bytes().all(|b| b.is_ascii_alphabetic()) && (target.starts_with('/') || target.contains("://"));
    (version && plain && words.next().is_none()).then(|| (method.to_owned(), target.to_owned()))
}

/// Parses a header line, `Name: value`; `None` when it has no colon, or a name that is not plain ASCII.
#[must_use]
pub fn parse_header(line: &[u8]) -> Option<(&str, &[u8])> {
    let mut halves = line.splitn(2, |b| *b == b':');
    let name = std::str::from_utf8(halves.next()?).ok()?;
    let value = halves.next()?.trim_ascii();
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic());
    plain.then_some((name, value))
}

fn body<'a>(rest: &'a [u8], headers: &Headers) -> Result<&'a [u8], RequestError> {
    let text = |name: &str| std::str::from_utf8(headers.values(name).next()?).ok();
    if text("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        return Err(RequestError::Chunked);
    }
    match text("content-length").and_then(|length| length.parse().ok()) {
        None => Ok(rest),
        // An editor may have added a line ending that the request did not have.
        Some(stated) => rest.get(..stated).ok_or(RequestError::Truncated { stated, actual: rest.len() }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn request_is_parsed_with_either_line_end_and_keeps_its_body() {
        for end in ["\n", "\r\n"] {
            let text = ["", "POST /x?a=%20 HTTP/1.1", "HOST:  h ", "X-A: b:c", "", "a=1\r\n\nb"].join(end);
            let request = parse_request(text.as_bytes()).unwrap();
            assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/x?a=%20"));
            assert_eq!(request.headers.iter().collect::<Vec<_>>(), [("host", b"h".as_slice()), ("x-a", b"b:c")]);
            assert_eq!(request.body, b"a=1\r\n\nb");
        }
    }

    #[test]
    fn content_length_limits_the_body() {
        let read = |text: &str| parse_request(text.as_bytes()).map(|request| request.body);
        assert_eq!(read("POST / HTTP/1.1\nContent-Length: 3\n\na=1\n"), Ok(b"a=1".to_vec()));
        let excess = |text: &str| parse_request(text.as_bytes()).unwrap().excess;
        assert_eq!(excess("POST / HTTP/1.1\nContent-Length: 3\n\na=1\r\n"), 2);
        assert_eq!(excess("POST / HTTP/1.1\n\na=1\n"), 0);
        let truncated = RequestError::Truncated { stated: 9, actual: 3 };
        assert_eq!(read("POST / HTTP/1.1\nContent-Length: 9\n\na=1"), Err(truncated));
        assert_eq!(read("GET /"), Ok(vec![]));
    }

    #[test]
    fn error_names_the_broken_part() {
        let broken = |text: &str| parse_request(text.as_bytes()).unwrap_err();
        assert_eq!(broken("\n\r\n"), RequestError::Empty);
        for text in ["Status=draft", "POST x HTTP/1.1", "POST / HTTP/1.1 x", "POST / FTP", "{ /"] {
            assert_eq!(broken(text), RequestError::RequestLine, "{text}");
        }
        assert_eq!(broken("POST / HTTP/1.1\nA: b\nno header"), RequestError::Header(3));
        for line in [": no name", "a name with spaces: b"] {
            assert_eq!(broken(&format!("POST / HTTP/1.1\n{line}")), RequestError::Header(2), "{line}");
        }
        assert_eq!(broken("POST / HTTP/1.1\nTransfer-Encoding: Chunked\n\n0"), RequestError::Chunked);
    }

    proptest! {
        #[test]
        fn parsing_does_not_panic_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_request(&bytes);
            let _ = parse_request(&[b"POST / HTTP/1.1\n".as_slice(), &bytes].concat());
        }
    }
}
