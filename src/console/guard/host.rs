//! Which `Host` a request may name.
//!
//! A page of any site can let its own name resolve to a loopback address (DNS rebinding). The browser then treats the
//! console as a part of that site, so neither its origin nor its cookies tell the two apart; only the name in `Host` does.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Whether this is the name or an address of the machine itself, with any port: a forwarded port is often another one.
pub(super) fn is_loopback(host: &str) -> bool {
    match host.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(Some((address, port))) => {
            is_port_suffix(port) && address.parse().is_ok_and(|address: Ipv6Addr| address.is_loopback())
        }
        Some(None) => false,
        None => {
            let (name, port) = host.find(':').map_or((host, ""), |colon| host.split_at(colon));
            is_port_suffix(port) && is_loopback_name(name)
        }
    }
}

fn is_loopback_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // RFC 6761, section 6.3: names below localhost never leave the machine.
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback())
}

/// Whether this is nothing, or a colon and a port.
fn is_port_suffix(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_and_addresses_of_the_machine_itself_are_loopback() {
        for host in [
            "localhost",
            "localhost:9091",
            "LOCALHOST:80",
            "console.localhost:9091",
            "127.0.0.1",
            "127.0.0.1:9091",
            "127.1.2.3:1",
            "[::1]",
            "[::1]:9091",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:9091",
            "localhost.evil.example",
            "evillocalhost",
            "localhost.",
            "127.0.0.1.evil.example",
            "127.0.0.1:9091:80",
            "127.0.0.1:",
            "127.0.0.1:99999",
            "127.1",
            "0.0.0.0:9091",
            "[::1",
            "[::1]evil.example",
            "[::]:9091",
            "[::ffff:127.0.0.1]:9091",
            "10.0.0.1:9091",
            "localhost@evil.example",
            "2130706433",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
