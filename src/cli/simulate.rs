//! `simulate`: Trust Hub without Twilio.

use std::{net::TcpListener, sync::Arc};

use super::{
    Variables,
    output::{Failure, say},
};
use crate::{
    app::block_on,
    config::{self, Simulator},
    lifecycle::StopSignals,
    simulator::{self, Account, Seeding, Store, World},
    telemetry::init_logging,
};

/// What `simulate --help` says.
pub(super) const LONG: &str = "Run a Trust Hub of your own: Twilio's API for profiles, reviews on demand, signed callbacks

It listens on SIMULATOR_BIND and serves the accounts of TWILIO_ACCOUNT_SID with TWILIO_AUTH_TOKEN, or those of
TWILIO_ACCOUNTS_FILE. With SIMULATOR_STATE it keeps its profiles in that file. Point Twilio's libraries at it, then:

  curl -d code=18602 http://127.0.0.1:8090/simulator/profiles/BU…/reject
  curl -X POST http://127.0.0.1:8090/simulator/profiles/BU…/approve
  curl http://127.0.0.1:8090/simulator/callbacks

Everything that can be set here can be set later too, with POST /simulator/settings; /openapi.json describes all of it.";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Make so many profiles at the start
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    profiles: u32,
    /// A setting, such as speed=60, auto_review_secs=5, auto_reject=20, drop=30, duplicate=20, delay=10,
    /// construction=body-hash or too_many_requests=5; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE")]
    settings: Vec<String>,
    /// Decides about everything that is drawn by lot; the same number draws the same
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
}

pub(super) fn run(arguments: &Arguments, variables: Variables) -> Result<(), Failure> {
    let config = config::load_simulator(variables).map_err(Failure::usage)?;
    init_logging(config.log.format, &config.log.filter);
    block_on(simulate(arguments, config)).map_err(Failure::failed)?
}

async fn simulate(arguments: &Arguments, config: Simulator) -> Result<(), Failure> {
    let mut signals = StopSignals::listen().map_err(Failure::failed)?;
    let bind = config.place.bind;
    let listener =
        TcpListener::bind(bind).map_err(|error| Failure::Failed(format!("SIMULATOR_BIND: {bind}: {error}")))?;
    let address = listener.local_addr().map_err(Failure::failed)?;
    let world = Arc::new(build(arguments, config)?);
    let server = simulator::server(listener, Arc::clone(&world)).map_err(Failure::failed)?;
    let handle = server.handle();
    say(&format!("Trust Hub is simulated on http://{address}; /openapi.json describes it, Ctrl-C ends it."));
    tokio::select! {
        ended = server => ended.map_err(Failure::failed),
        () = world.turn() => Ok(()),
        _ = signals.next() => {
            handle.stop(true).await;
            Ok(())
        }
    }
}

fn build(arguments: &Arguments, config: Simulator) -> Result<World, Failure> {
    let store = config.place.state.as_deref().map(Store::open).transpose();
    let store = store.map_err(|bad| Failure::Failed(format!("SIMULATOR_STATE: {bad}")))?;
    let accounts: Vec<_> = config.accounts.into_iter().map(account).collect();
    let world = World::new(accounts, store, arguments.seed).map_err(Failure::failed)?;
    set(&world, &arguments.settings)?;
    if arguments.profiles > 0 {
        world.seed(&Seeding { count: arguments.profiles, ..Seeding::default() }).map_err(Failure::failed)?;
    }
    Ok(world)
}

fn account(account: config::Account) -> Account {
    Account { sid: account.sid, tokens: account.tokens, api_key: account.api_key.map(|key| (key.sid, key.secret)) }
}

fn set(world: &World, settings: &[String]) -> Result<(), Failure> {
    let mut all = world.settings();
    for setting in settings {
        let (name, value) = setting.split_once('=').ok_or_else(|| Failure::usage("--set: write NAME=VALUE"))?;
        all = all.with(name, value).map_err(|bad| Failure::Usage(format!("--set: {bad}")))?;
    }
    world.set(all);
    Ok(())
}
