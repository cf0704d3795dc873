//! The command line of `ringmain route-check`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

/// Say which route takes a request, and why, without serving
///
/// Exit code: 0 where a route takes the request or all tests pass, 1 where none does or a test fails,
/// 2 for a wrong configuration, table or command line.
#[derive(Debug, Clone, Args)]
pub struct RouteCheckArgs {
    /// Configuration file: an Envoy v3 bootstrap as YAML or JSON
    #[arg(short = 'c', long, value_name = "FILE")]
    pub config_path: PathBuf,

    /// Method of the request
    #[arg(required_unless_present = "tests", requires = "url")]
    pub method: Option<String>,

    /// URL of the request; https means that it says `x-forwarded-proto: https`
    pub url: Option<String>,

    /// Header of the request
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub headers: Vec<String>,

    /// Listener by name; default: the only one, or else the one with the URL's port
    #[arg(long, value_name = "NAME")]
    pub listener: Option<String>,

    /// Address that the request comes from
    #[arg(long, value_name = "IP", default_value_t = super::question::CLIENT)]
    pub client: IpAddr,

    /// The request's random number, which runtime_fraction and weighted_clusters go by
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub random: u64,

    /// YAML file with requests and what is expected of them, in place of one request
    #[arg(long, value_name = "FILE", conflicts_with_all = ["method", "url", "headers", "listener", "client", "random"])]
    pub tests: Option<PathBuf>,

    /// Accept a field that ringmain does not support, by its path
    #[arg(long, value_name = "PATH")]
    pub allow_unsupported: Vec<String>,

    /// Accept unknown fields
    #[arg(long)]
    pub allow_unknown_static_fields: bool,
}
