//! Selects the variables of the catalogue, and warns about names that are almost one of them. It ignores all others.

use std::{collections::BTreeMap, ffi::OsString};

use serde::de::DeserializeOwned;

use super::{
    catalogue::{OFF_IF_EMPTY, RENAMED, Renamed, VARIABLES, Variable},
    suggest,
    validate::Validator,
};

/// The variables of the [catalogue](VARIABLES) that are set.
pub(super) struct Environment {
    values: BTreeMap<&'static str, String>,
    warnings: Vec<String>,
}

impl Environment {
    /// Collects the variables of the catalogue. An empty value counts as not set, except where it turns something off.
    pub(super) fn collect(vars: impl IntoIterator<Item = (OsString, OsString)>, validator: &mut Validator) -> Self {
        let mut environment = Self { values: BTreeMap::new(), warnings: Vec::new() };
        for (name, value) in vars {
            let Some(name) = name.to_str() else { continue };
            let former_names = RENAMED.iter().map(|renamed| renamed.former);
            match VARIABLES.iter().chain(former_names).find(|variable| variable.name == name) {
                Some(variable) => environment.insert(variable, value, validator),
                None => environment.warnings.extend(suggest::warning(name)),
            }
        }
        environment.warn_of_former_names();
        environment.warnings.sort();
        environment
    }

    fn insert(&mut self, variable: &'static Variable, value: OsString, validator: &mut Validator) {
        match value.into_string() {
            Ok(text) if text.is_empty() && !OFF_IF_EMPTY.contains(variable) => {}
            Ok(text) => {
                self.values.insert(variable.name, text);
            }
            Err(_) => validator.report(variable, "is not valid UTF-8; write it as UTF-8 text"),
        }
    }

    fn warn_of_former_names(&mut self) {
        for Renamed { former, current } in RENAMED {
            let (former, current) = (former.name, current.name);
            if !self.values.contains_key(former) {
                continue;
            }
            self.warnings.push(if self.values.contains_key(current) {
                format!("{former} is ignored because {current} is set; remove {former}")
            } else {
                format!("{former} is deprecated; set {current} instead")
            });
        }
    }

    /// Deserializes one section: the variables with this prefix.
    ///
    /// envy gets only variables of the catalogue. It lower-cases names and strips a prefix repeatedly, so `kafka_topic` or
    /// `KAFKA_KAFKA_TOPIC` would otherwise be read as `KAFKA_TOPIC`. All fields of a section struct are `Option<String>`,
    /// because envy stops at the first value that does not parse and puts it into the message.
    pub(super) fn section<T: DeserializeOwned>(&self, prefix: &'static str, validator: &mut Validator) -> Option<T> {
        let vars = self.values.iter().map(|(name, text)| ((*name).to_owned(), text.clone()));
        let section = envy::prefixed(prefix).from_iter(vars).ok();
        if section.is_none() {
            validator.report_combined(prefix, "cannot be parsed; compare these variables with docs/configuration.md");
        }
        section
    }

    /// Whether the variable is set to a text that is not empty.
    pub(super) fn is_set(&self, variable: &Variable) -> bool {
        self.values.contains_key(variable.name)
    }

    pub(super) fn into_warnings(self) -> Vec<String> {
        self.warnings
    }
}
