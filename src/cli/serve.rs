//! `serve`: the service.

use super::{Variables, output::Failure};
use crate::{
    app::{Ports, Service, block_on, fit_descriptors},
    config::{Config, Loaded},
    lifecycle::StopSignals,
    telemetry::init_logging,
};

pub(super) fn run(variables: Variables) -> Result<(), Failure> {
    let Loaded { mut config, warnings } = super::config::load(variables)?;
    init_logging(config.log.format, &config.log.filter);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    fit_descriptors(&mut config.http);
    block_on(serve(config)).map_err(Failure::failed)?
}

async fn serve(config: Config) -> Result<(), Failure> {
    let mut signals = StopSignals::listen().map_err(Failure::failed)?;
    let ports = Ports::of(&config).map_err(Failure::failed)?;
    let service = Service::start(config, ports).map_err(Failure::failed)?;
    let signal = signals.next().await;
    tracing::info!(signal, "stopping");
    service.stop().await;
    Ok(())
}
