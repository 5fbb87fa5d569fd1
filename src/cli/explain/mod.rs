//! `explain`: explains why a signature matches or does not match.

mod keys;
mod report;

use std::path::{Path, PathBuf};

use twilio_signature::{RawRequest, RequestError, Signature, WebhookRequest, explain, parse_header, parse_request};

use self::keys::NamedKey;
use super::{
    output::{Failure, print},
    sign::{self, Method},
    variables::Variables,
};
use crate::domain::{Encoding, Headers, PublicUrl, SIGNATURE_HEADER};

/// The text of `explain --help`.
pub(super) const LONG: &str = "Explain why the X-Twilio-Signature of a captured request matches or does not

Exits with code 0 when it matches and with code 1 when it does not. The output contains the signed fields, but no token.

  trusthub-bridge explain --url URL --header 'X-Twilio-Signature: …' --body 'Status=draft'
  trusthub-bridge explain --public-url https://hooks.example.com < request.txt";

/// The beginning of every route of the service.
const ROUTES: &str = "/callbacks/";

const FORM: &[u8] = b"application/x-www-form-urlencoded";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The URL configured at Twilio, with its query; if omitted, a raw HTTP request is read from stdin
    #[arg(long)]
    url: Option<String>,
    /// The HTTP method
    #[arg(long, value_enum, default_value_t = Method::Post, ignore_case = true, requires = "url")]
    method: Method,
    /// A header as received; repeat the option for each header, and include X-Twilio-Signature
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE", requires = "url")]
    headers: Vec<String>,
    /// The body as received
    #[arg(long, requires = "url")]
    body: Option<String>,
    /// A file that contains the body as received, or - for stdin
    #[arg(long, value_name = "FILE", conflicts_with = "body", requires = "url")]
    body_file: Option<PathBuf>,
    /// An auth token, the current one first; may be repeated. Other users can see command-line arguments, so prefer
    /// TWILIO_AUTH_TOKEN, TWILIO_AUTH_TOKEN_FILE or TWILIO_ACCOUNTS_FILE
    #[arg(long = "token", value_name = "TOKEN")]
    tokens: Vec<String>,
    /// The PUBLIC_URL of the service; if neither this nor the variable is set, the part of --url before /callbacks/
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
}

/// The request to explain, and the public URLs of the service.
struct ExplainInput {
    method: Method,
    urls: Vec<PublicUrl>,
    target: String,
    headers: Headers,
    body: Vec<u8>,
}

pub(super) fn run(arguments: &Arguments, variables: Variables) -> Result<(), Failure> {
    let input = read_input(arguments, &variables)?;
    let keys = keys::read(&arguments.tokens, variables)?;
    let (matches, lines) = explain_input(&input, keys)?;
    lines.iter().try_for_each(|line| print(line))?;
    if matches { Ok(()) } else { Err(Failure::failed("the signature does not match")) }
}

/// Returns whether the service would accept the signature, and the lines to print.
fn explain_input(input: &ExplainInput, keys: Vec<NamedKey>) -> Result<(bool, Vec<String>), Failure> {
    let signature = match read_signature(&input.headers)? {
        Ok(signature) => signature,
        Err(problem) => return Ok((false, vec![report::NO_MATCH.to_owned(), problem.to_owned()])),
    };
    let (path, query) =
        input.target.split_once('?').map_or((input.target.as_str(), None), |(path, query)| (path, Some(query)));
    let request = WebhookRequest {
        path,
        route: route(path, &input.urls),
        query,
        encoding: encoding(input),
        headers: &input.headers,
        body: if input.method == Method::Get { &[] } else { &input.body },
    };
    let Ok(account) = request.account() else {
        let problem = "The request has more fields than a callback may have; the service rejects it before checking its signature.";
        return Ok((false, vec![report::NO_MATCH.to_owned(), problem.to_owned()]));
    };
    let (mut keys, others): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| key.is_for(&account));
    let own = keys.len();
    keys.extend(others);
    let signing: Vec<_> = keys.iter().map(|key| key.key.clone()).collect();
    let explanation = explain(&request, &input.urls, &signing, own, &signature).map_err(Failure::failed)?;
    Ok(report::lines(&explanation, &account, &keys, own, &signature))
}

