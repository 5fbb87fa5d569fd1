//! The output of `curl -v`: the lines of the request begin with `>`. It has no body.

use twilio_signature::parse_request;

use super::captured::{Capture, CaptureError};

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
    let mut head = head.join(&b'\n');
    // The body is not part of the output, so the stated length is compared later.
    head.extend(b"\n\n");
    let stated = head.to_ascii_lowercase();
    let request = parse_request(&without_length(&head))?;
    let mut headers = request.headers;
    if let Some(length) = stated_length(&stated) {
        headers.push("content-length", length);
    }
    Ok(Capture { method: request.method, target: request.target, headers, ..Capture::default() })
}

const LENGTH: &[u8] = b"content-length:";

fn without_length(head: &[u8]) -> Vec<u8> {
    let is_length = |line: &&[u8]| line.to_ascii_lowercase().starts_with(LENGTH);
    head.split(|byte| *byte == b'\n').filter(|line| !is_length(line)).collect::<Vec<_>>().join(&b'\n')
}

fn stated_length(lower_case_head: &[u8]) -> Option<&[u8]> {
    let mut lines = lower_case_head.split(|byte| *byte == b'\n');
    lines.find_map(|line| line.strip_prefix(LENGTH)).map(<[u8]>::trim_ascii)
}
