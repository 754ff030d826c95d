//! An hour of everything.

use std::time::Duration;

use crate::fleet::Fleet;
use crate::memory::{private_with_children, resident};
use crate::support::extent::{either, is_long, pass};

/// Bytes of each table that is not there to keep what happened, with its indexes.
const PASSING: &str = "select c.relname::text, pg_total_relation_size(c.oid)
    from pg_class c
    where c.relkind = 'r' and not c.relispartition and c.relnamespace = 'public'::regnamespace
    and c.relname <> all (array['idempotency_keys', 'search_groups', 'search_terms', 'usage_counts'])
    order by 1";

/// An hour; then neither tables nor processes are larger than after its first quarter, but for what is kept.
#[tokio::test(flavor = "multi_thread")]
async fn an_hour_of_everything_leaves_nothing_behind() {
    let quarter = Duration::from_secs(either(3, 15 * 60));
    let fleet = Fleet::start(2, 2).await;
    let load = fleet.begin_load(either(3, 10), Duration::from_millis(100)).await;
    fleet.until_more_ended(20).await;
    let mut before = Footprint::of(&fleet).await;
    for number in 1..=4 {
        pass(quarter).await;
        let now = Footprint::of(&fleet).await;
        println!("after {number} of 4: {now:?}");
        if number == 1 {
            before = now;
        } else if is_long() {
            now.assert_no_larger(&before);
        }
    }
    fleet.finish(load).await;
}

#[derive(Debug)]
struct Footprint {
    /// Name, bytes.
    tables: Vec<(String, i64)>,
    /// Resident memory of workers, servers, and all that PostgreSQL has for itself: KiB.
    processes: Vec<usize>,
}

impl Footprint {
    async fn of(fleet: &Fleet) -> Self {
        let tables = sqlx::query_as(PASSING).fetch_all(fleet.app.store().pool()).await.unwrap();
        let processes = fleet.workers.iter().chain(&fleet.servers);
        let mut processes: Vec<usize> = processes.map(|process| resident(process.pid())).collect();
        processes.push(private_with_children(fleet.cluster().postmaster_pid()));
        Self { tables, processes }
    }

    /// What changes with the minute is left room: a quarter, and 20 MB; a table that is filled and emptied, a megabyte.
    fn assert_no_larger(&self, before: &Self) {
        for ((name, bytes), (_, bytes_before)) in self.tables.iter().zip(&before.tables) {
            assert!(*bytes < bytes_before * 5 / 4 + (1 << 20), "{name}: {bytes_before} bytes, then {bytes}");
        }
        for (now, before) in self.processes.iter().zip(&before.processes) {
            assert!(*now < before * 5 / 4 + 20_000, "{before} KiB, then {now}: {self:?}");
        }
    }
}
