//! `config`: what the service would run with.

use super::{
    Variables,
    output::{Failure, print, say},
};
use crate::{app, config::Loaded};

/// The configuration of these variables, or every problem in it.
pub(super) fn load(variables: Variables) -> Result<Loaded, Failure> {
    app::load(variables).map_err(Failure::usage)
}

pub(super) fn run(variables: Variables) -> Result<(), Failure> {
    let Loaded { config, warnings } = load(variables)?;
    for warning in warnings {
        say(&format!("warning: {warning}"));
    }
    config.describe().iter().try_for_each(|(name, value)| print(&format!("{name}={value}")))
}
