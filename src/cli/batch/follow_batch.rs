//! A batch, followed to its end: with a bar on a terminal, line by line elsewhere.

use std::io::{IsTerminal, Write, stdout};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::termios::tcgetwinsize;
use serde_json::Value;
use uuid::Uuid;

use super::command::find;
use super::progress::{bar, sentence};
use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::cli::settings::AccountApi;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// Between two lines where nobody watches.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

pub(super) async fn follow_batch(api: &AccountApi, id: Uuid, output: Output) -> Result<ExitCode, CliError> {
    let has_bar = output == Output::Table && stdout().is_terminal() && !is_dumb();
    let mut told: Option<(Instant, Value)> = None;
    loop {
        let batch = find(api, id).await?;
        let has_ended = batch["endedAt"].is_string();
        if has_bar {
            draw(&bar(&batch, columns()), has_ended)?;
        } else {
            let is_news = told.as_ref().is_none_or(|(at, before)| {
                at.elapsed() >= BETWEEN_LINES && before["progress"] != batch["progress"]
                    || before["state"] != batch["state"]
            });
            if is_news {
                match output {
                    Output::Table => println!("{}", sentence(&batch)),
                    Output::Json => println!("{batch}"),
                }
                told = Some((Instant::now(), batch.clone()));
            }
        }
        if has_ended {
            return Ok(end(&batch, id, output));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn end(batch: &Value, id: Uuid, output: Output) -> ExitCode {
    let has_failed = batch["progress"]["failed"].as_u64().is_some_and(|failed| failed > 0);
    if has_failed && output == Output::Table {
        eprintln!("Why some failed: trunkline batch items {id} --state failed");
    }
    if has_failed || batch["state"] != "done" { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// In the place of the line before.
fn draw(line: &str, is_last: bool) -> Result<(), CliError> {
    let mut terminal = stdout();
    let drawn = write!(terminal, "\r{line}\x1b[K{}", if is_last { "\n" } else { "" });
    drawn.and_then(|()| terminal.flush()).map_err(|source| CliError::System { action: "draw", source })
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term == "dumb")
}

/// One less than there are: some terminals begin a new line in the last one.
fn columns() -> usize {
    let size = tcgetwinsize(stdout()).map_or(0, |size| usize::from(size.ws_col));
    if size > 1 { size - 1 } else { 79 }
}
