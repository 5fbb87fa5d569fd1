//! A curl command, as browsers copy it and people type it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use twilio_signature::parse_header;

use super::{
    captured::{Capture, CaptureError},
    percent,
    shell::words,
};
use crate::domain::Headers;

const FORM: &[u8] = b"application/x-www-form-urlencoded";

/// Options that do not change the request.
const IGNORED: [&str; 20] = [
    "--compressed",
    "--fail",
    "--globoff",
    "--http1.0",
    "--http1.1",
    "--http2",
    "--include",
    "--insecure",
    "--location",
    "--no-progress-meter",
    "--path-as-is",
    "--show-error",
    "--silent",
    "--verbose",
    "-S",
    "-f",
    "-g",
    "-i",
    "-k",
    "-L",
];
/// Options with a value that do not change the request.
const IGNORED_VALUES: [&str; 10] = [
    "--cacert",
    "--connect-timeout",
    "--max-time",
    "--output",
    "--proxy",
    "--resolve",
    "--write-out",
    "-m",
    "-o",
    "-w",
];

/// Whether a text begins with a curl command.
pub(super) fn is_command(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"$ ").unwrap_or(text);
    text.strip_prefix(b"curl").is_some_and(|rest| rest.first().is_some_and(|byte| b" \t\r\n\\".contains(byte)))
}

/// What the options say.
#[derive(Default)]
struct Options {
    method: Option<String>,
    url: Option<String>,
    headers: Headers,
    data: Option<Vec<u8>>,
    is_json: bool,
    is_get: bool,
}

/// Reads a command. `has_body` says that the body is passed separately, and that a file in the command is not read.
pub(super) fn read(text: &[u8], has_body: bool) -> Result<Capture, CaptureError> {
    let text = String::from_utf8_lossy(text);
    let command = text.trim_start();
    let mut words = words(command.strip_prefix("$ ").unwrap_or(command))?.into_iter().skip(1);
    let mut options = Options::default();
    while let Some(word) = words.next() {
        options.add(&word, &mut words, has_body)?;
    }
    options.finish()
}

impl Options {
    fn add(
        &mut self,
        word: &str,
        words: &mut impl Iterator<Item = String>,
        has_body: bool,
    ) -> Result<(), CaptureError> {
        if !word.starts_with('-') || word == "-" {
            self.url = Some(word.to_owned());
            return Ok(());
        }
        let (option, attached) = split_option(word);
        if IGNORED.contains(&option) || is_ignored_cluster(word) {
            return Ok(());
        }
        let value = match attached {
            _ if matches!(option, "--get" | "-G") => String::new(),
            Some(value) => value.to_owned(),
            None => words.next().ok_or_else(|| CaptureError::OptionWithoutValue(option.to_owned()))?,
        };
        self.apply(option, value, has_body)
    }

    fn apply(&mut self, option: &str, value: String, has_body: bool) -> Result<(), CaptureError> {
        match option {
            "-X" | "--request" => self.method = Some(value),
            "--url" => self.url = Some(value),
            "-G" | "--get" => self.is_get = true,
            "-H" | "--header" => self.headers.extend(parse_header(value.as_bytes())),
            "-A" | "--user-agent" => self.headers.push("user-agent", value.as_bytes()),
            "-e" | "--referer" => self.headers.push("referer", value.as_bytes()),
            "-b" | "--cookie" => self.headers.push("cookie", value.as_bytes()),
            "-u" | "--user" => {
                let credentials = format!("Basic {}", STANDARD.encode(value));
                self.headers.push("authorization", credentials.as_bytes());
            }
            "-d" | "--data" | "--data-ascii" | "--data-binary" | "--json" if value.starts_with('@') => {
                self.is_json |= option == "--json";
                self.data.get_or_insert_default();
                return if has_body { Ok(()) } else { Err(CaptureError::BodyInFile) };
            }
            "-d" | "--data" | "--data-ascii" | "--data-binary" | "--data-raw" => self.add_data(value.as_bytes()),
            "--data-urlencode" => self.add_data(encode(&value).as_bytes()),
            "--json" => {
                self.is_json = true;
                self.data.get_or_insert_default().extend(value.as_bytes());
            }
            ignored if IGNORED_VALUES.contains(&ignored) => {}
            other => return Err(CaptureError::UnknownOption(other.to_owned())),
        }
        Ok(())
    }

    fn add_data(&mut self, data: &[u8]) {
        match &mut self.data {
            Some(earlier) => {
                earlier.push(b'&');
                earlier.extend(data);
            }
            None => self.data = Some(data.to_owned()),
        }
    }

    fn finish(mut self) -> Result<Capture, CaptureError> {
        let mut target = self.url.ok_or(CaptureError::Missing("URL"))?;
        if !target.contains("://") {
            target = format!("http://{target}");
        }
        if self.is_get {
            let query = self.data.take().map(|data| String::from_utf8_lossy(&data).into_owned());
            let separator = if target.contains('?') { '&' } else { '?' };
            target.extend(query.map(|query| format!("{separator}{query}")));
        }
        let method = self.method.unwrap_or_else(|| if self.data.is_some() { "POST" } else { "GET" }.to_owned());
        let has_type = self.headers.values("content-type").next().is_some();
        if !has_type && self.data.is_some() {
            self.headers.push("content-type", if self.is_json { b"application/json" } else { FORM });
        }
        let body = self.data.unwrap_or_default();
        Ok(Capture { method, target, headers: self.headers, body, notes: Vec::new() })
    }
}

/// An option, and the value that is attached to it: `-XPOST`, `--request=POST`.
fn split_option(word: &str) -> (&str, Option<&str>) {
    if word.starts_with("--") {
        return word.split_once('=').map_or((word, None), |(option, value)| (option, Some(value)));
    }
    match word.split_at_checked(2) {
        Some((option, value)) if !value.is_empty() => (option, Some(value)),
        _ => (word, None),
    }
}

/// Whether a word consists of one-letter options that do not change the request, such as `-sSfv`.
fn is_ignored_cluster(word: &str) -> bool {
    word.strip_prefix('-').is_some_and(|letters| !letters.is_empty() && letters.chars().all(|c| "sSfgikLv".contains(c)))
}

/// The value of `--data-urlencode` as curl encodes it: `name=text`, `=text` or `text`.
fn encode(value: &str) -> String {
    match value.split_once('=') {
        Some(("", text)) => percent::encode(text),
        Some((name, text)) => format!("{name}={}", percent::encode(text)),
        None => percent::encode(value),
    }
}
