//! Colors on a terminal.

use std::io::{self, IsTerminal as _};

use super::variables::Variables;

/// Whether the texts of an output have colors. Without a terminal, or with `NO_COLOR`, they have none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Colors(bool);

impl Colors {
    pub(super) fn of_stdout(variables: &Variables) -> Self {
        Self(io::stdout().is_terminal() && !is_off(variables))
    }

    pub(super) fn of_stderr(variables: &Variables) -> Self {
        Self(io::stderr().is_terminal() && !is_off(variables))
    }

    pub(super) fn red(self, text: &str) -> String {
        self.paint(text, 31)
    }

    pub(super) fn green(self, text: &str) -> String {
        self.paint(text, 32)
    }

    pub(super) fn yellow(self, text: &str) -> String {
        self.paint(text, 33)
    }

    fn paint(self, text: &str, color: u8) -> String {
        if self.0 { format!("\x1b[{color}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Returns whether `NO_COLOR` is set to anything (<https://no-color.org>).
fn is_off(variables: &Variables) -> bool {
    variables.iter().any(|(name, value)| name == "NO_COLOR" && !value.is_empty())
}
