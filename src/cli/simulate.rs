//! `simulate`: a Trust Hub simulator alone.

use std::{fmt::Display, future, net::TcpListener, pin::pin, sync::Arc, time::Duration};

use tokio::time::timeout;
use trusthub_simulator::{
    self as simulator, AllowedHost, CallbackSignerError, ReviewRule, SeedRequest, Simulator, SimulatorAccount,
    SimulatorSettings, SmtpServer, StateFile, model::MAX_PROFILES,
};

use super::{
    activity::ActivityLog,
    output::{Failure, say, warn_all},
    variables::Variables,
};
use crate::{
    app::block_on,
    config::{self, AccountConfig, SimulateCommandConfig},
    domain::AccountSid,
    shutdown::StopSignals,
    telemetry::{init_logging, write_line},
};

/// What `simulate --help` says.
pub(super) const LONG: &str =
    "Run a Trust Hub simulator: Twilio's API for profiles, reviews on demand, signed callbacks

It listens on SIMULATOR_BIND and serves the account TWILIO_ACCOUNT_SID with TWILIO_AUTH_TOKEN and TWILIO_SHARED_KEYS, or the
accounts in TWILIO_ACCOUNTS_FILE. With SIMULATOR_STATE, it stores its profiles in that file. Twilio's client libraries work with it.
These requests do what Twilio's API cannot:

  curl -d code=18602 http://127.0.0.1:8090/simulator/profiles/BU…/reject
  curl -X POST http://127.0.0.1:8090/simulator/profiles/BU…/approve
  curl http://127.0.0.1:8090/simulator/profiles
  curl http://127.0.0.1:8090/simulator/callbacks

It shows each request and each callback on stderr, with times in UTC and without queries and bodies. All settings can also be changed while it runs, with POST /simulator/settings; /openapi.json describes all requests.";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Number of profiles to create at startup
    #[arg(long, value_name = "COUNT", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=i64::from(MAX_PROFILES)))]
    profiles: u32,
    /// A setting, such as speed=60, auto_review_secs=5, auto_reject=20, drop=30, duplicate=20, delay=10,
    /// construction=body_hash or too_many_requests=5; can be repeated
    #[arg(long = "set", value_name = "NAME=VALUE")]
    settings: Vec<String>,
    /// A rule of the automatic reviewer (see auto_review_secs), such as 'business_name=*fail* => reject 18602: Not in the
    /// register' or 'friendly_name=*pass* => approve'; the first one that matches decides; can be repeated
    #[arg(long = "rule", value_name = "FIELD=TEXT => DECISION")]
    rules: Vec<ReviewRule>,
    /// What signs the callbacks of an account (by default the first): auth_token, the id of a SharedKey, or a list of
    /// them that take turns; can be repeated
    #[arg(long, value_name = "[ACCOUNT=]KEY,…")]
    signed_by: Vec<String>,
    /// An SMTP server on this machine that receives the e-mails about decisions, such as 127.0.0.1:1025
    #[arg(long, value_name = "ADDRESS")]
    smtp: Option<SmtpServer>,
    /// Seed of all random choices; the same number gives the same choices
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// A host name under which the simulator may be addressed in addition to loopback addresses and *.localhost (if
    /// SIMULATOR_BIND is not loopback, any IP address and names without a dot), so that pages of other names cannot control
    /// it; can be repeated
    #[arg(long = "allowed-host", value_name = "NAME")]
    allowed_hosts: Vec<AllowedHost>,
    /// Do not show requests and callbacks
    #[arg(long)]
    quiet: bool,
}

pub(super) fn run(arguments: &Arguments, variables: Variables) -> Result<(), Failure> {
    let config = config::load_simulate(variables.clone()).map_err(Failure::usage)?;
    init_logging(config.logging.format, &config.logging.filter).map_err(Failure::failed)?;
    warn_all(&config.warnings);
    block_on(simulate(arguments, config, &variables)).map_err(Failure::failed)?
}

