//! `healthcheck`: for images without a shell.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

use super::{Variables, output::Failure};
use crate::config;

const PATIENCE: Duration = Duration::from_secs(2);

/// The longest status line that is worth reading.
const STATUS_LINE: u64 = 64;

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
    let status = ask(address, path).map_err(|error| Failure::Failed(format!("http://{address}{path}: {error}")))?;
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

/// One request over a plain socket: an HTTP client would be the largest part of this command.
fn ask(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut start = Vec::new();
    stream.take(STATUS_LINE).read_to_end(&mut start)?;
    let text = String::from_utf8_lossy(&start).into_owned();
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
