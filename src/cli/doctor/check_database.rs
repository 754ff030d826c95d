//! What the database tells, of itself and of the installation.

use std::collections::BTreeSet;
use std::time::Duration;

use trunkline_connectors::clock;
use trunkline_store::diagnose::{ConnectionMode, connection_mode};
use trunkline_store::measure::Measured;
use trunkline_store::workers::{Worker, WorkerState};
use trunkline_store::{Store, StoreError};
use trunkline_workflow::step::StepType;

use super::finding::{self, Finding};
use crate::cli::chain::Chain;
use crate::cli::reach_database::reach;

const OURS: &str = env!("CARGO_PKG_VERSION");
/// Weeks that upkeep makes partitions for.
const WEEKS: usize = 4;
/// The alerts' limits (deploy/prometheus/alerts.yml).
const OLD_TRANSACTION: f64 = 300.0;
const OLD_QUEUE: f64 = 60.0;
const DEAD_ROWS: i64 = 100_000;

pub(super) async fn check_database(store: &Store, url: &str, findings: &mut Vec<Finding>) {
    if let Err(error) = reach(store).await {
        let todo = "see whether it runs, whether this machine may connect, and what its log says";
        findings.push(Finding::problem("database", Chain(&error).to_string(), todo));
        return;
    }
    look("database", check_server(store).await, findings);
    look("connection", check_connection(url).await, findings);
    let is_migrated = check_schema(store).await;
    let goes_on = matches!(is_migrated, Ok((_, true)));
    look("schema", is_migrated.map(|(finding, _)| vec![finding]), findings);
    if !goes_on {
        return;
    }
    look("partitions", check_partitions(store).await, findings);
    look("workers", check_workers(store).await, findings);
    look("measures", store.measure().await.map(|measured| check_measures(&measured)), findings);
}

/// Of what could not be looked at, why.
fn look(check: &'static str, found: Result<Vec<Finding>, StoreError>, findings: &mut Vec<Finding>) {
    match found {
        Ok(found) => findings.extend(found),
        Err(error) => {
            let todo = "see what the database's log says";
            findings.push(Finding::problem(check, Chain(&error).to_string(), todo));
        }
    }
}

async fn check_server(store: &Store) -> Result<Vec<Finding>, StoreError> {
    let begun = clock::now();
    let state = store.server_state().await?;
    let ours = begun + (clock::now() - begun) / 2;
    let mut findings = vec![
        Finding::ok("database", format!("PostgreSQL {} answers", state.version)),
        finding::clock("database clock", "the database's clock", (state.now - ours).as_seconds_f64()),
    ];
    let used = format!("{} of {} connections are in use", state.connections, state.max_connections);
    let todo = "raise `max_connections`, lower `TRUNKLINE_DATABASE_CONNECTIONS`, or put a pooler in between";
    findings.push(match state.connections * 100 / state.max_connections.max(1) {
        ..80 => Finding::ok("connections", used),
        80..95 => Finding::warning("connections", used, todo),
        _ => Finding::problem("connections", used, todo),
    });
    findings.push(if state.unsafe_settings.is_empty() {
        Finding::ok("durability", "what is committed is on disk")
    } else {
        let names = state.unsafe_settings.join("`, `");
        Finding::problem(
            "durability",
            format!("`{names}` off: what was accepted may be lost with the machine"),
            "turn it on, on this server",
        )
    });
    if !state.autovacuum {
        findings.push(Finding::problem("autovacuum", "it is off", "turn it on: dead rows are never removed"));
    }
    Ok(findings)
}

async fn check_connection(url: &str) -> Result<Vec<Finding>, StoreError> {
    let found = match connection_mode(url).await? {
        ConnectionMode::Direct => "to PostgreSQL itself",
        ConnectionMode::SessionPooler => "through a pooler, a session each",
        ConnectionMode::TransactionPooler => "through a pooler, by the transaction",
    };
    Ok(vec![Finding::ok("connection", found)])
}

