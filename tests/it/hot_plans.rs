//! How the statements that starts and steps go through find their rows: each by itself, through an index. Their plans are
//! made once, with whatever the tables held then, and used ever after.

use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor};
use trunkline_store::PgConnection;
use trunkline_store::definitions::FIND_NEWEST;
use trunkline_store::jobs::STILL_LEASED;
use trunkline_store::starts::START;
use trunkline_store::transitions::{STATEMENT, TELLING_STATEMENT, WIDE_STATEMENT};
use trunkline_store::workers::RESCUE;

use crate::support::TestApp;
use crate::support::plans::{nodes, scans, scans_of_all};

const FILL: &str = "
insert into workers (name, slots, version, leased_until) values ('one', 20000, '', now() + interval '1 hour');
insert into definitions (account_id, id, last_version, newest_version)
select 'acme', gen_random_uuid(), 1, 1 from generate_series(1, 20000) as n;
insert into definition_versions (account_id, definition_id, version, name, trigger, enabled, newest, steps)
select account_id, id, 1, 'one', 'http_request', true, true, '[]' from definitions;
insert into instances (id, account_id, definition_id, version, status, data)
select decode(lpad(to_hex(extract(epoch from now())::bigint), 8, '0') || lpad(to_hex(n), 16, '0'), 'hex'), 'acme',
    gen_random_uuid(), 1, 'Runnable', '{}'
from generate_series(1, 20000) as n;
insert into jobs (instance_id, path, account_id, n, step, issued, alone, worker, attempt, started_at)
select i.id, 1, 'acme', 1, 0, 1, true, w.id, 1, now() from instances i, workers w;
";
#[tokio::test]
async fn each_row_is_looked_up_by_itself_whatever_the_tables_held_when_the_plan_was_made() {
    let app = TestApp::start().await;
    let pool = app.store().pool();
    for fill in ["", FILL] {
        pool.execute(fill).await.unwrap();
        pool.execute("vacuum analyze instances").await.unwrap();
        pool.execute("vacuum analyze jobs").await.unwrap();
        pool.execute("vacuum analyze definition_versions").await.unwrap();
        for (statement, tables) in [
            (FIND_NEWEST, &["definition_versions"][..]),
            (START, &["definition_versions"]),
            (STATEMENT, &["instances", "jobs"]),
            (WIDE_STATEMENT, &["instances", "jobs"]),
            (&TELLING_STATEMENT, &["instances", "jobs"]),
            (RESCUE, &["jobs"]),
            (STILL_LEASED, &["jobs"]),
        ] {
            let plan = if [FIND_NEWEST, START].contains(&statement) {
                generic_plan(&mut pool.begin().await.unwrap(), statement).await
            } else {
                let mut connection = app.store().hot_connection().await.unwrap();
                generic_plan(&mut connection.begin().await.unwrap(), statement).await
            };
            let mut found = Vec::new();
            scans(&plan, &mut found);
            for table in tables {
                let of_it = found
                    .iter()
                    .filter(|(node, relation, _)| node != "ModifyTable" && relation.starts_with(table));
                let mut of_it = of_it.peekable();
                assert!(of_it.peek().is_some(), "{table}: {plan:#}");
                for (node, relation, index) in of_it {
                    assert!(index.is_some(), "{node} of {relation}: {statement} {plan:#}");
                    let is_leased = index.as_deref() == Some("jobs_leased");
                    assert!(!is_leased || statement == RESCUE, "{statement} {plan:#}");
                }
            }
            let mut of_all = Vec::new();
            scans_of_all(&plan, &mut of_all);
            // The workers of a week are few.
            of_all.retain(|scan| statement != RESCUE || !scan.contains("workers_pkey"));
            assert!(of_all.is_empty(), "{of_all:?}: {statement} {plan:#}");
            let mut found = Vec::new();
            nodes(&plan, &mut found);
            assert!(!found.iter().any(|node| node == "Merge Join"), "{statement} {plan:#}");
        }
    }
}

/// Its nodes, made without knowing what will be asked for.
async fn generic_plan(transaction: &mut PgConnection, statement: &str) -> Value {
    let parameters = (1..100).take_while(|n| statement.contains(&format!("${n}"))).count();
    let nulls = vec!["null"; parameters].join(", ");
    transaction.execute("set local plan_cache_mode = force_generic_plan").await.unwrap();
    transaction.execute(AssertSqlSafe(format!("prepare looked_at as {statement}"))).await.unwrap();
    let explain = format!("explain (format json) execute looked_at ({nulls})");
    let row = transaction.fetch_one(AssertSqlSafe(explain)).await.unwrap();
    transaction.execute("deallocate looked_at").await.unwrap();
    let plan: Value = sqlx::Row::get(&row, 0);
    plan[0]["Plan"].clone()
}