async fn simulate(arguments: &Arguments, config: SimulateCommandConfig, variables: &Variables) -> Result<(), Failure> {
    let mut signals = StopSignals::listen().map_err(Failure::failed)?;
    let bind = config.simulator.bind;
    let listener =
        TcpListener::bind(bind).map_err(|error| Failure::failed(format!("SIMULATOR_BIND: {bind}: {error}")))?;
    let address = listener.local_addr().map_err(Failure::failed)?;
    let simulator = Arc::new(create(arguments, config)?);
    tokio::select! {
        seeded = seed(&simulator, arguments.profiles) => seeded?,
        _ = signals.next() => return Ok(()),
    }
    let server = simulator::server(listener, Arc::clone(&simulator), arguments.allowed_hosts.clone());
    let mut server = pin!(server.map_err(Failure::failed)?);
    let mut activity = (!arguments.quiet).then(|| ActivityLog::of(&simulator, variables));
    let handle = server.as_ref().handle();
    say(&format!(
        "The Trust Hub simulator listens on http://{address}; Ctrl-C stops it.\nWhat to type: curl http://{address}"
    ));
    if !arguments.rules.is_empty() && simulator.settings().auto_review_secs.is_none() {
        say("The rules have no effect until the setting auto_review_secs is a number.");
    }
    tokio::select! {
        ended = &mut server => return ended.map_err(Failure::failed),
        () = Arc::clone(&simulator).run_timers() => {}
        () = show(activity.as_mut()) => {}
        _ = signals.next() => {}
    }
    let (_, ended) = tokio::join!(handle.stop(true), server);
    tokio::select! {
        () = finish_callbacks(&simulator, signals) => {}
        () = show(activity.as_mut()) => {}
    }
    if let Some(activity) = activity {
        activity.finish();
    }
    ended.map_err(Failure::failed)
}

/// Shows what happens until it is dropped.
async fn show(activity: Option<&mut ActivityLog>) {
    match activity {
        Some(activity) => activity.run().await,
        None => future::pending().await,
    }
}

fn create(arguments: &Arguments, config: SimulateCommandConfig) -> Result<Simulator, Failure> {
    let state = config.simulator.state.as_deref().map(StateFile::open).transpose();
    let state = state.map_err(|error| Failure::failed(format!("SIMULATOR_STATE: {error}")))?;
    let accounts: Vec<_> = config.accounts.into_iter().map(account).collect();
    let first = accounts.first().map(|account| account.sid);
    let simulator = Simulator::new(accounts, state, arguments.seed).map_err(Failure::failed)?;
    apply_settings(&simulator, &arguments.settings)?;
    for rule in &arguments.rules {
        simulator.add_rule(rule.clone()).map_err(|error| Failure::usage(format!("--rule: {error}")))?;
    }
    if let Some(server) = arguments.smtp {
        simulator.deliver_emails(server).map_err(Failure::failed)?;
    }
    for signers in &arguments.signed_by {
        set_signers(&simulator, first.as_ref(), signers)
            .map_err(|problem| Failure::usage(format!("--signed-by: {problem}")))?;
    }
    Ok(simulator)
}

fn account(account: AccountConfig) -> SimulatorAccount {
    let api_key = account.api_key.map(|key| (key.sid, key.secret));
    SimulatorAccount { sid: account.sid, tokens: account.tokens, api_key, shared_keys: account.shared_keys }
}

fn apply_settings(simulator: &Simulator, settings: &[String]) -> Result<(), Failure> {
    let usage = |problem: &dyn Display| Failure::usage(format!("--set: {problem}"));
    let change = |all| {
        settings.iter().try_fold(all, |all: SimulatorSettings, setting| {
            let (name, value) = setting.split_once('=').ok_or_else(|| usage(&"write NAME=VALUE"))?;
            all.with(name, value).map_err(|error| usage(&error))
        })
    };
    simulator.change_settings(change).map(drop)
}

/// Sets the signers of the account before the `=`, or of the first account.
fn set_signers(simulator: &Simulator, first: Option<&AccountSid>, text: &str) -> Result<(), String> {
    let (account, signers) = match text.split_once('=') {
        Some((sid, signers)) => {
            let wrong = |_| "write the SID of an account before the =, such as AC…=webhooks_sharedkey_1".to_owned();
            (AccountSid::parse(sid).map_err(wrong)?, signers)
        }
        None => (first.cloned().ok_or("the simulator has no account")?, text),
    };
    let signers = signers.parse().map_err(|error: CallbackSignerError| error.to_string())?;
    simulator.sender().set_account_signers(&account, signers).map_err(|error| error.to_string())
}

async fn seed(simulator: &Simulator, count: u32) -> Result<(), Failure> {
    if count > 0 {
        simulator.seed(&SeedRequest { count, ..SeedRequest::default() }).await.map_err(Failure::failed)?;
    }
    Ok(())
}

/// Sends the pending callbacks until a timeout or a second signal, because nothing announces them again later.
async fn finish_callbacks(simulator: &Simulator, mut signals: StopSignals) {
    /// The maximum duration of one of Twilio's callbacks.
    const TIMEOUT: Duration = Duration::from_secs(15);
    let pending = simulator.sender().pending();
    if pending == 0 {
        return;
    }
    write_line(&format!("{pending} callbacks are pending; press Ctrl-C again to exit without sending them."));
    tokio::select! {
        _ = timeout(TIMEOUT, simulator.sender().wait_until_idle()) => {}
        _ = signals.next() => {}
    }
    let unsent = simulator.sender().pending();
    if unsent > 0 {
        write_line(&format!("{unsent} callbacks were not sent."));
    }
}
