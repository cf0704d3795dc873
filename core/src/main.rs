//! The `ringmain` program: arguments, load, start, nothing else.

use std::process::ExitCode;

use ringmain::runtime::Allocator;
use ringmain::server::args::{Args, Subcommand};
use ringmain::server::startup;
use ringmain::{config_command, route_check};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> ExitCode {
    let args = Args::of_process();
    match &args.command {
        Some(Subcommand::Config(args)) => return config_command::main(args),
        Some(Subcommand::RouteCheck(args)) => return route_check::main(args),
        None => {}
    }
    match startup::main(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", startup::told(&error, &args));
            ExitCode::FAILURE
        }
    }
}
