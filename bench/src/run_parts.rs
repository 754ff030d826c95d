//! One run: every part that was asked for, on one cluster, and then the table.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use trunkline_store::cluster::{self, Cluster};

use crate::machine::Machine;
use crate::options::{Options, Part};
use crate::report::{Figure, Unit, grouped, table};
use crate::server::Role;
use crate::starts::Starts;
use crate::summary::{Latencies, Rounds, Throughput};
use crate::{
    batches, database, engine, evaluations, held, herd, latency, parked, processes, raw_sql, results, search,
    starts,
};

pub async fn run(options: &Options) -> anyhow::Result<()> {
    let (machine, figures) =
        on_a_cluster(options, async |cluster, folder| measure(cluster, folder, options).await).await?;
    println!("{}\n\n{}", machine.describe(), table(&figures));
    if let Some(folder) = &options.results {
        let written = results::write(folder, &options.parts(), &machine, &figures)?;
        println!("{} and .md", written.display());
    }
    Ok(())
}

/// A cluster for as long as it takes, and a folder for what is written beside it.
pub async fn on_a_cluster<T>(
    options: &Options,
    measure: impl AsyncFnOnce(&Cluster, &Path) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let folder = options.folder.join(format!("trunkline-bench-{}", std::process::id()));
    let cluster = database::start(&folder).await?;
    let measured = measure(&cluster, &folder).await;
    cluster.stop().await;
    cluster::remove(&folder).context("the database's files are left")?;
    let _ = std::fs::remove_dir_all(&folder);
    measured
}

async fn measure(
    cluster: &Cluster,
    folder: &Path,
    options: &Options,
) -> anyhow::Result<(Machine, Vec<Figure>)> {
    let machine = Machine::look(cluster, folder).await?;
    let mut figures = measure_steps(cluster, options).await?;
    if options.wants(Part::W) {
        figures.extend(measure_processes(cluster, folder, options.rounds).await?);
    }
    if options.wants(Part::C) {
        figures.extend(measure_latency(cluster, folder, options.seconds).await?);
    }
    if options.wants(Part::D) {
        let lasting = Duration::from_secs(options.seconds.into()) / 3;
        for role in [Role::Serve, Role::Dev] {
            figures.extend(describe_starts(&measure_starts(cluster, folder, role, lasting).await?, role));
        }
    }
    if options.wants(Part::S) {
        figures.extend(measure_search(cluster, folder, options.instances).await?);
    }
    if options.wants(Part::P) {
        figures.extend(measure_parked(cluster, folder, options).await?);
    }
    if options.wants(Part::T) {
        figures.extend(measure_herd(cluster, folder, options.instances).await?);
    }
    if options.wants(Part::H) {
        figures.extend(measure_held(cluster, folder, options).await?);
    }
    if options.wants(Part::X) {
        figures.extend(measure_evaluations().await?);
    }
    if options.wants(Part::Batch) {
        figures.extend(measure_batches(cluster, folder, options.seconds).await?);
    }
    Ok((machine, figures))
}

/// The parts that are compared take turns, so that what disturbs one disturbs all.
async fn measure_steps(cluster: &Cluster, options: &Options) -> anyhow::Result<Vec<Figure>> {
    let (mut one, mut two, mut bare, mut stock) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        if options.wants(Part::B) {
            bare.push(told("b, bare SQL", raw_sql::measure(cluster).await?));
        }
        if options.wants(Part::A) {
            one.push(told("a, one worker", engine::measure(cluster, 1).await?));
            two.push(told("a, two workers", engine::measure(cluster, 2).await?));
        }
        if options.wants(Part::Stock) {
            stock.extend(measure_stock(cluster).await?);
        }
    }
    let [one, two, bare, stock] = [one, two, bare, stock].map(Rounds::new);
    let count = grouped(f64::from(u32::try_from(engine::INSTANCES)?));
    let mut figures = Vec::new();
    for (id, what, rounds) in [
        ("a", format!("steps, {count} instances of 5, one worker"), &one),
        ("a2", "the same, two workers".to_owned(), &two),
        ("b", "the same rows, moved by bare SQL".to_owned(), &bare),
        ("stock", "steps of apalis-postgres".to_owned(), &stock),
    ] {
        figures.extend(rounds.as_ref().map(|rounds| describe_rounds(id, what, rounds)));
    }
    let ratio = |rival: &Option<Rounds>| {
        Some(one.as_ref()?.middle().per_second / rival.as_ref()?.middle().per_second)
    };
    figures
        .extend(ratio(&bare).map(|r| Figure::new("a/b", "engine to bare SQL", r, Unit::Times).at_least(0.5)));
    figures.extend(
        ratio(&stock)
            .map(|r| Figure::new("a/stock", "engine to apalis-postgres", r, Unit::Times).at_least(6.0)),
    );
    Ok(figures)
}

const PROCESSES: [(&str, usize, &str); 4] = [
    ("w1", 1, "the same steps, one worker process"),
    ("w2", 2, "two worker processes"),
    ("w4", 4, "four worker processes"),
    ("w8", 8, "eight worker processes"),
];

