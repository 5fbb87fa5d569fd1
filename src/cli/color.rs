//! Colors on a terminal.

use std::io::{self, IsTerminal as _};

use super::variables::Variables;
use crate::domain::Status;

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

    /// Colors a text about a profile with this status: what is approved is green, what is being reviewed is blue, what was
    /// rejected is red, and a draft is gray. A status that this version does not know is yellow.
    pub(super) fn status(self, status: Status, text: &str) -> String {
        let color = match status {
            Status::TwilioApproved | Status::ProvisionallyApproved => 32,
            Status::PendingReview | Status::InReview => 34,
            Status::TwilioRejected => 31,
            Status::Draft => 90,
            Status::Unknown => 33,
        };
        self.paint(text, color)
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.paint(text, 1)
    }

    fn paint(self, text: &str, color: u8) -> String {
        if self.0 { format!("\x1b[{color}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Returns whether `NO_COLOR` is set to anything (<https://no-color.org>).
fn is_off(variables: &Variables) -> bool {
    variables.iter().any(|(name, value)| name == "NO_COLOR" && !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_has_the_color_of_its_meaning() {
        let colored = |status| Colors(true).status(status, "x");
        assert_eq!(colored(Status::TwilioApproved), "\x1b[32mx\x1b[0m");
        assert_eq!(colored(Status::PendingReview), colored(Status::InReview));
        assert_ne!(colored(Status::TwilioRejected), colored(Status::Draft));
        assert_eq!(Colors(false).status(Status::TwilioRejected, "x"), "x");
    }
}
