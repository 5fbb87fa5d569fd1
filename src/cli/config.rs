//! `config`: prints the effective configuration.

use super::{
    output::{Failure, print, warn_all},
    variables::Variables,
};
use crate::{app, config::LoadedConfig};

/// Loads the configuration from these variables. A failure lists every problem.
pub(super) fn load(variables: Variables) -> Result<LoadedConfig, Failure> {
    app::load(variables).map_err(Failure::usage)
}

pub(super) fn run(variables: Variables) -> Result<(), Failure> {
    let LoadedConfig { config, warnings } = load(variables)?;
    warn_all(&warnings);
    config.describe().iter().try_for_each(|(name, value)| print(&format!("{name}={value}")))
}
