//! `simulate`: Trust Hub without Twilio.

use std::{fmt::Display, net::TcpListener, pin::pin, sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{
    Variables,
    output::{Failure, say},
};
use crate::{
    app::block_on,
    config::{self, Simulator},
    shutdown::StopSignals,
    simulator::{self, Account, Seeding, Settings, Store, World, model::MOST_PROFILES},
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
    #[arg(long, value_name = "COUNT", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=i64::from(MOST_PROFILES)))]
    profiles: u32,
    /// A setting, such as speed=60, auto_review_secs=5, auto_reject=20, drop=30, duplicate=20, delay=10,
    /// construction=body_hash or too_many_requests=5; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE")]
    settings: Vec<String>,
    /// Decides about everything that is drawn by lot; the same number draws the same
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
}

pub(super) fn run(arguments: &Arguments, variables: Variables) -> Result<(), Failure> {
    let config = config::load_simulator(variables).map_err(Failure::usage)?;
    init_logging(config.log.format, &config.log.filter).map_err(Failure::failed)?;
    for warning in &config.warnings {
        say(&format!("warning: {warning}"));
    }
    block_on(simulate(arguments, config)).map_err(Failure::failed)?
}

async fn simulate(arguments: &Arguments, config: Simulator) -> Result<(), Failure> {
    let mut signals = StopSignals::listen().map_err(Failure::failed)?;
    let bind = config.place.bind;
    let listener =
        TcpListener::bind(bind).map_err(|error| Failure::Failed(format!("SIMULATOR_BIND: {bind}: {error}")))?;
    let address = listener.local_addr().map_err(Failure::failed)?;
    let world = Arc::new(build(arguments, config)?);
    tokio::select! {
        seeded = seed(&world, arguments.profiles) => seeded?,
        _ = signals.next() => return Ok(()),
    }
    let mut server = pin!(simulator::server(listener, Arc::clone(&world)).map_err(Failure::failed)?);
    let handle = server.as_ref().handle();
    say(&format!("Trust Hub is simulated on http://{address}; /openapi.json describes it, Ctrl-C ends it."));
    tokio::select! {
        ended = &mut server => return ended.map_err(Failure::failed),
        () = Arc::clone(&world).turn() => {}
        _ = signals.next() => {}
    }
    let (_, ended) = tokio::join!(handle.stop(true), server);
    settle(&world, signals).await;
    ended.map_err(Failure::failed)
}

fn build(arguments: &Arguments, config: Simulator) -> Result<World, Failure> {
    let store = config.place.state.as_deref().map(Store::open).transpose();
    let store = store.map_err(|bad| Failure::Failed(format!("SIMULATOR_STATE: {bad}")))?;
    let accounts: Vec<_> = config.accounts.into_iter().map(account).collect();
    let world = World::new(accounts, store, arguments.seed).map_err(Failure::failed)?;
    set(&world, &arguments.settings)?;
    Ok(world)
}

fn account(account: config::Account) -> Account {
    Account { sid: account.sid, tokens: account.tokens, api_key: account.api_key.map(|key| (key.sid, key.secret)) }
}

fn set(world: &World, settings: &[String]) -> Result<(), Failure> {
    let wrong = |wrong: &dyn Display| Failure::Usage(format!("--set: {wrong}"));
    let change = |all| {
        settings.iter().try_fold(all, |all: Settings, setting| {
            let (name, value) = setting.split_once('=').ok_or_else(|| wrong(&"write NAME=VALUE"))?;
            all.with(name, value).map_err(|bad| wrong(&bad))
        })
    };
    world.change_settings(change).map(drop)
}

async fn seed(world: &World, count: u32) -> Result<(), Failure> {
    if count > 0 {
        world.seed(&Seeding { count, ..Seeding::default() }).await.map_err(Failure::failed)?;
    }
    Ok(())
}

/// What was announced is sent yet, as long as nobody loses patience: nothing announces it again.
async fn settle(world: &World, mut signals: StopSignals) {
    /// As long as Twilio's callbacks may take.
    const PATIENCE: Duration = Duration::from_secs(15);
    let waiting = world.postman().under_way();
    if waiting == 0 {
        return;
    }
    say(&format!("{waiting} callbacks are under way; Ctrl-C does not wait for them."));
    tokio::select! {
        _ = timeout(PATIENCE, world.postman().settled()) => {}
        _ = signals.next() => {}
    }
    let left = world.postman().under_way();
    if left > 0 {
        say(&format!("{left} callbacks are not sent."));
    }
}
