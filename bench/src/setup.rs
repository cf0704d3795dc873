//! What a scenario wants of the proxies' configuration.

use std::net::Ipv4Addr;

use serde::Serialize;

/// Beside it every side is configured alike in all scenarios.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup {
    /// Is each request logged to a file, in the side's default format?
    pub access_log: bool,
    /// Do requests pass an address list, a rate limit that none reaches, and changes of headers?
    pub filters: bool,
    /// Virtual hosts with one route each; with 0 there is one for every host name.
    pub virtual_hosts: u32,
    /// Hosts behind the proxy, of which each connection of the load uses one; with 0 there is one for all.
    pub hosts: u32,
    /// Workers of the proxy, each on a core of its own.
    pub workers: u32,
    /// Connections that a side which asks for a limit makes room for.
    pub connections_max: u32,
    pub downstream: Downstream,
    pub upstream: Upstream,
}

/// What the listener takes; the templates know it by the variant's name in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Downstream {
    /// HTTP/1 in cleartext.
    Http1,
    /// HTTP/2 in cleartext, from the preface on. Sides that can take HTTP/1 on the same port do.
    H2c,
    /// TLS, HTTP/2 or HTTP/1 by ALPN.
    Tls,
    /// Bytes, which go to the upstream as they are.
    Tcp,
}

/// What is spoken to the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Upstream {
    /// HTTP/1 in cleartext.
    Http1,
    /// HTTP/2 in cleartext, from the preface on.
    H2c,
    /// HTTP/1 over TLS; the certificate is not verified.
    Tls,
}

impl Setup {
    pub const PLAIN: Self = Self {
        access_log: false,
        filters: false,
        virtual_hosts: 0,
        hosts: 0,
        workers: 1,
        connections_max: 4096,
        downstream: Downstream::Http1,
        upstream: Upstream::Http1,
    };

    /// Does the upstream understand what the load says, as it is?
    pub fn has_equal_ends(&self) -> bool {
        match self.downstream {
            Downstream::Http1 | Downstream::Tcp => self.upstream == Upstream::Http1,
            Downstream::H2c => self.upstream == Upstream::H2c,
            Downstream::Tls => self.upstream == Upstream::Tls,
        }
    }

    /// The host names of the virtual hosts, as Envoy writes them; `load.lua` has the same.
    pub fn domains(&self) -> Vec<String> {
        match self.virtual_hosts {
            0 => vec!["*".into()],
            count => (0..count).map(domain).collect(),
        }
    }

    /// The addresses of the hosts, each in 127.0.0.0/8.
    pub fn host_addresses(&self) -> Vec<Ipv4Addr> {
        let first = u32::from(Ipv4Addr::LOCALHOST);
        (0..self.hosts.max(1)).map(|number| Ipv4Addr::from(first + number)).collect()
    }

    /// The host of a single request: the last one, which a scan of the table would reach last.
    pub fn host(&self) -> String {
        self.virtual_hosts.checked_sub(1).map_or("localhost".into(), domain)
    }
}

impl Downstream {
    /// The scheme of its addresses.
    pub fn scheme(self) -> &'static str {
        if self == Self::Tls { "https" } else { "http" }
    }
}

fn domain(number: u32) -> String {
    format!("host-{number}.example")
}
