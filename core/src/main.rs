//! The `ringmain` program: arguments, load, start, nothing else.

use std::process::ExitCode;

use clap::Parser;
use ringmain::route_check;
use ringmain::server::args::{Args, Subcommand};
use ringmain::server::startup;

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(Subcommand::RouteCheck(args)) = &args.command {
        return route_check::main(args);
    }
    match startup::main(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", startup::told(&error, &args));
            ExitCode::FAILURE
        }
    }
}
