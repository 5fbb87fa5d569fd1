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
const IGNORED: [&str; 14] = [
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
];
/// Options of one letter and without a value that do not change the request.
const IGNORED_LETTERS: &str = "sSfgikLv";
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
        let (option, attached) = match word.strip_prefix('-').filter(|rest| !rest.is_empty()) {
            None => return self.set_url(word.to_owned()),
            Some("-get") => {
                self.is_get = true;
                return Ok(());
            }
            Some(_) if IGNORED.contains(&word) => return Ok(()),
            Some(long) if long.starts_with('-') => split_long_option(word),
            Some(letters) => match self.read_letters(letters) {
                Some(option) => option,
                None => return Ok(()),
            },
        };
        let value = match attached {
            Some(value) => value.to_owned(),
            None => words.next().ok_or_else(|| CaptureError::OptionWithoutValue(option.clone()))?,
        };
        self.apply(&option, value, has_body)
    }

    fn set_url(&mut self, url: String) -> Result<(), CaptureError> {
        match self.url.replace(url) {
            None => Ok(()),
            Some(_) => Err(CaptureError::SecondUrl),
        }
    }

    /// Reads a word of one-letter options, such as `-sSX` or `-kHName:value`. Returns the one that has a value, and the value if
    /// it is attached.
    fn read_letters<'w>(&mut self, letters: &'w str) -> Option<(String, Option<&'w str>)> {
        let rest = letters.trim_start_matches(|letter| letter == 'G' || IGNORED_LETTERS.contains(letter));
        self.is_get |= letters.strip_suffix(rest).is_some_and(|flags| flags.contains('G'));
        let option = rest.chars().next()?;
        let value = rest.strip_prefix(option).filter(|value| !value.is_empty());
        Some((format!("-{option}"), value))
    }

    fn apply(&mut self, option: &str, value: String, has_body: bool) -> Result<(), CaptureError> {
        match option {
            "-X" | "--request" => self.method = Some(value),
            "--url" => self.set_url(value)?,
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

/// An option, and the value that is attached to it: `--request=POST`.
fn split_long_option(word: &str) -> (String, Option<&str>) {
    let (option, value) = word.split_once('=').map_or((word, None), |(option, value)| (option, Some(value)));
    (option.to_owned(), value)
}

/// The value of `--data-urlencode` as curl encodes it: `name=text`, `=text` or `text`.
fn encode(value: &str) -> String {
    match value.split_once('=') {
        Some(("", text)) => percent::encode(text),
        Some((name, text)) => format!("{name}={}", percent::encode(text)),
        None => percent::encode(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(command: &str) -> Result<(String, String, Vec<String>), CaptureError> {
        let Capture { method, target, headers, .. } = read(command.as_bytes(), false)?;
        Ok((method, target, headers.iter().map(|(name, _)| name.to_owned()).collect()))
    }

    #[test]
    fn letters_before_an_option_with_a_value_are_options_as_well() {
        for (options, method, header) in [
            ("-iX PUT", "PUT", None),
            ("-iXPUT", "PUT", None),
            ("-X PUT", "PUT", None),
            ("-kH 'a: b'", "GET", Some("a")),
            ("-sSkHa:b", "GET", Some("a")),
            ("-sSfgikLv", "GET", None),
            ("-sG", "GET", None),
        ] {
            for command in [format!("curl {options} http://a/b"), format!("curl http://a/b {options}")] {
                let (found, target, headers) = summary(&command).unwrap();
                assert_eq!((found.as_str(), target.as_str()), (method, "http://a/b"), "{command}");
                assert_eq!(headers.first().map(String::as_str), header, "{command}");
            }
        }
        assert_eq!(summary("curl -sGd a=b http://a").unwrap().1, "http://a?a=b");
        assert_eq!(summary("curl -kZ x http://a"), Err(CaptureError::UnknownOption("-Z".to_owned())));
        assert_eq!(summary("curl http://a -kH"), Err(CaptureError::OptionWithoutValue("-H".to_owned())));
    }

    #[test]
    fn second_word_without_an_option_is_an_error() {
        for command in ["curl http://a b", "curl --url http://a http://b", "curl http://a -d x y", "curl http://a -"] {
            assert_eq!(summary(command), Err(CaptureError::SecondUrl), "{command}");
        }
    }
}
