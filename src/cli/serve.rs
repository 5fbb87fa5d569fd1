//! `serve`: the service.

use super::{output::Failure, variables::Variables};
use crate::{
    app::{Ports, Service, block_on, fit_descriptors, log_start},
    config::{Config, LoadedConfig},
    shutdown::{ReloadSignals, StopSignals},
    telemetry::init_logging,
};

pub(super) fn run(variables: Variables) -> Result<(), Failure> {
    let LoadedConfig { mut config, warnings } = super::config::load(variables)?;
    init_logging(config.logging.format, &config.logging.filter).map_err(Failure::failed)?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    fit_descriptors(&mut config);
    block_on(serve(config)).map_err(Failure::failed)?
}

async fn serve(config: Config) -> Result<(), Failure> {
    let mut signals = StopSignals::listen().map_err(Failure::failed)?;
    let mut reloads = ReloadSignals::listen().map_err(Failure::failed)?;
    // Also a start that fails says which version it was.
    log_start(&config);
    let ports = Ports::bind(&config).map_err(Failure::failed)?;
    let service = Service::start(config, ports).map_err(Failure::failed)?;
    let signal = loop {
        tokio::select! {
            signal = signals.next() => break signal,
            () = reloads.next() => service.reload_keys(),
        }
    };
    tracing::info!(signal = signal.name(), "stopping");
    stop(service, &mut signals).await
}

/// Stops the service. A second signal ends the process immediately, as a kill would. That loses nothing, because every
/// callback that was answered 204 is already durable.
pub(super) async fn stop(service: Service, signals: &mut StopSignals) -> Result<(), Failure> {
    // A task, so that a second signal does not drop the service here: dropping a Kafka client can take long.
    let stopped = tokio::spawn(service.stop());
    tokio::select! {
        stopped = stopped => stopped.map_err(Failure::failed),
        signal = signals.next() => {
            let name = signal.name();
            tracing::error!(
                signal = name,
                "received a second signal while stopping; exiting immediately without draining"
            );
            Err(Failure::Interrupted(signal.exit_code()))
        }
    }
}
