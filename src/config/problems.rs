//! The error that lists all problems of a configuration.

use std::{error::Error, fmt};

use super::catalogue::Variable;

/// All problems of a configuration: one line each, with the variable and what to write instead.
///
/// No line contains a configured value, so the error can be printed and logged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems {
    found: Vec<Problem>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Problem {
    name: &'static str,
    text: String,
}

impl Problems {
    /// Creates an error with one problem, which a module that uses the configuration has found.
    pub(crate) fn one(name: &'static str, text: String) -> Self {
        Self { found: vec![Problem { name, text }] }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Returns whether a problem of this variable was already added.
    pub(super) fn has(&self, variable: &Variable) -> bool {
        self.found.iter().any(|problem| problem.name == variable.name)
    }

    pub(super) fn add(&mut self, name: &'static str, text: String) {
        self.found.push(Problem { name, text });
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.found.len();
        let plural = if count == 1 { "" } else { "s" };
        write!(f, "configuration is not valid, {count} problem{plural}:")?;
        self.found.iter().try_for_each(|problem| write!(f, "\n{}: {}", problem.name, problem.text))
    }
}

impl Error for Problems {}
