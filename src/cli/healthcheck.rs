//! `healthcheck`: for images without a shell.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use super::{Variables, http::ask, output::Failure};
use crate::config;

const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Ask whether the service can take callbacks (/readyz) instead of whether it is alive (/livez)
    #[arg(long)]
    ready: bool,
}

pub(super) fn run(arguments: &Arguments, variables: Variables) -> Result<(), Failure> {
    let path = if arguments.ready { "/readyz" } else { "/livez" };
    let bind = config::load_admin(variables).map_err(Failure::usage)?.bind;
    let address = SocketAddr::new(reachable(bind.ip()), bind.port());
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let status = ask(address, &request, PATIENCE)
        .map_err(|error| Failure::Failed(format!("http://{address}{path}: {error}")))?;
    if status.split(' ').nth(1) == Some("200") {
        Ok(())
    } else {
        Err(Failure::Failed(format!("http://{address}{path}: {}", status.trim_end())))
    }
}

/// Where a listener on all addresses can be reached from the same machine.
fn reachable(bind: IpAddr) -> IpAddr {
    match bind {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}
