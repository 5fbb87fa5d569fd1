//! `explain`: why a signature matches or does not.

mod keys;
mod report;
mod request;

use std::path::{Path, PathBuf};

pub use self::request::{BrokenRequest, RawRequest, parse_request};
use self::{keys::Held, request::header};
use super::{
    Variables,
    output::{Failure, print},
    sign::{self, Method},
};
use crate::{
    domain::{Encoding, Headers, PublicUrl, SIGNATURE_HEADER},
    verify::{Capture, Signable, Signature, explain},
};

/// What `explain --help` says.
pub(super) const LONG: &str = "Explain why the X-Twilio-Signature of a captured request matches or does not

Exits with 0 when it matches and with 1 when it does not. Tokens are never printed; the fields that were signed are.

  trusthub-bridge explain --url URL --header 'X-Twilio-Signature: …' --body 'Status=draft'
  trusthub-bridge explain --public-url https://hooks.example.com < request.txt";

/// Where the service's routes begin.
const ROUTES: &str = "/callbacks/";

const FORM: &[u8] = b"application/x-www-form-urlencoded";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The URL that Twilio was given, with its query; without it, a raw HTTP request is read from stdin
    #[arg(long)]
    url: Option<String>,
    /// The verb
    #[arg(long, value_enum, default_value_t = Method::Post, ignore_case = true, requires = "url")]
    method: Method,
    /// A header as received, with X-Twilio-Signature among them; may be repeated
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE", requires = "url")]
    headers: Vec<String>,
    /// The body, as received
    #[arg(long, requires = "url")]
    body: Option<String>,
    /// A file with the body as received, or - for stdin
    #[arg(long, value_name = "FILE", conflicts_with = "body", requires = "url")]
    body_file: Option<PathBuf>,
    /// An auth token, the current one first; may be repeated. Better kept in TWILIO_AUTH_TOKEN, TWILIO_AUTH_TOKEN_FILE
    /// or TWILIO_ACCOUNTS_FILE
    #[arg(long = "token", value_name = "TOKEN")]
    tokens: Vec<String>,
    /// What PUBLIC_URL says in the service; without it and the variable, the URL's part before /callbacks/
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
}

/// A request and where it was meant to arrive.
struct Captured {
    method: Method,
    urls: Vec<PublicUrl>,
    target: String,
    headers: Headers,
    body: Vec<u8>,
}

pub(super) fn run(arguments: &Arguments, variables: Variables) -> Result<(), Failure> {
    let captured = captured(arguments, &variables)?;
    let keys = keys::read(&arguments.tokens, variables)?;
    let (matches, lines) = judge(&captured, keys)?;
    lines.iter().try_for_each(|line| print(line))?;
    if matches { Ok(()) } else { Err(Failure::failed("the signature does not match")) }
}

/// Whether the service would accept the signature, and all there is to say about it.
fn judge(captured: &Captured, keys: Vec<Held>) -> Result<(bool, Vec<String>), Failure> {
    let signature = match signature(&captured.headers)? {
        Ok(signature) => signature,
        Err(wrong) => return Ok((false, vec![report::NO_MATCH.to_owned(), wrong.to_owned()])),
    };
    let (path, query) =
        captured.target.split_once('?').map_or((captured.target.as_str(), None), |(path, query)| (path, Some(query)));
    let request = Signable {
        route: route(path, &captured.urls),
        query,
        encoding: encoding(captured),
        body: if captured.method == Method::Get { &[] } else { &captured.body },
    };
    let capture = Capture { request, path, headers: &captured.headers };
    let Ok(account) = capture.account() else {
        let wrong =
            "The request has more fields than a callback may have, and is refused before its signature is checked.";
        return Ok((false, vec![report::NO_MATCH.to_owned(), wrong.to_owned()]));
    };
    let (mut keys, others): (Vec<_>, Vec<_>) = keys.into_iter().partition(|held| held.is_for(&account));
    let own = keys.len();
    keys.extend(others);
    let signing: Vec<_> = keys.iter().map(|held| held.key.clone()).collect();
    let explanation = explain(&capture, &captured.urls, &signing, own, &signature).map_err(Failure::failed)?;
    Ok(report::lines(&explanation, &account, &keys, own, &signature))
}

