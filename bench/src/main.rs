//! `make bench`: what the engine does in a second, and how long a start takes to its end, on a private
//! PostgreSQL that keeps what it was told (`fsync` and `synchronous_commit` on). See the README.

mod batches;
mod database;
mod definition;
mod engine;
mod evaluations;
mod held;
mod herd;
mod http_connection;
mod latency;
mod machine;
mod options;
mod parked;
mod peers;
mod processes;
mod processor_time;
mod raw_sql;
mod report;
mod results;
mod run_parts;
mod search;
mod server;
mod starts;
#[cfg(feature = "stock")]
mod stock;
mod summary;
mod watch_completions;

use std::process::ExitCode;

use clap::Parser;

use options::Options;

/// What this program is, if not the benchmark: its first argument.
const EVALUATOR: &str = "evaluator";
const TRUNKLINE: &str = "trunkline";

fn main() -> anyhow::Result<ExitCode> {
    match std::env::args().nth(1).as_deref() {
        Some(EVALUATOR) => trunkline_expressions::run_child(),
        Some(TRUNKLINE) => return server::be_trunkline(),
        _ => {}
    }
    let options = Options::parse();
    let filter = std::env::var("BENCH_LOG").unwrap_or_else(|_| "error".to_owned());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let Some(wanted) = &options.peers {
        return runtime.block_on(peers::run(&options, wanted));
    }
    runtime.block_on(run_parts::run(&options))?;
    Ok(ExitCode::SUCCESS)
}
