//! `healthcheck`: requests a probe of the admin port, for images without a shell.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use super::{http::send, output::Failure, variables::Variables};
use crate::config;

const TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Check whether the service can accept callbacks (/readyz) instead of whether it is alive (/livez)
    #[arg(long)]
    ready: bool,
}

pub(super) fn run(arguments: &Arguments, variables: Variables) -> Result<(), Failure> {
    let path = if arguments.ready { "/readyz" } else { "/livez" };
    let bind = config::load_admin(variables).map_err(Failure::usage)?.bind;
    let address = SocketAddr::new(local_address(bind.ip()), bind.port());
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let status = send(address, &request, TIMEOUT)
        .map_err(|error| Failure::failed(format!("http://{address}{path}: {error}")))?;
    if status.split(' ').nth(1) == Some("200") {
        Ok(())
    } else {
        Err(Failure::failed(format!("http://{address}{path}: {}", status.trim_end())))
    }
}

/// The address at which the same machine reaches a listener. A listener on all addresses is reached over loopback.
fn local_address(bind: IpAddr) -> IpAddr {
    match bind {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}
