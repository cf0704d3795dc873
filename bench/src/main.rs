//! `ringmain-bench`: one command that builds ringmain, starts it and its peers side by side and
//! measures what a request costs each of them.
//!
//! A proxy runs alone on one core with one worker; load and upstream share the other. The first
//! figure is CPU time per request, read from the proxy's own CPU clock: it holds whether or not the
//! load can saturate the proxy. `docs/benchmarks.md` tells the method and keeps the results.

mod answers;
mod arguments;
mod check;
mod client;
mod cpu;
mod envoy_venv;
mod error;
mod event_loop;
mod generator;
mod h2load;
mod handshakes;
mod http1;
mod http2;
mod idle;
mod loaded;
mod machine;
mod measure;
mod metric;
mod open_loop;
mod plot;
mod port;
mod program;
mod proxy;
mod relay;
mod report;
mod rounds;
mod scenario;
mod setup;
mod side;
mod summary;
mod template;
mod tls;
mod upstream;
mod upstream_process;
mod workspace;
mod wrk;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};
use crate::error::Error;

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("ringmain-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<ExitCode, Error> {
    match arguments.command {
        Some(Command::Upstream { credentials }) => upstream::serve(&credentials)?,
        Some(Command::Relay { listen, upstream }) => relay::serve(listen, upstream)?,
        Some(Command::OpenLoop(options)) => open_loop::generate(&options)?,
        Some(Command::Handshakes(options)) => handshakes::generate(&options)?,
        None => return bench(&arguments),
    }
    Ok(ExitCode::SUCCESS)
}

/// Exits non-zero when a row of the result is invalid; a peer that is not installed only costs its
/// rows.
fn bench(arguments: &Arguments) -> Result<ExitCode, Error> {
    let results = rounds::run(arguments)?;
    let markdown = report::write(&results, &arguments.out())?;
    if let Some(folder) = &arguments.plots {
        plot::write(&results, folder)?;
    }
    println!("\n{markdown}");
    Ok(if results.rows.iter().all(summary::Row::is_valid) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
