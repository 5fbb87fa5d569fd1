//! Reads sections from the variables, and joins what is wrong with all of them.

use std::ffi::OsString;

use serde::de::DeserializeOwned;

use super::{Problems, environment::Environment, logging, logging::LoggingConfig, validate::Validator};

/// Runs `read` on the variables. Returns its result with the warnings about the names of the variables.
pub(super) fn load_with<T>(
    vars: impl IntoIterator<Item = (OsString, OsString)>,
    read: impl FnOnce(&Environment, &mut Validator) -> Option<T>,
) -> Result<(T, Vec<String>), Problems> {
    let mut validator = Validator::default();
    let environment = Environment::collect(vars, &mut validator);
    let value = read(&environment, &mut validator);
    let warnings = environment.into_warnings();
    match validator.finish(value) {
        Ok(value) => Ok((value, warnings)),
        // A misspelled name can be the reason why a value is missing.
        Err(problems) => Err(problems.with_warnings(warnings)),
    }
}

pub(super) fn load_section<S: DeserializeOwned, T>(
    vars: impl IntoIterator<Item = (OsString, OsString)>,
    prefix: &'static str,
    read: impl FnOnce(S, &mut Validator) -> Option<T>,
) -> Result<T, Problems> {
    let is_part = |name: &OsString| name.to_str().is_some_and(|name| name.starts_with(prefix));
    let part = vars.into_iter().filter(|(name, _)| is_part(name));
    let loaded = load_with(part, |environment, validator| {
        environment.section::<S>(prefix, validator).and_then(|section| read(section, validator))
    });
    loaded.map(|(section, _)| section)
}

pub(super) fn read_logging(environment: &Environment, validator: &mut Validator) -> Option<LoggingConfig> {
    let format = environment.section::<logging::LogSection>("LOG_", validator)?.validate(validator);
    let filter = environment.section::<logging::RustSection>("RUST_", validator)?.validate(validator);
    Some(LoggingConfig { format, filter: filter? })
}
