//! Everything that is wrong with a configuration, in one error.

use std::{error::Error, fmt};

use super::catalogue::Variable;

/// Every problem of a configuration: one line each, with the variable and what to write instead.
///
/// No line holds a value that was given, so the error may be printed and logged.
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
    /// A problem that only another room can find.
    pub(crate) fn one(name: &'static str, text: String) -> Self {
        Self { found: vec![Problem { name, text }] }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Whether something is already known to be wrong with the variable.
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
