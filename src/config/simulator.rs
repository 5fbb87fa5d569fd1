//! The Trust Hub simulator.

use std::{net::SocketAddr, path::PathBuf};

use serde::Deserialize;

use super::{
    AccountConfig, LoggingConfig, TwilioConfig,
    catalogue::{SIMULATOR_BIND, SIMULATOR_STATE},
    describe::Row,
    validate::Validator,
};

/// The address and the state file of the simulator.
#[derive(Debug, Clone)]
pub struct SimulatorConfig {
    /// The address that its API listens on.
    pub bind: SocketAddr,
    /// The file that stores its profiles; `None` keeps them in memory.
    pub state: Option<PathBuf>,
}

/// What `simulate` needs.
#[derive(Debug, Clone)]
pub struct SimulateCommandConfig {
    /// The address and the state file.
    pub simulator: SimulatorConfig,
    /// The accounts that can use the API; at least one.
    pub accounts: Vec<AccountConfig>,
    /// The format and the filter of the log.
    pub logging: LoggingConfig,
    /// One sentence for each variable whose name is almost that of a known one, and for each that is insecure.
    pub warnings: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct SimulatorSection {
    bind: Option<String>,
    state: Option<String>,
}

impl SimulatorSection {
    pub(super) fn validate(self, validator: &mut Validator) -> Option<SimulatorConfig> {
        let state = validator.value_or_default(&SIMULATOR_STATE, self.state).map(PathBuf::from);
        Some(SimulatorConfig { bind: validator.parse_address(&SIMULATOR_BIND, self.bind)?, state })
    }
}

/// Returns the accounts in the file, and the account that `TWILIO_AUTH_TOKEN` belongs to.
pub(super) fn accounts(twilio: TwilioConfig) -> Vec<AccountConfig> {
    let listed = twilio.accounts.map(|accounts| accounts.list);
    let bound = twilio.account_sid.map(|sid| AccountConfig {
        sid,
        tokens: twilio.auth_tokens,
        shared_keys: twilio.shared_keys,
        api_key: None,
    });
    listed.into_iter().flatten().chain(bound).collect()
}

impl SimulatorConfig {
    /// Warns if the simulator is reachable from other machines, because its control requests need no password.
    pub(super) fn warning(&self) -> Option<String> {
        let name = SIMULATOR_BIND.name;
        let is_open = !self.bind.ip().is_loopback();
        is_open.then(|| format!("{name} is not a loopback address; anyone who can connect to it can decide reviews"))
    }

    pub(super) fn describe(&self) -> Vec<Row> {
        let state = self.state.as_ref().map(|file| file.display().to_string());
        vec![(SIMULATOR_BIND.name, self.bind.to_string()), (SIMULATOR_STATE.name, state.unwrap_or_default())]
    }
}
