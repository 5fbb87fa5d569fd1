//! The layout of what `dev --once` prints on a terminal.

use super::super::{
    color::Colors,
    layout::{indented, joined},
    output::{Failure, print},
    text::wrapped,
};
use crate::domain::{Label as _, Status};

/// What is below a heading begins here.
const INDENT: &str = "   ";
/// The widths of the first two columns of a row. With the third, a row has at most 80 columns.
const STATUS_WIDTH: usize = 16;
const ANSWER_WIDTH: usize = 15;

/// How a text is to be understood, which decides its color.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tone {
    Good,
    Bad,
    Waiting,
}

/// Prints numbered steps, each with rows and notes.
pub(super) struct Page {
    width: usize,
    colors: Colors,
    steps: u32,
}

impl Page {
    pub(super) fn new(width: usize, colors: Colors) -> Self {
        Self { width, colors, steps: 0 }
    }

    /// Prints a paragraph.
    pub(super) fn text(&self, text: &str) -> Result<(), Failure> {
        print(&wrapped(text, self.width))
    }

    /// Prints the heading of the next step.
    pub(super) fn step(&mut self, heading: &str) -> Result<(), Failure> {
        self.steps += 1;
        self.heading(&format!("{}  {heading}", self.steps))
    }

    /// Prints a heading without a number.
    pub(super) fn heading(&self, heading: &str) -> Result<(), Failure> {
        let lines = wrapped(heading, self.width);
        print("")?;
        lines.lines().try_for_each(|line| print(&self.colors.bold(line)))
    }

    /// Prints the names of the columns of the rows.
    pub(super) fn columns(&self) -> Result<(), Failure> {
        print(&format!("{INDENT}{:STATUS_WIDTH$} {:ANSWER_WIDTH$} {}", "CALLBACK", "ANSWER", "EVENT ON KAFKA"))
    }

    /// Prints a row: an announced status, what it was answered, and what became of it.
    pub(super) fn row(&self, status: Status, (tone, answer): (Tone, &str), event: &str) -> Result<(), Failure> {
        let answer = self.painted(tone, &format!("{answer:ANSWER_WIDTH$}"));
        let head = format!("{INDENT}{:STATUS_WIDTH$} {answer}", status.as_str());
        print(&joined(&head, event, Some(self.width), "      "))
    }

    /// Prints a sentence about the step.
    pub(super) fn note(&self, text: &str) -> Result<(), Failure> {
        print(&indented(text, self.width, INDENT))
    }

    /// Prints a line that begins with a name.
    pub(super) fn field(&self, name: &str, value: &str) -> Result<(), Failure> {
        let indent = " ".repeat(INDENT.len() + STATUS_WIDTH + 1);
        let value = indented(value, self.width, &indent);
        print(&format!("{INDENT}{name:STATUS_WIDTH$} {}", value.trim_start()))
    }

    /// Prints a command, and what it does.
    pub(super) fn command(&self, command: &str, effect: &str) -> Result<(), Failure> {
        let line = format!("{INDENT}{command:45} {effect}");
        if line.chars().count() <= self.width {
            return print(&line);
        }
        print(&format!("{INDENT}{command}"))?;
        print(&indented(effect, self.width, "      "))
    }

    /// Colors a text.
    pub(super) fn painted(&self, tone: Tone, text: &str) -> String {
        match tone {
            Tone::Good => self.colors.green(text),
            Tone::Bad => self.colors.red(text),
            Tone::Waiting => self.colors.yellow(text),
        }
    }
}
