//! The sockets that `dev` listens on.

use std::net::{SocketAddr, TcpListener};

use super::super::{output::Failure, variables::Variables};
use crate::app::StartError;

/// An address that `dev` listens on, and the variable that changes it.
struct PortSetting {
    variable: &'static str,
    default: &'static str,
}

const PUBLIC: PortSetting = PortSetting { variable: "HTTP_BIND", default: "127.0.0.1:8080" };
const ADMIN: PortSetting = PortSetting { variable: "ADMIN_BIND", default: "127.0.0.1:9090" };
const CONSOLE: PortSetting = PortSetting { variable: "CONSOLE_BIND", default: "127.0.0.1:9091" };
const SIMULATOR: PortSetting = PortSetting { variable: "SIMULATOR_BIND", default: "127.0.0.1:8090" };
/// Not 9092, where a Kafka may run already.
const KAFKA: PortSetting = PortSetting { variable: "KAFKA_BIND", default: "127.0.0.1:19092" };

/// An address with a free port.
const FREE: &str = "127.0.0.1:0";

/// The listening sockets.
pub(super) struct DevPorts {
    pub(super) public: TcpListener,
    pub(super) admin: TcpListener,
    /// `None` for `--once`, which ends before anyone can look at it.
    pub(super) console: Option<TcpListener>,
    pub(super) simulator: TcpListener,
    pub(super) kafka: TcpListener,
}

impl DevPorts {
    /// Listens on the addresses in the variables, otherwise on the default ports, or on free ones. Kafka also gets a free
    /// port if the simulator does.
    pub(super) fn bind(variables: &Variables, are_free: bool) -> Result<Self, Failure> {
        let address = |setting: &PortSetting, is_free: bool| {
            let default = if is_free { FREE } else { setting.default };
            parse(setting, value(variables, setting.variable).unwrap_or(default))
        };
        let simulator = address(&SIMULATOR, are_free)?;
        let kafka = address(&KAFKA, are_free || simulator.port() == 0)?;
        if !kafka.ip().is_loopback() {
            return Err(Failure::usage(
                "KAFKA_BIND: write a loopback address, such as 127.0.0.1:19092; this Kafka sends its clients to loopback",
            ));
        }
        let console = address(&CONSOLE, are_free)?;
        if !console.ip().is_loopback() {
            return Err(Failure::usage(
                "CONSOLE_BIND: write a loopback address, such as 127.0.0.1:9091; the console of dev has no password",
            ));
        }
        Ok(Self {
            public: listen(&PUBLIC, address(&PUBLIC, are_free)?)?,
            admin: listen(&ADMIN, address(&ADMIN, are_free)?)?,
            console: if are_free { None } else { Some(listen(&CONSOLE, console)?) },
            simulator: listen(&SIMULATOR, simulator)?,
            kafka: listen(&KAFKA, kafka)?,
        })
    }
}

/// The value of a variable that is neither missing nor empty.
pub(super) fn value<'v>(variables: &'v Variables, name: &str) -> Option<&'v str> {
    let found = variables.iter().find(|(variable, _)| variable == name);
    found.and_then(|(_, value)| value.to_str()).filter(|value| !value.is_empty())
}

fn parse(setting: &PortSetting, address: &str) -> Result<SocketAddr, Failure> {
    let PortSetting { variable, default } = setting;
    let wrong = |_| Failure::usage(format!("{variable}: write an IP address and a port, such as {default}"));
    address.parse().map_err(wrong)
}

fn listen(setting: &PortSetting, address: SocketAddr) -> Result<TcpListener, Failure> {
    let variable = setting.variable;
    TcpListener::bind(address).map_err(|error| Failure::failed(StartError::Listen { variable, address, error }))
}