/// And whether everything else can be looked at.
async fn check_schema(store: &Store) -> Result<(Finding, bool), StoreError> {
    let state = store.schema_state().await?;
    let numbers = |versions: &[i64]| {
        let numbers: Vec<String> = versions.iter().map(ToString::to_string).collect();
        numbers.join(", ")
    };
    if !state.pending.is_empty() {
        let found = format!("migrations are missing: {}", numbers(&state.pending));
        return Ok((Finding::problem("schema", found, "run `trunkline migrate`"), false));
    }
    if !state.unknown.is_empty() {
        let found = format!("it is newer than this program, by migrations {}", numbers(&state.unknown));
        let todo = "use the newer program here, too, but for the time of an upgrade";
        return Ok((Finding::warning("schema", found, todo), true));
    }
    Ok((Finding::ok("schema", "every migration is there"), true))
}

async fn check_partitions(store: &Store) -> Result<Vec<Finding>, StoreError> {
    let weeks = store.weeks_ahead().await?;
    let found = format!("made for the weeks to come: {weeks}");
    let todo =
        "`trunkline migrate` makes them, and so does any worker every hour: see why it could not, in its log";
    Ok(vec![match weeks {
        0 => Finding::problem("partitions", found, todo),
        1..WEEKS => Finding::warning("partitions", found, todo),
        _ => Finding::ok("partitions", found),
    }])
}

async fn check_workers(store: &Store) -> Result<Vec<Finding>, StoreError> {
    let workers = store.list_workers(Duration::ZERO).await?;
    let count = |state| workers.iter().filter(|worker| worker.state() == state).count();
    let (live, draining, silent) =
        (count(WorkerState::Live), count(WorkerState::Draining), count(WorkerState::Silent));
    let found = format!("{live} live, {draining} draining, {silent} silent");
    let mut findings = vec![match (live, silent) {
        (0, _) if draining > 0 => {
            Finding::problem("workers", found, "`trunkline workers undrain NAME` has one go on")
        }
        (0, _) => Finding::problem("workers", found, "start `trunkline worker`: nothing is executed"),
        (_, 0) => Finding::ok("workers", found),
        _ => Finding::warning(
            "workers",
            found,
            "see `trunkline workers list`, and the logs of the silent ones",
        ),
    }];
    let versions: BTreeSet<&str> =
        workers.iter().filter(|worker| is_there(worker)).map(|worker| worker.version.as_str()).collect();
    let all: Vec<&str> = versions.iter().copied().collect();
    let todo = "that is fine for the time of an upgrade; then replace the others";
    findings.extend(match all[..] {
        [] => None,
        [OURS] => Some(Finding::ok("worker version", format!("the workers are {OURS}, as this program"))),
        [one] => Some(Finding::warning(
            "worker version",
            format!("the workers are {one}, this program {OURS}"),
            todo,
        )),
        _ => Some(Finding::warning(
            "worker version",
            format!("the workers are of versions {}", all.join(", ")),
            todo,
        )),
    });
    findings.extend(check_step_types(&workers));
    Ok(findings)
}

/// Where workers take only some types of steps: those that nobody takes.
fn check_step_types(workers: &[Worker]) -> Option<Finding> {
    let live: Vec<&Worker> = workers.iter().filter(|worker| worker.state() == WorkerState::Live).collect();
    let all = StepType::ALL.into_iter().chain(StepType::INTERNAL);
    let (taken, left): (Vec<_>, Vec<_>) =
        all.partition(|step_type| live.iter().any(|worker| worker.takes(*step_type)));
    if taken.is_empty() || left.is_empty() {
        return None;
    }
    let names: Vec<&str> = left.into_iter().map(StepType::name).collect();
    Some(Finding::warning(
        "step types",
        format!("no live worker executes {}", names.join(", ")),
        "start one that does: `trunkline worker --steps …`, or without a selection",
    ))
}

fn is_there(worker: &Worker) -> bool {
    matches!(worker.state(), WorkerState::Live | WorkerState::Draining)
}

