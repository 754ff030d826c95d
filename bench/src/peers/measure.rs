//! The run: ours and theirs take turns for the steps, and follow each other for the rest.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;
use serde_json::json;
use trunkline_store::cluster::Cluster;

use super::install::{Installed, install};
use super::known::{Kind, Language, PEERS, Peer};
use super::program::{self, Part};
use super::row::{Percentiles, Row};
use super::table::table;
use crate::machine::Machine;
use crate::options::Options;
use crate::server::Role;
use crate::{database, engine, latency, parked, results, run_parts, starts};

const PARKED: usize = 10_000;
const DATABASE: &str = "peer";

/// Fails at the end if a peer did; an error of ours ends it at once.
pub async fn run(options: &Options, wanted: &[String]) -> anyhow::Result<ExitCode> {
    let all = wanted.iter().any(|name| name == "all");
    let peers = PEERS.iter().filter(|peer| all || wanted.iter().any(|name| name == peer.name));
    let peers: Vec<Peer> = peers.copied().collect();
    let installed = install(&peers, &options.peers_folder).await;
    let (machine, compared) = run_parts::on_a_cluster(options, async |cluster, folder| {
        let machine = Machine::look(cluster, folder).await?;
        Ok((machine, compare(cluster, folder, options, &peers, &installed).await?))
    })
    .await?;
    let Compared { ours, ours_with_starts, rows } = compared;
    let table = table(&ours, &ours_with_starts, &rows);
    println!("{}\n\n{table}", machine.describe());
    if let Some(folder) = &options.results {
        let json: Vec<_> = [&ours, &ours_with_starts].into_iter().chain(&rows).map(Row::to_json).collect();
        let json = json!({
            "roundsOfSteps": options.rounds, "secondsOfLatency": options.seconds, "parked": PARKED, "peers": json,
        });
        println!("{} and .md", results::write_as(folder, "peers", &machine, &table, json)?.display());
    }
    let failed = rows.iter().any(|row| !row.failures.is_empty());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

struct Compared {
    ours: Row,
    ours_with_starts: Row,
    rows: Vec<Row>,
}

async fn compare(
    cluster: &Cluster,
    folder: &Path,
    options: &Options,
    peers: &[Peer],
    installed: &Installed,
) -> anyhow::Result<Compared> {
    let mut ours = our_row("Trunkline", Kind::Workflows);
    let mut ours_with_starts = our_row("Trunkline, its starts within the time", Kind::WorkflowsWithStarts);
    let mut rows: Vec<Row> = peers.iter().map(|peer| Row::new(peer.name, peer.kind)).collect();
    let seconds = usize::try_from(options.seconds)?;
    for _ in 0..options.rounds {
        let measured = engine::measure(cluster, 1).await?;
        ours.rounds.push(told("Trunkline, steps/s", measured.per_second));
        let lasting = Duration::from_secs(options.seconds.into()) / 3;
        let measured = starts::measure(cluster, folder, Role::Dev, lasting).await?;
        let steps = measured.ended_per_second * f64::from(u32::try_from(engine::STEPS)?);
        ours_with_starts.rounds.push(told("Trunkline, steps/s with starts", steps));
        for (peer, row) in peers.iter().zip(&mut rows).filter(|(_, row)| row.failures.is_empty()) {
            measure_peer(cluster, folder, options, peer, installed, row, Part::Steps, 0).await?;
        }
    }
    for (part, steps) in [(Part::OneStep, 1), (Part::FiveSteps, engine::STEPS)] {
        eprintln!("Trunkline, {}", part.name());
        let completed = latency::measure(cluster, folder, steps, options.seconds).await?.completed;
        let measured = Percentiles { p50: completed.percentile(50), p99: completed.percentile(99) };
        *(if steps == 1 { &mut ours.one_step } else { &mut ours.five_steps }) = Some(measured);
        for (peer, row) in peers.iter().zip(&mut rows) {
            if peer.kind != Kind::Queue || part == Part::OneStep {
                measure_peer(cluster, folder, options, peer, installed, row, part, seconds).await?;
            }
        }
    }
    ours.bytes = Some(told("Trunkline, parked", parked::measure_bytes(cluster, folder, PARKED).await?));
    for (peer, row) in peers.iter().zip(&mut rows) {
        measure_peer(cluster, folder, options, peer, installed, row, Part::Parked, PARKED).await?;
    }
    Ok(Compared { ours, ours_with_starts, rows })
}

fn our_row(name: &str, kind: Kind) -> Row {
    let mut row = Row { version: env!("CARGO_PKG_VERSION").to_owned(), ..Row::new(name, kind) };
    if kind == Kind::Workflows {
        row.explain(Part::Steps, "one worker, its defaults; two conditions are evaluated in each step");
        row.explain(Part::OneStep, "over HTTP, `trunkline dev` with one worker");
        row.explain(Part::Parked, "waits for a reply for a day; what it is searched by included");
    } else {
        row.explain(
            Part::Steps,
            "over HTTP, 32 connections, `trunkline dev` with one worker, until all have ended",
        );
    }
    row
}

#[expect(clippy::too_many_arguments, reason = "where, what and into which row")]
async fn measure_peer(
    cluster: &Cluster,
    folder: &Path,
    options: &Options,
    peer: &Peer,
    installed: &Installed,
    row: &mut Row,
    part: Part,
    amount: usize,
) -> anyhow::Result<()> {
    let installed = match peer.language {
        Language::Node => &installed.node,
        Language::Rust => &installed.rust,
    };
    if let Err(reason) = installed {
        row.add(part, Err(anyhow!("not installed: {reason:#}")));
        return Ok(());
    }
    eprintln!("{}, {}", peer.name, part.name());
    let store = database::create(cluster, DATABASE).await?;
    let printed =
        program::run(peer, part, amount, &options.peers_folder, &cluster.url(DATABASE), folder).await;
    database::remove(cluster, store, DATABASE).await?;
    row.add(part, printed);
    Ok(())
}

fn told(what: &str, value: f64) -> f64 {
    eprintln!("{what}: {}", crate::report::grouped(value));
    value
}
