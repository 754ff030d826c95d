//! All that is wrong with a file.

use std::process::ExitCode;

use serde_json::Value;

use crate::cli::error::CliError;
use crate::cli::output::{Output, cell, print_json};
use crate::cli::settings::AccountApi;

pub(super) async fn validate_file(
    api: &AccountApi,
    file: Vec<u8>,
    output: Output,
) -> Result<ExitCode, CliError> {
    let answer = api.server.post(&api.path("/definitions/validate"), file).await?;
    let valid = answer["valid"] == true;
    match output {
        Output::Json => print_json(&answer),
        Output::Table => {
            let problems = answer["problems"].as_array();
            for problem in problems.into_iter().flatten() {
                println!("{}", line(problem));
            }
            if valid {
                println!("It can be saved.");
            }
        }
    }
    Ok(if valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn line(problem: &Value) -> String {
    let place = match (&problem["line"], problem["path"].as_str()) {
        (Value::Number(line), _) => format!("line {line}: "),
        (_, Some(path)) if !path.is_empty() => format!("{path}: "),
        _ => String::new(),
    };
    format!("{}: {place}{}", cell(&problem["severity"]), cell(&problem["message"]))
}
