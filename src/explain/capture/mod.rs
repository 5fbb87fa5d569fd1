//! Captured requests in the formats of the tools that record them. Each format has a file of its own.

mod api_gateway_v1;
mod api_gateway_v2;
mod aws;
mod captured;
mod curl_command;
mod curl_verbose;
mod dead_letter;
mod format;
mod har;
mod json;
mod load_balancer;
mod percent;
mod raw_http;
mod shell;

pub(crate) use self::{
    captured::{Capture, CaptureError},
    format::Format,
};

/// The format of a text that has no byte order mark.
///
/// # Errors
/// [`CaptureError`] if it is JSON of another kind. Any other text is taken for a raw request, whose errors say how one begins.
pub(super) fn detect(text: &[u8]) -> Result<Format, CaptureError> {
    let start = text.trim_ascii_start();
    if start.starts_with(b"{") || start.starts_with(b"[") {
        return json::detect(text);
    }
    if curl_command::is_command(start) {
        return Ok(Format::CurlCommand);
    }
    Ok(if curl_verbose::is_output(text) { Format::CurlVerbose } else { Format::Http })
}

/// Reads a capture in this format. `body` replaces the body of the capture, which may be missing or truncated.
///
/// # Errors
/// [`CaptureError`], which says what is missing.
pub(super) fn read(format: Format, text: &[u8], body: Option<Vec<u8>>) -> Result<Capture, CaptureError> {
    let mut capture = match format {
        Format::Http if body.is_some() => raw_http::read_head(text),
        Format::Http => raw_http::read(text),
        Format::CurlVerbose => curl_verbose::read(text),
        Format::CurlCommand => curl_command::read(text, body.is_some()),
        Format::Har => har::read(text, body.is_some()),
        Format::ApiGatewayV1 => api_gateway_v1::read(text),
        Format::ApiGatewayV2 => api_gateway_v2::read(text),
        Format::LoadBalancer => load_balancer::read(text),
        Format::DeadLetter => dead_letter::read(text),
    }?;
    if let Some(body) = body {
        capture.body = body;
    }
    let advice = match format {
        Format::CurlVerbose => "; curl -v does not print it, so pass it with --body or --body-file",
        _ => "",
    };
    capture.fit_to_content_length(advice)
}

/// The text without a byte order mark, which an editor may have added.
pub(super) fn without_byte_order_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}
