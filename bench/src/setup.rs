//! What a scenario wants of the proxies' configuration.

/// Beside it every side is configured alike in all scenarios.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup {
    /// Is each request logged to a file, in the side's default format?
    pub access_log: bool,
    /// Virtual hosts with one route each; with 0 there is one for every host name.
    pub virtual_hosts: u32,
    /// Connections that a side which asks for a limit makes room for.
    pub connections_max: u32,
}

impl Setup {
    pub const PLAIN: Self = Self { access_log: false, virtual_hosts: 0, connections_max: 4096 };

    /// The host names of the virtual hosts, as Envoy writes them; `load.lua` has the same.
    pub fn domains(&self) -> Vec<String> {
        match self.virtual_hosts {
            0 => vec!["*".into()],
            count => (0..count).map(domain).collect(),
        }
    }

    /// The host of a single request: the last one, which a scan of the table would reach last.
    pub fn host(&self) -> String {
        self.virtual_hosts.checked_sub(1).map_or("localhost".into(), domain)
    }
}

fn domain(number: u32) -> String {
    format!("host-{number}.example")
}