/// In turns, too.
async fn measure_processes(cluster: &Cluster, folder: &Path, rounds: u8) -> anyhow::Result<Vec<Figure>> {
    let mut measured = PROCESSES.map(|_| Vec::new());
    for _ in 0..rounds {
        for (at, (_, count, what)) in PROCESSES.iter().enumerate() {
            let throughput = processes::measure(cluster, folder, *count).await?;
            measured[at].push(told(&format!("w, {what}"), throughput));
        }
    }
    let rounds = measured.map(Rounds::new);
    let described = PROCESSES.iter().zip(&rounds).filter_map(|((id, _, what), rounds)| {
        Some(describe_rounds(id, (*what).to_owned(), rounds.as_ref()?))
    });
    Ok(described.collect())
}

#[cfg(feature = "stock")]
async fn measure_stock(cluster: &Cluster) -> anyhow::Result<Option<Throughput>> {
    Ok(Some(told("stock", crate::stock::measure(cluster).await?)))
}

#[cfg(not(feature = "stock"))]
#[expect(clippy::unused_async, reason = "stands in for one that waits")]
async fn measure_stock(_: &Cluster) -> anyhow::Result<Option<Throughput>> {
    eprintln!("stock: left out, build with --features stock");
    Ok(None)
}

/// A run takes minutes: says what it is at.
fn told(what: &str, throughput: Throughput) -> Throughput {
    eprintln!("{what}: {} steps/s", grouped(throughput.per_second));
    throughput
}

fn describe_rounds(id: &'static str, what: String, rounds: &Rounds) -> Figure {
    let (slowest, fastest) = rounds.range();
    let range = format!("{} to {}", grouped(slowest), grouped(fastest));
    let note = match &rounds.middle().processor_time {
        Some(shares) => {
            format!(
                "{range}; µs of processor a step: PostgreSQL {:.1}, ours {:.1}",
                shares.postgres, shares.ours
            )
        }
        None => range,
    };
    Figure::new(id, what, rounds.middle().per_second, Unit::PerSecond).note(note)
}

async fn measure_latency(cluster: &Cluster, folder: &Path, seconds: u32) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (id, steps, what, p50, p99) in [
        ("c1", 1, "start to completion, one step", 3.5, 10.0),
        ("c5", 5, "start to completion, five steps", 8.0, 25.0),
    ] {
        eprintln!("c, {what}: {seconds} s");
        let measured = latency::measure(cluster, folder, steps, seconds).await?;
        let answered = &measured.answered;
        let note = format!(
            "{} starts at 20/s; answered p50 {:.1}, p99 {:.1}",
            measured.completed.count(),
            answered.percentile(50),
            answered.percentile(99)
        );
        let figure = |of_hundred| {
            let value = measured.completed.percentile(of_hundred);
            Figure::new(id, format!("{what}, p{of_hundred}"), value, Unit::Milliseconds)
        };
        figures.push(figure(50).at_most(p50).note(note));
        figures.push(figure(99).at_most(p99));
    }
    Ok(figures)
}

async fn measure_starts(
    cluster: &Cluster,
    folder: &Path,
    role: Role,
    lasting: Duration,
) -> anyhow::Result<Starts> {
    eprintln!("d, {role:?}: {} s", lasting.as_secs());
    starts::measure(cluster, folder, role, lasting).await
}

fn describe_starts(starts: &Starts, role: Role) -> [Figure; 2] {
    let figure = |id, what| Figure::new(id, what, starts.per_second, Unit::PerSecond);
    let (id, per_second) = match role {
        Role::Serve => ("d", figure("d", "durable starts over HTTP, 32 connections").at_least(6_000.0)),
        Role::Dev => ("d+w", figure("d+w", "the same, a worker running them (5 steps)")),
    };
    let errors = match starts.errors {
        0 => "no error".to_owned(),
        errors => format!("{errors} ERRORS"),
    };
    let latency = |of_hundred| starts.latencies.percentile(of_hundred);
    [
        per_second.note(errors),
        Figure::new(id, "  answered, p99", latency(99), Unit::Milliseconds)
            .note(format!("p50 {:.1} ms", latency(50))),
    ]
}

/// Searches by each condition.
const SEARCHES: usize = 200;

async fn measure_search(cluster: &Cluster, folder: &Path, instances: u32) -> anyhow::Result<Vec<Figure>> {
    let count = grouped(f64::from(instances));
    eprintln!("s, among {count} instances");
    let measured = search::measure(cluster, folder, usize::try_from(instances)?, SEARCHES).await?;
    let mut figures = vec![
        Figure::new(
            "s",
            format!("a page of a search, {count} instances, p99"),
            measured.all.percentile(99),
            Unit::Milliseconds,
        )
        .note(format!(
            "p50 {:.1}, slowest {:.1}",
            measured.all.percentile(50),
            measured.all.percentile(100)
        )),
    ];
    figures.extend(measured.kinds.iter().map(|kind| {
        Figure::new("", format!("  by {}, p99", kind.what), kind.latencies.percentile(99), Unit::Milliseconds)
            .note(format!(
                "p50 {:.1}, slowest {:.1}; {:.0} found",
                kind.latencies.percentile(50),
                kind.latencies.percentile(100),
                kind.found
            ))
    }));
    figures.push(Figure::new("s+", "instances that become searchable", measured.followed, Unit::PerSecond));
    Ok(figures)
}

