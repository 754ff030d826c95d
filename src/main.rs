//! Reads the command line, nothing else.

use std::process::ExitCode;

use trunkline::cli;

fn main() -> ExitCode {
    match cli::run(cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", cli::Chain(&error));
            ExitCode::FAILURE
        }
    }
}
