//! Sorts the variables: ours, those that nearly are, and the rest, which is nobody's business.

use std::{collections::BTreeMap, ffi::OsString};

use serde::de::DeserializeOwned;

use super::{
    catalogue::{VARIABLES, Variable},
    suggest,
    validate::Reader,
};

/// The variables of the [catalogue](VARIABLES) that are set.
pub(super) struct Environment {
    ours: BTreeMap<&'static str, String>,
    warnings: Vec<String>,
}

impl Environment {
    /// Keeps the variables that are ours; an empty text counts as not set.
    pub(super) fn collect(vars: impl IntoIterator<Item = (OsString, OsString)>, reader: &mut Reader) -> Self {
        let mut environment = Self { ours: BTreeMap::new(), warnings: Vec::new() };
        for (name, value) in vars {
            let Some(name) = name.to_str() else { continue };
            match VARIABLES.iter().find(|variable| variable.name == name) {
                Some(variable) => environment.keep(variable, value, reader),
                None => environment.warnings.extend(suggest::warning(name)),
            }
        }
        environment.warnings.sort();
        environment
    }

    fn keep(&mut self, variable: &'static Variable, value: OsString, reader: &mut Reader) {
        match value.into_string() {
            Ok(text) if text.is_empty() => {}
            Ok(text) => {
                self.ours.insert(variable.name, text);
            }
            Err(_) => reader.report(variable, "is not valid UTF-8; write it as UTF-8 text"),
        }
    }

    /// One section: the variables with this prefix.
    ///
    /// envy sees only exact names of ours. It lower-cases names and strips a prefix repeatedly, so `kafka_topic` or
    /// `KAFKA_KAFKA_TOPIC` would otherwise pass for `KAFKA_TOPIC`. A section struct has only `Option<String>` fields:
    /// envy stops at the first value that does not parse and puts it into the message.
    pub(super) fn section<T: DeserializeOwned>(&self, prefix: &'static str, reader: &mut Reader) -> Option<T> {
        let vars = self.ours.iter().map(|(name, text)| ((*name).to_owned(), text.clone()));
        let section = envy::prefixed(prefix).from_iter(vars).ok();
        if section.is_none() {
            reader.report_jointly(prefix, "cannot be read; compare the variables with this prefix with the reference");
        }
        section
    }

    pub(super) fn into_warnings(self) -> Vec<String> {
        self.warnings
    }
}
