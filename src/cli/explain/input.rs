//! Reads the request to explain: from the command line, or from a capture.

use std::path::{Path, PathBuf};

use twilio_signature::parse_header;

use super::arguments::Arguments;
use crate::{
    cli::{
        output::Failure,
        sign::{self, Method},
        variables::Variables,
    },
    domain::PublicUrl,
    explain::{self, Capture, prefix, split_url},
};

/// The request to explain, and the public URLs of the service.
pub(super) struct ExplainInput {
    pub(super) capture: Capture,
    pub(super) urls: Vec<PublicUrl>,
}

/// Reads the request. The target of the result is path and query.
pub(super) fn read(arguments: &Arguments, variables: &Variables) -> Result<ExplainInput, Failure> {
    let urls = public_urls(arguments, variables)?;
    let body = read_body(arguments)?;
    let (capture, urls) = match (&arguments.url, urls) {
        (Some(url), urls) => (from_arguments(url, arguments, body)?, urls.map_or_else(|| url_of(url), Ok)?),
        (None, Some(urls)) => (from_capture(arguments, body)?, urls),
        (None, None) => {
            let problem = "PUBLIC_URL: is required for a captured request; set the variable or pass --public-url";
            return Err(Failure::usage(problem));
        }
    };
    Ok(ExplainInput { capture, urls })
}

fn public_urls(arguments: &Arguments, variables: &Variables) -> Result<Option<Vec<PublicUrl>>, Failure> {
    let variable = variables.iter().find(|(name, value)| name == "PUBLIC_URL" && !value.is_empty());
    let (source, text) = match (&arguments.public_url, variable) {
        (Some(text), _) => ("--public-url", text.clone()),
        (None, Some((_, text))) => ("PUBLIC_URL", text.to_string_lossy().into_owned()),
        (None, None) => return Ok(None),
    };
    text.split(',').map(|url| public_url(source, url.trim())).collect::<Result<_, _>>().map(Some)
}

/// The part of the URL before the route, as the public URL.
fn url_of(url: &str) -> Result<Vec<PublicUrl>, Failure> {
    let (origin, target) = split_url(url);
    Ok(vec![public_url("--url", &format!("{origin}{}", prefix(target)))?])
}

fn public_url(source: &str, text: &str) -> Result<PublicUrl, Failure> {
    PublicUrl::parse_with_credentials(text).map_err(|error| Failure::usage(format!("{source}: {error}")))
}

fn read_body(arguments: &Arguments) -> Result<Option<Vec<u8>>, Failure> {
    match (&arguments.body, &arguments.body_file) {
        (Some(body), _) => Ok(Some(body.clone().into_bytes())),
        (None, Some(file)) => read_file(file).map(Some),
        (None, None) => Ok(None),
    }
}

fn read_file(file: &Path) -> Result<Vec<u8>, Failure> {
    sign::read(file).map_err(|error| Failure::usage(format!("{}: {error}", file.display())))
}

/// Builds the request from its parts. The content type is that of curl if there is no header for it.
fn from_arguments(url: &str, arguments: &Arguments, body: Option<Vec<u8>>) -> Result<Capture, Failure> {
    let body = body.unwrap_or_default();
    let mut capture = Capture { target: url.to_owned(), ..Capture::default() };
    for text in &arguments.headers {
        capture.headers.extend([
            parse_header(text.as_bytes()).ok_or_else(|| Failure::usage("--header: write it as 'Name: value'"))?
        ]);
    }
    capture.method = match arguments.method {
        Method::Get => "GET".to_owned(),
        Method::Post => "POST".to_owned(),
    };
    if arguments.method == Method::Post && capture.headers.values("content-type").next().is_none() {
        capture.headers.push("content-type", sign::content_type(&body).as_bytes());
    }
    Ok(Capture { body, ..capture }.with_relative_target())
}

fn from_capture(arguments: &Arguments, body: Option<Vec<u8>>) -> Result<Capture, Failure> {
    let file = arguments.file.clone().unwrap_or_else(|| PathBuf::from("-"));
    let bytes = read_file(&file)?;
    explain::read_capture(&bytes, arguments.format, body).map_err(Failure::usage)
}