fn read_input(arguments: &Arguments, variables: &Variables) -> Result<ExplainInput, Failure> {
    let urls = public_urls(arguments, variables)?;
    match &arguments.url {
        Some(url) => from_arguments(url, arguments, urls),
        None => from_stdin(urls.ok_or_else(|| {
            Failure::usage("PUBLIC_URL: is required for a raw request; set the variable or pass --public-url")
        })?),
    }
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

fn public_url(source: &str, text: &str) -> Result<PublicUrl, Failure> {
    PublicUrl::parse(text).map_err(|error| Failure::usage(format!("{source}: {error}")))
}

fn from_arguments(url: &str, arguments: &Arguments, urls: Option<Vec<PublicUrl>>) -> Result<ExplainInput, Failure> {
    let (origin, target) = split_url(url);
    let urls = match urls {
        Some(urls) => urls,
        None => vec![public_url("--url", &format!("{origin}{}", prefix(target)))?],
    };
    let mut headers = Headers::default();
    for text in &arguments.headers {
        headers.extend([
            parse_header(text.as_bytes()).ok_or_else(|| Failure::usage("--header: write it as 'Name: value'"))?
        ]);
    }
    headers.push("host", host(origin).as_bytes());
    let body = match (&arguments.body, &arguments.body_file) {
        (Some(body), _) => body.clone().into_bytes(),
        (None, Some(file)) => {
            sign::read(file).map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?
        }
        (None, None) => Vec::new(),
    };
    Ok(ExplainInput { method: arguments.method, urls, target: target.to_owned(), headers, body })
}

fn from_stdin(urls: Vec<PublicUrl>) -> Result<ExplainInput, Failure> {
    let invalid = |error: &dyn std::fmt::Display| Failure::usage(format!("the request on stdin {error}"));
    let text = sign::read(Path::new("-")).map_err(|error| invalid(&format!("cannot be read: {error}")))?;
    let RawRequest { method, target, mut headers, body } = parse_request(&text).map_err(|error| match error {
        RequestError::Empty => invalid(&format!("{error}, or pass the URL with --url")),
        error => invalid(&error),
    })?;
    let method = match method.as_str() {
        "GET" => Method::Get,
        "POST" => Method::Post,
        _ => return Err(invalid(&"is neither a GET nor a POST; Twilio uses no other method")),
    };
    let target = if target.starts_with('/') {
        target
    } else {
        let (origin, target) = split_url(&target);
        headers.push("host", host(origin).as_bytes());
        target.to_owned()
    };
    Ok(ExplainInput { method, urls, target, headers, body })
}

/// Splits a URL into scheme and authority, and path and query. Drops the fragment, which is never sent.
fn split_url(url: &str) -> (&str, &str) {
    let url = url.split_once('#').map_or(url, |(url, _fragment)| url);
    let authority = url.find("://").map_or(0, |scheme| scheme + 3);
    let end = url.char_indices().find(|(index, c)| *index >= authority && matches!(c, '/' | '?'));
    end.map_or((url, ""), |(end, _)| url.split_at(end))
}

/// The authority of the URL, for use as a `Host` header: it is tried as a candidate, whatever the public URL is.
fn host(origin: &str) -> &str {
    origin.split_once("://").map_or(origin, |(_scheme, authority)| authority)
}

fn path_of(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _query)| path)
}

fn prefix(target: &str) -> &str {
    path_of(target).rsplit_once(ROUTES).map_or("", |(prefix, _route)| prefix)
}

/// The part of a path after the public URL: a route of the service, or any path of another service.
fn route<'a>(path: &'a str, urls: &[PublicUrl]) -> &'a str {
    if path.contains(ROUTES) {
        return path.strip_prefix(prefix(path)).unwrap_or(path);
    }
    let candidates = urls.iter().filter_map(|url| path.strip_prefix(url.prefix()));
    candidates
        .filter(|route| route.is_empty() || route.starts_with('/'))
        .min_by_key(|route| route.len())
        .unwrap_or(path)
}

fn read_signature(headers: &Headers) -> Result<Result<Signature, &'static str>, Failure> {
    let mut values = headers.values(SIGNATURE_HEADER);
    let Some(first) = values.next() else {
        return Err(Failure::usage("the request has no X-Twilio-Signature header; add the header as received"));
    };
    if values.any(|other| other != first) {
        return Ok(Err("The request has several X-Twilio-Signature headers that differ; the service rejects it."));
    }
    Ok(Signature::parse(first)
        .ok_or("The X-Twilio-Signature is not base64 of 20 bytes as Twilio writes it: 28 characters that end with =."))
}

fn encoding(input: &ExplainInput) -> Encoding {
    let content_type = input.headers.values("content-type").next();
    let media_type = content_type.map(|value| value.split(|b| *b == b';').next().unwrap_or_default().trim_ascii());
    match (input.method, media_type) {
        (Method::Get, _) => Encoding::Query,
        (Method::Post, Some(media_type)) if media_type.eq_ignore_ascii_case(FORM) => Encoding::Form,
        (Method::Post, Some(_)) => Encoding::Json,
        (Method::Post, None) if sign::is_json(&input.body) => Encoding::Json,
        (Method::Post, None) => Encoding::Form,
    }
}
