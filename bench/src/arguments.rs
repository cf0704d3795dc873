//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::{handshakes, open_loop, scenario, workspace};

/// Measures ringmain beside Envoy, nginx, HAProxy and a blind relay: CPU per request first.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = scenario::list())]
pub struct Arguments {
    /// Scenarios to run, separated by commas; the list is below.
    #[arg(long, value_delimiter = ',', default_value = "small,10k,1m")]
    pub scenario: Vec<String>,

    /// Sides to measure, separated by commas; the relay is the floor that a proxy can reach.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "ringmain,ringmain-epoll,envoy,nginx,haproxy"
    )]
    pub side: Vec<String>,

    /// Measures the blind relay, too.
    #[arg(long)]
    pub relay: bool,

    /// Rounds; in each, every side starts afresh and runs every scenario once.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,

    /// Length of one measurement in seconds, after a warm-up of one second.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub seconds: u32,

    /// A ringmain executable to measure instead of building one.
    #[arg(long)]
    pub ringmain: Option<PathBuf>,

    /// Requests per second of the open-loop scenario [default: half of what Envoy reaches in a short
    /// probe at the start].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: Option<u32>,

    /// Folder for `results.md` and `results.json` [default: target/bench].
    #[arg(long)]
    out: Option<PathBuf>,

    /// Folder for plots (SVG).
    #[arg(long)]
    pub plots: Option<PathBuf>,

    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the rig runs as processes of their own, so that their CPU time is told apart.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answers GET and POST /bytes/N with N bytes; prints the port it listens on.
    #[command(hide = true)]
    Upstream {
        /// Folder of the certificate that it shows in TLS.
        #[arg(long)]
        credentials: PathBuf,
    },
    /// Copies bytes both ways between each client and a connection to the upstream.
    #[command(hide = true)]
    Relay {
        /// Loopback port to listen on.
        #[arg(long)]
        listen: u16,
        /// Loopback port of the upstream.
        #[arg(long)]
        upstream: u16,
    },
    /// Sends requests at a fixed rate, each timed from its intended start.
    #[command(hide = true)]
    OpenLoop(open_loop::Options),
    /// Makes a TLS handshake for each request.
    #[command(hide = true)]
    Handshakes(handshakes::Options),
}

impl Arguments {
    /// The folder that takes the results.
    pub fn out(&self) -> PathBuf {
        self.out.clone().unwrap_or_else(|| workspace::target_dir().join("bench"))
    }
}
