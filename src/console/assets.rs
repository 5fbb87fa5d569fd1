//! The files that pages load. They are a part of the program, so that a page needs no other host.

use std::sync::LazyLock;

use actix_web::{HttpResponse, http::header};
use sha2::{Digest as _, Sha256};

use crate::domain::encode_hex;

/// The style sheet.
pub(super) static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("console.css", "text/css; charset=utf-8", include_str!("assets/console.css")));

/// The script, a module.
pub(super) static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("console.js", "text/javascript; charset=utf-8", include_str!("assets/console.js")));

/// The icon of the tab.
pub(super) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")));

/// A file whose URL changes with its content, so that browsers can keep it.
pub(super) struct Asset {
    name: &'static str,
    content_type: &'static str,
    content: &'static str,
    url: String,
}

impl Asset {
    fn new(name: &'static str, content_type: &'static str, content: &'static str) -> Self {
        let hash = Sha256::digest(content.as_bytes());
        let version = encode_hex(hash.get(..8).unwrap_or_default());
        Self { name, content_type, content, url: format!("/assets/{name}?v={version}") }
    }

    /// The path and the query of the file.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    fn response(&self) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        response.insert_header((header::CACHE_CONTROL, "private, max-age=31536000, immutable"));
        response.content_type(self.content_type).body(self.content)
    }
}

/// The response for the file with this name.
pub(super) fn respond(name: &str) -> Option<HttpResponse> {
    let assets = [&*STYLE, &*SCRIPT, &*ICON];
    assets.into_iter().find(|asset| asset.name == name).map(Asset::response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_load_nothing_from_another_host() {
        for asset in [&*STYLE, &*SCRIPT] {
            for other in ["http:", "https:", "@import", "url(", "import("] {
                assert!(!asset.content.contains(other), "{}: {other}", asset.name);
            }
            assert!(asset.url.starts_with("/assets/console.") && asset.url.len() > 30, "{}", asset.url);
        }
        assert!(respond("console.css").is_some() && respond("../console.css").is_none());
    }
}
