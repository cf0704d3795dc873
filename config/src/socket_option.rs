//! Options of sockets: `envoy.config.core.v3.SocketOption` and `TcpKeepalive`.

use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3 as wire;
use wire::socket_option::{SocketState as WireState, Value};

use crate::report::{At, Note};

/// An option for `setsockopt(2)` (`envoy.config.core.v3.SocketOption`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketOption {
    /// `description`, for messages.
    pub description: String,
    /// `level`.
    pub level: i32,
    /// `name`.
    pub name: i32,
    /// `int_value` in the machine's byte order, or `buf_value`.
    pub value: Vec<u8>,
    /// `state`.
    pub state: SocketState,
}

/// When an option is set (`envoy.config.core.v3.SocketOption.SocketState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketState {
    /// `STATE_PREBIND`.
    Prebind,
    /// `STATE_BOUND`.
    Bound,
    /// `STATE_LISTENING`.
    Listening,
}

/// Probes of connections on which nothing goes (`envoy.config.core.v3.TcpKeepalive`). What is absent
/// is as the system has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpKeepalive {
    /// `keepalive_probes`: so many without an answer end the connection.
    pub probes: Option<u32>,
    /// `keepalive_time`: how long nothing has gone before the first probe, in whole seconds.
    pub time: Option<Duration>,
    /// `keepalive_interval`: between probes, in whole seconds.
    pub interval: Option<Duration>,
}

impl SocketOption {
    /// Reads a field of options, which `at` stands for.
    pub(crate) fn list_from_wire(wire: &[wire::SocketOption], at: &At<'_>) -> Vec<Self> {
        let read = |(index, option)| Self::from_wire(option, &at.index(index));
        wire.iter().enumerate().filter_map(read).collect()
    }

    fn from_wire(wire: &wire::SocketOption, at: &At<'_>) -> Option<Self> {
        let number = |value: i64, name| {
            let number = i32::try_from(value);
            number
                .map_err(|_| {
                    at.field(name).error(
                        Note::from(format!("{value} does not fit an int"))
                            .help("an int is -2147483648 to 2147483647"),
                    )
                })
                .ok()
        };
        let value = match &wire.value {
            Some(Value::IntValue(value)) => number(*value, "int_value")?.to_ne_bytes().to_vec(),
            Some(Value::BufValue(bytes)) => bytes.clone(),
            None => {
                at.error("one of int_value, buf_value is required");
                return None;
            }
        };
        Some(Self {
            description: wire.description.clone(),
            level: number(wire.level, "level")?,
            name: number(wire.name, "name")?,
            value,
            state: match wire.state() {
                WireState::StatePrebind => SocketState::Prebind,
                WireState::StateBound => SocketState::Bound,
                WireState::StateListening => SocketState::Listening,
            },
        })
    }
}

impl TcpKeepalive {
    pub(crate) fn from_wire(wire: wire::TcpKeepalive) -> Self {
        let seconds = |count: Option<u32>| count.map(|count| Duration::from_secs(count.into()));
        Self {
            probes: wire.keepalive_probes.map(|probes| probes.value),
            time: seconds(wire.keepalive_time.map(|time| time.value)),
            interval: seconds(wire.keepalive_interval.map(|interval| interval.value)),
        }
    }
}
