//! The error that lists all problems of a configuration.

use std::{error::Error, fmt};

use super::catalogue::Variable;

/// All problems of a configuration: one line each, with the variable and what to write instead. Variables whose names are
/// almost those of known ones follow, because one of them can be the reason why a value is missing.
///
/// No line contains a configured value, so the error can be printed and logged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems {
    found: Vec<Problem>,
    /// Warnings about the names of variables.
    warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Problem {
    name: &'static str,
    text: String,
}

impl Problems {
    /// Creates an error with one problem, which a module that uses the configuration has found.
    pub(crate) fn one(name: &'static str, text: String) -> Self {
        Self { found: vec![Problem { name, text }], warnings: Vec::new() }
    }

    /// Adds the warnings that an invalid configuration would otherwise hide.
    pub(super) fn with_warnings(self, warnings: Vec<String>) -> Self {
        Self { warnings, ..self }
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
        self.found.iter().try_for_each(|problem| write!(f, "\n{}: {}", problem.name, problem.text))?;
        self.warnings.iter().try_for_each(|warning| write!(f, "\nwarning: {warning}"))
    }
}

impl Error for Problems {}
