//! Parses the texts of variables and collects the problems in them.

use std::{fmt::Display, fs, net::SocketAddr, ops::RangeInclusive, path::PathBuf, str::FromStr};

use super::{catalogue::Variable, problems::Problems};

/// Parses values and collects problems. A method that returns `None` for a given text has reported a problem.
#[derive(Default)]
pub(super) struct Validator {
    problems: Problems,
}

/// The text of a secret and its origin.
pub(super) struct SecretText {
    pub(super) text: String,
    /// The variable to name in a problem of the text.
    pub(super) source: &'static Variable,
    pub(super) file: Option<PathBuf>,
}

impl Validator {
    /// Returns the value if no problem was reported.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, Problems> {
        value.filter(|_| self.problems.is_empty()).ok_or(self.problems)
    }

    /// Returns whether a problem of the variable was already reported.
    pub(super) fn has_problem(&self, variable: &Variable) -> bool {
        self.problems.has(variable)
    }

    /// Reports a problem. The text says what is wrong and, after a semicolon, what to write instead.
    pub(super) fn report(&mut self, variable: &Variable, text: impl Into<String>) {
        self.problems.add(variable.name, text.into());
    }

    /// Reports a problem of several variables together.
    pub(super) fn report_combined(&mut self, names: &'static str, text: impl Into<String>) {
        self.problems.add(names, text.into());
    }

    /// Reports that a required variable is not set, unless its value was already reported as a problem.
    pub(super) fn report_missing(&mut self, variable: &Variable, instead: &str) {
        if !self.has_problem(variable) {
            self.report(variable, format!("is required but not set; write {instead}"));
        }
    }

    /// Returns the given text, or the default of the catalogue if there is one.
    pub(super) fn value_or_default(&self, variable: &Variable, given: Option<String>) -> Option<String> {
        given.or_else(|| variable.default_value().map(str::to_owned))
    }

    /// Parses a whole number in a range.
    pub(super) fn parse_number<T>(
        &mut self,
        variable: &Variable,
        given: Option<String>,
        range: RangeInclusive<T>,
    ) -> Option<T>
    where
        T: FromStr + PartialOrd + Display,
    {
        let text = self.value_or_default(variable, given)?;
        let number = text.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            let (min, max) = (range.start(), range.end());
            self.report(variable, format!("is not a number in range; write a whole number from {min} to {max}"));
        }
        number
    }

    /// Parses one of a fixed set of words, in any case.
    pub(super) fn parse_choice<T: Copy>(
        &mut self,
        variable: &Variable,
        given: Option<String>,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let text = self.value_or_default(variable, given)?;
        let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(&text));
        if found.is_none() {
            self.report(variable, format!("is not an allowed value; write {}", alternatives(words)));
        }
        found.map(|(_, value)| *value)
    }

    /// Parses `true` or `false`.
    pub(super) fn parse_bool(&mut self, variable: &Variable, given: Option<String>) -> Option<bool> {
        self.parse_choice(variable, given, &[("true", true), ("false", false)])
    }

    /// Parses an IP address with a port.
    pub(super) fn parse_address(&mut self, variable: &Variable, given: Option<String>) -> Option<SocketAddr> {
        let address = self.value_or_default(variable, given)?.parse().ok();
        if address.is_none() {
            let instead = "write an IP address and a port, such as 0.0.0.0:8080 or [::]:8080";
            self.report(variable, format!("is not a socket address; {instead}"));
        }
        address
    }

    /// Returns the path if it can be opened.
    pub(super) fn check_readable(&mut self, variable: &Variable, given: String) -> Option<String> {
        match fs::File::open(&given) {
            Ok(_) => Some(given),
            Err(error) => {
                let kind = error.kind();
                self.report(variable, format!("cannot be opened ({kind}); write the path of a readable PEM file"));
                None
            }
        }
    }

    /// Splits a comma-separated list and trims its items. None of them can be empty.
    pub(super) fn split_list(&mut self, variable: &Variable, text: &str) -> Option<Vec<String>> {
        let items: Vec<String> = text.split(',').map(|item| item.trim().to_owned()).collect();
        match items.iter().position(String::is_empty) {
            None => Some(items),
            Some(index) => {
                let position = index + 1;
                self.report(variable, format!("item {position} of the list is empty; write one value between commas"));
                None
            }
        }
    }

    /// Returns a secret that is given either directly or as the path of a file. `missing` says what to write if neither is
    /// set.
    pub(super) fn read_secret(
        &mut self,
        [direct, by_file]: [&'static Variable; 2],
        [text, path]: [Option<String>; 2],
        missing: &str,
    ) -> Option<SecretText> {
        match (text, path) {
            (Some(text), None) => Some(SecretText { text, source: direct, file: None }),
            (None, Some(path)) => self.read_secret_file(by_file, path.into()),
            (Some(_), Some(_)) => {
                self.report(by_file, format!("contradicts {}, which is also set; remove one of them", direct.name));
                None
            }
            (None, None) => {
                if !self.has_problem(by_file) {
                    self.report_missing(direct, missing);
                }
                None
            }
        }
    }

    /// Reports a secret with a line break or another control character.
    pub(super) fn check_one_line(&mut self, secret: &SecretText) {
        if secret.text.contains(char::is_control) {
            self.report(secret.source, "contains a line break or another control character; remove it");
        }
    }

    /// Reads a secret from a file. No problem repeats the path: if the two variables were mixed up, it is the secret.
    pub(super) fn read_secret_file(&mut self, by_file: &'static Variable, path: PathBuf) -> Option<SecretText> {
        let problem = match fs::read(&path).map(String::from_utf8) {
            Ok(Ok(text)) => match without_line_ending(&text) {
                "" => "names an empty file; write the secret into it".to_owned(),
                text => {
                    return Some(SecretText { text: text.to_owned(), source: by_file, file: Some(path) });
                }
            },
            Ok(Err(_)) => "names a file that is not valid UTF-8; write the secret as plain text".to_owned(),
            Err(error) => {
                let kind = error.kind();
                format!("names a file that cannot be read ({kind}); write the path of a readable file")
            }
        };
        self.report(by_file, problem);
        None
    }
}

/// Removes the line ending that editors and `echo` add to a file, which is not part of the secret.
fn without_line_ending(text: &str) -> &str {
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
