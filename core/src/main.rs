//! The `ringmain` program: arguments, load, start, nothing else.

use std::process::ExitCode;

use clap::Parser;
use ringmain::server::args::Args;
use ringmain::server::startup;

fn main() -> ExitCode {
    match startup::main(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