fn check_measures(measured: &Measured) -> Vec<Finding> {
    let queue = &measured.queue;
    let mut findings = Vec::new();
    let oldest = queue.oldest_transaction;
    findings.push(if oldest > OLD_TRANSACTION {
        Finding::warning(
            "snapshots",
            format!("a transaction has been open for {oldest:.0} s: no younger dead row is removed"),
            "`select pid, usename, state, query from pg_stat_activity order by xact_start` shows whose it is",
        )
    } else {
        Finding::ok("snapshots", format!("the oldest transaction has been open for {oldest:.0} s"))
    });
    let bloated = |dead: i64, live: i64| dead > DEAD_ROWS.saturating_add(live.saturating_mul(2));
    for table in measured.tables.iter().filter(|table| bloated(table.dead, table.live)) {
        findings.push(Finding::warning(
            "bloat",
            format!("table `{}` has {} dead rows and {} others", table.name, table.dead, table.live),
            "see whether autovacuum runs: `select * from pg_stat_progress_vacuum`",
        ));
    }
    if findings.iter().all(|finding| finding.check != "bloat") {
        let dead: i64 = measured.tables.iter().map(|table| table.dead).sum();
        findings.push(Finding::ok("bloat", format!("{dead} dead rows in the tables that are busy")));
    }
    let found = format!(
        "{} steps are ready, the oldest for {:.0} s; {} timers are due, the oldest for {:.0} s",
        queue.ready, queue.oldest_ready, queue.due_waits, queue.oldest_due_wait
    );
    findings.push(if queue.oldest_ready.max(queue.oldest_due_wait) > OLD_QUEUE {
        let todo = "more workers where they are busy; else see the time of completions, and the database";
        Finding::warning("queue", found, todo)
    } else {
        Finding::ok("queue", found)
    });
    findings
}

#[cfg(test)]
mod tests {
    use trunkline_store::measure::{Fleet, Queue, Table};

    use super::*;
    use crate::cli::doctor::finding::State;

    /// The state of one check; of several findings the worst one's.
    fn state_of(check: &str, measured: &Measured) -> State {
        let findings = check_measures(measured);
        findings.iter().filter(|finding| finding.check == check).map(|finding| finding.state).max().unwrap()
    }

    fn measured(queue: Queue) -> Measured {
        Measured { queue, fleet: Fleet::default(), tables: Vec::new() }
    }

    #[test]
    fn a_transaction_that_is_open_for_longer_than_five_minutes_is_warned_of() {
        for (seconds, state) in
            [(0.0, State::Ok), (300.0, State::Ok), (300.1, State::Warning), (90_000.0, State::Warning)]
        {
            let measured = measured(Queue { oldest_transaction: seconds, ..Queue::default() });
            assert_eq!(state_of("snapshots", &measured), state, "{seconds}");
        }
        let old = measured(Queue { oldest_transaction: 301.4, ..Queue::default() });
        let warning = check_measures(&old).into_iter().find(|finding| finding.check == "snapshots").unwrap();
        assert_eq!(warning.found, "a transaction has been open for 301 s: no younger dead row is removed");
        assert!(warning.todo.unwrap().contains("pg_stat_activity"));
    }

    #[test]
    fn what_has_been_ready_or_due_for_longer_than_a_minute_is_warned_of() {
        for (oldest_ready, oldest_due_wait, state) in
            [(60.0, 60.0, State::Ok), (60.1, 0.0, State::Warning), (0.0, 60.1, State::Warning)]
        {
            let measured = measured(Queue { oldest_ready, oldest_due_wait, ..Queue::default() });
            assert_eq!(state_of("queue", &measured), state, "{oldest_ready} {oldest_due_wait}");
        }
    }

    #[test]
    fn a_table_with_many_more_dead_rows_than_others_is_warned_of() {
        for (dead, live, state) in [
            (100_000, 0, State::Ok),
            (100_001, 0, State::Warning),
            (300_000, 100_000, State::Ok),
            (300_001, 100_000, State::Warning),
        ] {
            let tables = [(0, 0), (dead, live)].map(|(dead, live)| Table {
                name: "jobs".to_owned(),
                live,
                dead,
                bytes: 0,
            });
            let measured = Measured { tables: tables.to_vec(), ..measured(Queue::default()) };
            assert_eq!(state_of("bloat", &measured), state, "{dead} {live}");
        }
    }
}