async fn measure_batches(cluster: &Cluster, folder: &Path, seconds: u32) -> anyhow::Result<Vec<Figure>> {
    eprintln!("batch: three times {seconds} s");
    let measured = batches::measure(cluster, folder, seconds).await?;
    let live = |what: &str, live: &Latencies| {
        Figure::new("", format!("  one step {what}, p99"), live.percentile(99), Unit::Milliseconds)
            .note(format!("p50 {:.1}", live.percentile(50)))
    };
    let mut figures = Vec::new();
    for (id, what, carried) in
        [("batch-t", "terminated", &measured.terminated), ("batch-r", "run again", &measured.run_again)]
    {
        let per_second = carried.items_per_second;
        figures.push(
            Figure::new(id, format!("instances {what} by a batch"), per_second, Unit::PerSecond)
                .note("1,000/s allowed"),
        );
        figures.push(live("meanwhile", &carried.live));
        let ratio = carried.live.percentile(99) / measured.alone.percentile(99);
        figures.push(Figure::new("", "  to the same without a batch", ratio, Unit::Times));
    }
    figures.push(live("without a batch", &measured.alone));
    Ok(figures)
}

async fn measure_parked(cluster: &Cluster, folder: &Path, options: &Options) -> anyhow::Result<Vec<Figure>> {
    let count = grouped(f64::from(options.instances));
    eprintln!("p, {count} parked instances");
    let instances = usize::try_from(options.instances)?;
    let measured = parked::measure(cluster, folder, instances, options.seconds).await?;
    let (ours, postgres) = measured.idle;
    let wake = |of_hundred| {
        let value = measured.wake.percentile(of_hundred);
        Figure::new(
            "p",
            format!("from a reply to the instance's end, p{of_hundred}"),
            value,
            Unit::Milliseconds,
        )
    };
    let messages = &measured.messages;
    Ok(vec![
        Figure::new("p", format!("disk of a parked instance, of {count}"), measured.bytes, Unit::Bytes)
            .at_most(400.0)
            .note(measured.tables),
        Figure::new("p", "  cores taken by all of them, idle", (ours + postgres) * 100.0, Unit::Percent)
            .at_most(3.0)
            .note(format!("ours {:.1}, PostgreSQL {:.1}", ours * 100.0, postgres * 100.0)),
        wake(50),
        wake(99).at_most(10.0),
        Figure::new("i", "inbound messages, one of ten a reply", messages.per_second, Unit::PerSecond).note(
            format!(
                "p50 {:.1}, p99 {:.1} ms",
                messages.latencies.percentile(50),
                messages.latencies.percentile(99)
            ),
        ),
    ])
}

async fn measure_herd(cluster: &Cluster, folder: &Path, instances: u32) -> anyhow::Result<Vec<Figure>> {
    let count = grouped(f64::from(instances));
    eprintln!("t, {count} timers");
    let measured = herd::measure(cluster, folder, usize::try_from(instances)?).await?;
    let memory = u32::try_from(measured.memory / 1_024 / 1_024)?;
    Ok(vec![
        Figure::new("t", format!("timers, {count} due at once"), measured.per_second, Unit::PerSecond)
            .at_least(10_000.0)
            .note(format!("the largest process took {memory} MiB")),
        Figure::new(
            "t",
            "  a start is answered meanwhile, p99",
            measured.answered.percentile(99),
            Unit::Milliseconds,
        )
        .at_most(500.0)
        .note(format!("p50 {:.1}", measured.answered.percentile(50))),
    ])
}

async fn measure_held(cluster: &Cluster, folder: &Path, options: &Options) -> anyhow::Result<Vec<Figure>> {
    let lasting = Duration::from_secs(options.seconds.into()) * 10;
    eprintln!("h, {} s with a held snapshot", lasting.as_secs());
    let held = held::measure(cluster, folder, usize::try_from(options.instances)?, lasting).await?;
    let what = format!("steps at the end of {} s with a held snapshot, to the beginning", lasting.as_secs());
    let mebibytes = f64::from(i32::try_from(held.queue / 1_024 / 1_024)?);
    let note = format!(
        "{}/s, then {}/s; the queue grew to {mebibytes} MiB; {} parked",
        grouped(held.first),
        grouped(held.last),
        grouped(f64::from(options.instances))
    );
    Ok(vec![Figure::new("h", what, held.last / held.first, Unit::Times).at_least(0.95).note(note)])
}

async fn measure_evaluations() -> anyhow::Result<Vec<Figure>> {
    eprintln!("x, expressions");
    let figures = evaluations::measure().await?.into_iter().map(|evaluated| {
        let figure = Figure::new(
            "x",
            format!("evaluations of {}", evaluated.what),
            evaluated.per_second,
            Unit::PerSecond,
        );
        match evaluated.target {
            Some(target) => figure.at_least(target),
            None => figure,
        }
    });
    Ok(figures.collect())
}
