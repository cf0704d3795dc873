//! The configuration under question, compiled as for serving.

use ringmain_config::LoadOptions;

use super::CheckError;
use super::args::RouteCheckArgs;
use crate::http::ConnectionManager;
use crate::http::request_id::RequestIds;
use crate::listener::{ConnectionInfo, Listener, TerminalFilter};
use crate::server::{Compiled, read_configuration};

/// What answers.
pub struct Tables {
    /// Everything; nobody listens and nothing is connected.
    pub compiled: Compiled,
    /// Makes `x-request-id`.
    pub request_ids: RequestIds,
}

impl Tables {
    /// Loads the file that `args` name.
    pub fn load(args: &RouteCheckArgs) -> Result<Self, CheckError> {
        let origin = args.config_path.display().to_string();
        let text =
            read_configuration(&args.config_path).map_err(|error| CheckError(error.to_string()))?;
        let options = LoadOptions {
            allow_unsupported: args.allow_unsupported.clone(),
            allow_unknown_fields: args.allow_unknown_static_fields,
            overlay: None,
        };
        let loaded = ringmain_config::load(&origin, &text, &options)
            .map_err(|error| CheckError(error.rendered()))?;
        let bootstrap = loaded.bootstrap;
        let sockets = bootstrap.listeners.iter().map(|listener| &listener.sockets);
        let addresses = sockets
            .map(|sockets| sockets.iter().map(|socket| socket.address.clone()).collect())
            .collect();
        let compiled = Compiled::new(&bootstrap, addresses, 1);
        Ok(Self { compiled, request_ids: RequestIds::default() })
    }

    /// The listener of that name; without one the only listener, or the one with `port`.
    pub fn listener(&self, name: Option<&str>, port: u16) -> Result<&Listener, CheckError> {
        let listeners = &self.compiled.listeners;
        let mut fitting = listeners.iter().filter(|listener| match name {
            Some(name) => listener.name == name,
            None => listeners.len() == 1 || listener.has_port(port),
        });
        match (fitting.next(), fitting.next()) {
            (Some(listener), None) => Ok(listener),
            (found, _) => {
                let names: Vec<&str> = listeners.iter().map(|one| one.name.as_str()).collect();
                let known = match names.is_empty() {
                    true => "there is none".to_owned(),
                    false => format!("there are {}", names.join(", ")),
                };
                Err(CheckError(match (name, found) {
                    (Some(name), _) => format!("no listener '{name}'; {known}"),
                    (None, None) => format!("no listener with port {port}; say which: {known}"),
                    (None, Some(_)) => {
                        format!("several listeners with port {port}; say which: {known}")
                    }
                }))
            }
        }
    }
}

/// What serves HTTP to `connection` on `listener`.
pub fn manager_of<'l>(
    listener: &'l Listener,
    connection: &ConnectionInfo,
) -> Result<&'l ConnectionManager, CheckError> {
    let name = &listener.name;
    let chain = listener
        .find_filter_chain(connection)
        .ok_or_else(|| CheckError(format!("no filter chain of '{name}' takes the connection")))?;
    match &listener.filter_chains[chain].terminal {
        TerminalFilter::Http(manager) => Ok(manager),
        TerminalFilter::Bytes(_) => Err(CheckError(format!(
            "the filter chain of '{name}' that takes the connection does not serve HTTP"
        ))),
    }
}
