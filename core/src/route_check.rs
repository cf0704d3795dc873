//! `ringmain route-check`: says of a request, without sending it, which listener, virtual host and
//! route take it and what becomes of it, and why. It asks the very tables that serve.

mod answer;
pub mod args;
mod explain;
mod question;
mod tables;
mod tests_file;

use std::io::{self, Write};
use std::process::ExitCode;

use answer::answer;
use args::RouteCheckArgs;
use question::Question;
use tables::Tables;

/// A question that cannot be asked, or a file that cannot be used; ends with exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CheckError(String);

/// What it came to, as an exit code for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// 0: a route takes the request; all expectations are met.
    Good,
    /// 1: no route takes it; an expectation is not met.
    Bad,
}

/// Answers what `args` ask for.
pub fn main(args: &RouteCheckArgs) -> ExitCode {
    match run(args, &mut io::stdout().lock()) {
        Ok(Outcome::Good) => ExitCode::SUCCESS,
        Ok(Outcome::Bad) => ExitCode::from(1),
        Err(CheckError(error)) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &RouteCheckArgs, out: &mut impl Write) -> Result<Outcome, CheckError> {
    let tables = Tables::load(args)?;
    let written = |error| CheckError(format!("cannot write: {error}"));
    match &args.tests {
        Some(path) => tests_file::run(path, &tables, out),
        None => {
            let answer = answer(&Question::of_args(args)?, &tables)?;
            write!(out, "{answer}").map_err(written)?;
            Ok(if answer.route.is_some() { Outcome::Good } else { Outcome::Bad })
        }
    }
}
