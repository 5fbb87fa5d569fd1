//! `serve`: the service.

use super::{Variables, output::Failure};
use crate::{
    app::{Ports, Service, block_on, raise_descriptor_limit},
    config::{Config, Loaded},
    lifecycle::asked_to_stop,
    telemetry::init_logging,
};

pub(super) fn run(variables: Variables) -> Result<(), Failure> {
    let Loaded { config, warnings } = super::config::load(variables)?;
    init_logging(config.log.format, &config.log.filter);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    raise_descriptor_limit(&config.http);
    let ports = Ports::of(&config).map_err(Failure::failed)?;
    block_on(serve(config, ports)).map_err(Failure::failed)?
}

async fn serve(config: Config, ports: Ports) -> Result<(), Failure> {
    let service = Service::start(config, ports).map_err(Failure::failed)?;
    let signal = asked_to_stop().await.map_err(Failure::failed)?;
    tracing::info!(signal, "stopping");
    service.stop().await;
    Ok(())
}
