//! Whether a request to a URL can be read by others on the network.

use std::net::IpAddr;

/// The host and the port of a URL that is not encrypted.
pub(super) fn unencrypted_authority(url: &str) -> Option<&str> {
    url.strip_prefix("http://")?.split('/').next()
}

/// The host of this authority, `host` or `host:port`, without the brackets of an IPv6 address.
pub(super) fn host_of(authority: &str) -> &str {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        _ => authority,
    };
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Whether the host of this authority, `host` or `host:port`, is this machine.
pub(super) fn is_loopback(authority: &str) -> bool {
    let host = host_of(authority);
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
