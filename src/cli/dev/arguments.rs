//! The options of `dev`.

use trusthub_simulator::{AllowedHost, SignerList};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Run one profile through its statuses, and exit: with code 0 only if every expected event arrived
    #[arg(long)]
    pub(super) once: bool,
    /// What signs the callbacks: auth_token, webhooks_sharedkey_dev, or both in turn, auth_token,webhooks_sharedkey_dev
    #[arg(long, value_name = "KEY,…", default_value = "auth_token")]
    pub(super) signed_by: SignerList,
    /// A host name under which the simulator may be addressed in addition to loopback addresses and *.localhost (if
    /// SIMULATOR_BIND is not loopback, any IP address and names without a dot), so that pages of other names cannot control
    /// it; can be repeated
    #[arg(long = "allowed-host", value_name = "NAME")]
    pub(super) allowed_hosts: Vec<AllowedHost>,
}
