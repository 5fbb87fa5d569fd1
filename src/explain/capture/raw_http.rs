//! A raw HTTP request, such as one from a proxy's log or a packet sniffer.

use twilio_signature::{RawRequest, parse_header, parse_request};

use super::captured::{Capture, CaptureError, excess_note};

const LENGTH: &[u8] = b"content-length:";

pub(super) fn read(text: &[u8]) -> Result<Capture, CaptureError> {
    let RawRequest { method, target, headers, body, excess } = parse_request(text)?;
    let notes = if excess > 0 { vec![excess_note(excess)] } else { Vec::new() };
    Ok(Capture { method, target, headers, body, notes })
}

/// Reads a request without its body, which may be missing or truncated. `Content-Length` is among the headers.
pub(super) fn read_head(text: &[u8]) -> Result<Capture, CaptureError> {
    // Empty lines before the request are skipped, as in a complete request.
    let lines =
        text.trim_ascii_start().split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    // With its length, a request without its body is truncated.
    let is_length = |line: &&&[u8]| line.get(..LENGTH.len()).is_some_and(|name| name.eq_ignore_ascii_case(LENGTH));
    let lengths: Vec<_> = head.iter().filter(is_length).copied().collect();
    let mut rest: Vec<_> = head.iter().filter(|line| !is_length(line)).copied().collect();
    rest.extend([&b""[..], b""]);
    let RawRequest { method, target, mut headers, .. } = parse_request(&rest.join(&b'\n'))?;
    headers.extend(lengths.into_iter().filter_map(parse_header));
    Ok(Capture { method, target, headers, ..Capture::default() })
}
