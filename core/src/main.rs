//! The `ringmain` program: arguments, load, start, nothing else.

use std::process::ExitCode;

use clap::Parser;
use ringmain::server::args::Args;
use ringmain::server::startup;

fn main() -> ExitCode {
    let args = Args::parse();
    match startup::main(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", startup::told(&error, &args));
            ExitCode::FAILURE
        }
    }
}