fn captured(arguments: &Arguments, variables: &Variables) -> Result<Captured, Failure> {
    let urls = public_urls(arguments, variables)?;
    match &arguments.url {
        Some(url) => from_arguments(url, arguments, urls),
        None => from_stdin(urls.ok_or_else(|| {
            Failure::usage("PUBLIC_URL: is required for a raw request; write it into the variable or --public-url")
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
    PublicUrl::parse(text).map_err(|error| Failure::Usage(format!("{source}: {error}")))
}

fn from_arguments(url: &str, arguments: &Arguments, urls: Option<Vec<PublicUrl>>) -> Result<Captured, Failure> {
    let (origin, target) = split(url);
    let urls = match urls {
        Some(urls) => urls,
        None => vec![public_url("--url", &format!("{origin}{}", prefix(target)))?],
    };
    let mut headers = Headers::default();
    for text in &arguments.headers {
        headers.extend([header(text.as_bytes()).ok_or_else(|| Failure::usage("--header: write it as 'Name: value'"))?]);
    }
    headers.push("host", host(origin).as_bytes());
    let body = match (&arguments.body, &arguments.body_file) {
        (Some(body), _) => body.clone().into_bytes(),
        (None, Some(file)) => {
            sign::read(file).map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))?
        }
        (None, None) => Vec::new(),
    };
    Ok(Captured { method: arguments.method, urls, target: target.to_owned(), headers, body })
}

fn from_stdin(urls: Vec<PublicUrl>) -> Result<Captured, Failure> {
    let broken = |error: &dyn std::fmt::Display| Failure::Usage(format!("the request on stdin {error}"));
    let text = sign::read(Path::new("-")).map_err(|error| broken(&format!("cannot be read: {error}")))?;
    let RawRequest { method, target, mut headers, body } = parse_request(&text).map_err(|error| broken(&error))?;
    let method = match method.as_str() {
        "GET" => Method::Get,
        "POST" => Method::Post,
        _ => return Err(broken(&"is neither a GET nor a POST; Twilio sends no other")),
    };
    let target = if target.starts_with('/') {
        target
    } else {
        let (origin, target) = split(&target);
        headers.push("host", host(origin).as_bytes());
        target.to_owned()
    };
    Ok(Captured { method, urls, target, headers, body })
}

/// Scheme and authority, then path and query; the fragment is never sent.
fn split(url: &str) -> (&str, &str) {
    let url = url.split_once('#').map_or(url, |(url, _fragment)| url);
    let authority = url.find("://").map_or(0, |scheme| scheme + 3);
    let end = url.char_indices().find(|(index, c)| *index >= authority && matches!(c, '/' | '?'));
    end.map_or((url, ""), |(end, _)| url.split_at(end))
}

/// What Twilio was given stands for a `Host` header: it is tried, whatever the public URL says.
fn host(origin: &str) -> &str {
    origin.split_once("://").map_or(origin, |(_scheme, authority)| authority)
}

fn path_of(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _query)| path)
}

fn prefix(target: &str) -> &str {
    path_of(target).rsplit_once(ROUTES).map_or("", |(prefix, _route)| prefix)
}

/// The part of a path that comes after the public URL: one of the service's routes, or whatever it is elsewhere.
fn route<'a>(path: &'a str, urls: &[PublicUrl]) -> &'a str {
    if path.contains(ROUTES) {
        return path.strip_prefix(prefix(path)).unwrap_or(path);
    }
    let bare = urls.iter().filter_map(|url| path.strip_prefix(url.prefix()));
    bare.filter(|route| route.is_empty() || route.starts_with('/')).min_by_key(|route| route.len()).unwrap_or(path)
}

fn signature(headers: &Headers) -> Result<Result<Signature, &'static str>, Failure> {
    let mut values = headers.values(SIGNATURE_HEADER);
    let Some(first) = values.next() else {
        return Err(Failure::usage("the request has no X-Twilio-Signature header; add it as it was received"));
    };
    if values.any(|other| other != first) {
        return Ok(Err("The request has several X-Twilio-Signature headers that differ, and is refused for that."));
    }
    Ok(Signature::parse(first).ok_or(
        "The X-Twilio-Signature is not base64 of 20 bytes as Twilio writes it: 28 characters, the last of them =.",
    ))
}

fn encoding(captured: &Captured) -> Encoding {
    let content_type = captured.headers.values("content-type").next();
    let media_type = content_type.map(|value| value.split(|b| *b == b';').next().unwrap_or_default().trim_ascii());
    match (captured.method, media_type) {
        (Method::Get, _) => Encoding::Query,
        (Method::Post, Some(media_type)) if media_type.eq_ignore_ascii_case(FORM) => Encoding::Form,
        (Method::Post, Some(_)) => Encoding::Json,
        (Method::Post, None) if sign::is_json(&captured.body) => Encoding::Json,
        (Method::Post, None) => Encoding::Form,
    }
}
