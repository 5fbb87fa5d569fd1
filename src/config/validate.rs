//! Turns texts into values and collects what is wrong with them.

use std::{fmt::Display, fs, net::SocketAddr, ops::RangeInclusive, path::PathBuf, str::FromStr};

use super::{catalogue::Variable, problems::Problems};

/// Reads values; each method reports what is wrong and then answers `None`.
#[derive(Default)]
pub(super) struct Reader {
    problems: Problems,
}

/// The text of a secret and where it came from.
pub(super) struct Secret {
    pub(super) text: String,
    /// The variable to name when the text is wrong.
    pub(super) source: &'static Variable,
    pub(super) file: Option<PathBuf>,
}

impl Reader {
    /// The value that was read, unless anything was wrong.
    pub(super) fn conclude<T>(self, value: Option<T>) -> Result<T, Problems> {
        value.filter(|_| self.problems.is_empty()).ok_or(self.problems)
    }

    /// Whether something is already known to be wrong with the variable.
    pub(super) fn is_wrong(&self, variable: &Variable) -> bool {
        self.problems.has(variable)
    }

    /// Notes a problem: what is wrong; what to write instead.
    pub(super) fn report(&mut self, variable: &Variable, text: impl Into<String>) {
        self.problems.add(variable.name, text.into());
    }

    /// Notes a problem that no single variable has.
    pub(super) fn report_jointly(&mut self, names: &'static str, text: impl Into<String>) {
        self.problems.add(names, text.into());
    }

    /// Reports that a variable is not set, unless what was set is already reported as wrong.
    pub(super) fn missing(&mut self, variable: &Variable, instead: &str) {
        if !self.is_wrong(variable) {
            self.report(variable, format!("is required but not set; write {instead}"));
        }
    }

    /// The text given, or the default of the catalogue.
    pub(super) fn text(&self, variable: &Variable, given: Option<String>) -> Option<String> {
        given.or_else(|| variable.fallback().map(str::to_owned))
    }

    /// A whole number within a range.
    pub(super) fn number<T>(
        &mut self,
        variable: &Variable,
        given: Option<String>,
        range: RangeInclusive<T>,
    ) -> Option<T>
    where
        T: FromStr + PartialOrd + Display,
    {
        let text = self.text(variable, given)?;
        let number = text.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            let (least, most) = (range.start(), range.end());
            let wrong = format!("is not a number in its range; write a whole number from {least} to {most}");
            self.report(variable, wrong);
        }
        number
    }

    /// One of a closed set of words, in any case.
    pub(super) fn word<T: Copy>(
        &mut self,
        variable: &Variable,
        given: Option<String>,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let text = self.text(variable, given)?;
        let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(&text));
        if found.is_none() {
            self.report(variable, format!("is not one of its values; write {}", alternatives(words)));
        }
        found.map(|(_, value)| *value)
    }

    /// `true` or `false`.
    pub(super) fn switch(&mut self, variable: &Variable, given: Option<String>) -> Option<bool> {
        self.word(variable, given, &[("true", true), ("false", false)])
    }

    /// An IP address and a port.
    pub(super) fn address(&mut self, variable: &Variable, given: Option<String>) -> Option<SocketAddr> {
        let address = self.text(variable, given)?.parse().ok();
        if address.is_none() {
            let instead = "write an IP address and a port, such as 0.0.0.0:8080 or [::]:8080";
            self.report(variable, format!("is not a socket address; {instead}"));
        }
        address
    }

    /// A path under which something can be opened.
    pub(super) fn path(&mut self, variable: &Variable, given: String) -> Option<String> {
        match fs::File::open(&given) {
            Ok(_) => Some(given),
            Err(error) => {
                let kind = error.kind();
                self.report(variable, format!("cannot be opened ({kind}); write the path of a readable PEM file"));
                None
            }
        }
    }

    /// The items of a comma list without the space around them, of which none may be empty.
    pub(super) fn list(&mut self, variable: &Variable, text: &str) -> Option<Vec<String>> {
        let items: Vec<String> = text.split(',').map(|item| item.trim().to_owned()).collect();
        match items.iter().position(String::is_empty) {
            None => Some(items),
            Some(index) => {
                let place = index + 1;
                self.report(variable, format!("item {place} of the list is empty; write one value between commas"));
                None
            }
        }
    }

    /// A secret given directly or as the path of a file, not both; `missing` says what to write if it is neither.
    pub(super) fn secret(
        &mut self,
        [direct, by_file]: [&'static Variable; 2],
        [text, path]: [Option<String>; 2],
        missing: &str,
    ) -> Option<Secret> {
        match (text, path) {
            (Some(text), None) => Some(Secret { text, source: direct, file: None }),
            (None, Some(path)) => self.secret_file(by_file, path.into()),
            (Some(_), Some(_)) => {
                self.report(by_file, format!("contradicts {}, which is set too; remove one of them", direct.name));
                None
            }
            (None, None) => {
                if !self.is_wrong(by_file) {
                    self.missing(direct, missing);
                }
                None
            }
        }
    }

    /// The path is not repeated in a problem: who confuses the two variables has written the secret there.
    pub(super) fn secret_file(&mut self, by_file: &'static Variable, path: PathBuf) -> Option<Secret> {
        let wrong = match fs::read(&path).map(String::from_utf8) {
            Ok(Ok(text)) => match without_line_end(&text) {
                "" => "names an empty file; write the secret into it".to_owned(),
                text => {
                    return Some(Secret { text: text.to_owned(), source: by_file, file: Some(path) });
                }
            },
            Ok(Err(_)) => "names a file that is not valid UTF-8; write the secret as plain text".to_owned(),
            Err(error) => {
                let kind = error.kind();
                format!("names a file that cannot be read ({kind}); write the path of a readable file")
            }
        };
        self.report(by_file, wrong);
        None
    }
}

/// Editors and `echo` end a file with a line end that is no part of the secret.
fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

fn alternatives<T>(words: &[(&'static str, T)]) -> String {
    let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}
