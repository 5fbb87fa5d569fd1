//! An HTTP archive. Browsers and proxies such as mitmproxy write it.

use serde::Deserialize;

use super::{
    captured::{Capture, CaptureError},
    json,
};
use crate::domain::SIGNATURE_HEADER;

#[derive(Deserialize)]
struct Archive {
    log: ArchiveLog,
}

#[derive(Deserialize)]
struct ArchiveLog {
    entries: Vec<ArchiveEntry>,
}

#[derive(Deserialize)]
struct ArchiveEntry {
    request: ArchiveRequest,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArchiveRequest {
    method: String,
    url: String,
    #[serde(default)]
    headers: Vec<ArchiveHeader>,
    post_data: Option<PostData>,
    /// -1 if it is unknown.
    body_size: Option<i64>,
}

#[derive(Deserialize)]
struct ArchiveHeader {
    name: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PostData {
    text: Option<String>,
    encoding: Option<String>,
}

impl ArchiveRequest {
    fn is_signed(&self) -> bool {
        self.headers.iter().any(|header| header.name.eq_ignore_ascii_case(SIGNATURE_HEADER))
    }
}

/// Reads an archive with one signed request. `has_body` says that the body is passed separately.
pub(super) fn read(text: &[u8], has_body: bool) -> Result<Capture, CaptureError> {
    let Archive { log } = json::parse(text)?;
    let mut requests: Vec<_> = log.entries.into_iter().map(|entry| entry.request).collect();
    if requests.len() > 1 {
        requests.retain(ArchiveRequest::is_signed);
    }
    let count = requests.len();
    let mut requests = requests.into_iter();
    match (requests.next(), count) {
        (Some(request), 1) => capture(request, has_body),
        (None, _) => Err(CaptureError::Unsigned),
        (Some(_), several) => Err(CaptureError::Several(several)),
    }
}

fn capture(request: ArchiveRequest, has_body: bool) -> Result<Capture, CaptureError> {
    let body = match &request.post_data {
        _ if has_body => Vec::new(),
        Some(PostData { text: Some(text), encoding }) => json::body(Some(text), encoding.as_deref() == Some("base64"))?,
        Some(PostData { text: None, .. }) => {
            return Err(CaptureError::Missing("postData.text, the body as it was sent"));
        }
        None if request.body_size.is_some_and(|size| size > 0) => return Err(CaptureError::Missing("postData")),
        None => Vec::new(),
    };
    // The pseudo-headers of HTTP/2 begin with a colon.
    let headers = request.headers.iter().filter(|header| !header.name.starts_with(':'));
    let headers = headers.map(|header| (header.name.as_str(), header.value.as_str())).collect();
    Ok(Capture { method: request.method, target: request.url, headers, body, notes: Vec::new() })
}
