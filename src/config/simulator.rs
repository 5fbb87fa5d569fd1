//! The Trust Hub of one's own.

use std::{net::SocketAddr, path::PathBuf};

use serde::Deserialize;

use super::{
    Account, Log, Row, Twilio,
    catalogue::{SIMULATOR_BIND, SIMULATOR_STATE},
    validate::Reader,
};

/// Where the simulator listens and what it remembers.
#[derive(Debug, Clone)]
pub struct SimulatorPlace {
    /// Where its API listens.
    pub bind: SocketAddr,
    /// Where it keeps its profiles; in memory, if there is no file.
    pub state: Option<PathBuf>,
}

/// What the simulator needs to run.
#[derive(Debug, Clone)]
pub struct Simulator {
    /// Where it listens and what it remembers.
    pub place: SimulatorPlace,
    /// Who may use it; at least one.
    pub accounts: Vec<Account>,
    /// What is logged, and how.
    pub log: Log,
    /// What looks like a slip in the variables, or is open to others.
    pub warnings: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct SimulatorSection {
    bind: Option<String>,
    state: Option<String>,
}

impl SimulatorSection {
    pub(super) fn read(self, reader: &mut Reader) -> Option<SimulatorPlace> {
        let state = reader.text(&SIMULATOR_STATE, self.state).map(PathBuf::from);
        Some(SimulatorPlace { bind: reader.address(&SIMULATOR_BIND, self.bind)?, state })
    }
}

/// The accounts of the file, and the one that the token is bound to.
pub(super) fn accounts(twilio: Twilio) -> Vec<Account> {
    let listed = twilio.accounts.map(|accounts| accounts.list);
    let bound = twilio.account_sid.map(|sid| Account { sid, tokens: twilio.auth_tokens, api_key: None });
    listed.into_iter().flatten().chain(bound).collect()
}

impl SimulatorPlace {
    /// Reviews are decided without a password.
    pub(super) fn warning(&self) -> Option<String> {
        let name = SIMULATOR_BIND.name;
        let is_open = !self.bind.ip().is_loopback();
        is_open.then(|| format!("{name} is not a loopback address; whoever reaches it may decide reviews"))
    }

    pub(super) fn describe(&self) -> Vec<Row> {
        let state = self.state.as_ref().map(|file| file.display().to_string());
        vec![(SIMULATOR_BIND.name, self.bind.to_string()), (SIMULATOR_STATE.name, state.unwrap_or_default())]
    }
}
