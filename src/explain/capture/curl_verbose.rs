//! The output of `curl -v`: the lines of the request begin with `>`. It has no body.

use super::{
    captured::{Capture, CaptureError},
    raw_http,
};

/// Whether a line of the text is a request line as curl prints it.
pub(super) fn is_output(text: &[u8]) -> bool {
    request_lines(text).any(|line| line.windows(5).any(|window| window == b"HTTP/"))
}

/// The lines of the request, without their marks.
fn request_lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.filter_map(|line| line.strip_prefix(b"> ").or_else(|| line.strip_prefix(b">")))
}

pub(super) fn read(text: &[u8]) -> Result<Capture, CaptureError> {
    // If curl followed a redirect, the first request is the one that it was told to send.
    let head: Vec<_> = request_lines(text).take_while(|line| !line.is_empty()).collect();
    if head.is_empty() {
        return Err(CaptureError::Missing("line that begins with > and a request line"));
    }
    // The body is not part of the output, so the stated length is compared later.
    raw_http::read_head(&head.join(&b'\n'))
}
