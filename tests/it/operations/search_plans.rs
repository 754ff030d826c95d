//! How the statements of the search go about their work: through one index each, whatever the tables hold.

use serde_json::Value;
use sqlx::Executor;
use trunkline_store::search::statements;
use trunkline_store::{events, instances};

use crate::support::plans::scans;
use crate::support::{TestApp, sample};

/// Three weeks of instances of ten accounts, of which one in seven failed; in each context a number and a city. They end
/// with last week: this one may have begun a minute ago.
const FILL: &str = "
create table filled as
select decode(lpad(to_hex(extract(epoch from at)::bigint), 8, '0') || lpad(to_hex(n), 16, '0'), 'hex') as id,
    case when n % 10 = 0 then 'acme' else 'account-' || n % 10 end as account_id, n, at
from generate_series(1, 150000) as n,
    lateral (
        select date_trunc('week', now() at time zone 'UTC') at time zone 'UTC' - n * interval '12 s'
    ) as s (at);
insert into instances (id, account_id, definition_id, version, status, started_at, completed_at, data)
select id, account_id, 'DEFINITION', 1, case when n % 7 = 0 then 'Terminated' else 'Complete' end,
    at, now(), '{}'
from filled;
insert into failures (instance_id, account_id, definition_id, version, step, message, fingerprint)
select id, account_id, 'DEFINITION', 1, 'step-' || n % 8, 'failed', n % 11 from filled where n % 7 = 0;
insert into search_terms (account_id, term, instance_id)
select account_id, term, id from filled, unnest(array[n, n % 5, 1000000]) as term on conflict do nothing;
insert into search_values (term, at, rest)
select term, ('x' || left(encode(id, 'hex'), 8))::bit(32)::bigint - 2147483648, n # (-9223372036854775808)
from filled, unnest(array[n, n % 5, 1000000]) as term;
insert into search_buckets (bucket, least, greatest, entries)
select (1 << bits) + n % (1 << bits), second, second + 9000, decode(repeat('00', 1000), 'hex')
from filled, unnest(array[0, 3, 6, 9, 12]) as bits,
    lateral (select (('x' || left(encode(id, 'hex'), 8))::bit(32)::bigint - 2147483648)::int) as s (second)
where n % 16 = 0 and (bits + 1) * 10000 > n;
insert into search_groups (term, first, ids)
select term, (array_agg(id order by id))[1], string_agg(id, '' order by id)
from filled, unnest(array[n % 5, n % 700, 1000000]) as term
group by term, n / 1000;
insert into jobs (instance_id, path, account_id, n, step, issued, alone)
select id, 1, account_id, 1, 0, 1, true from filled where n % 20 = 1;
insert into waits (instance_id, path, account_id, n, step, issued, attempt, kind, due_at, started_at)
select id, 1, account_id, 1, 0, 1, 1, 'timer', now(), now() from filled where n % 3 = 1;
insert into waits (instance_id, path, account_id, n, step, issued, attempt, kind, due_at, key, started_at)
select id, 1, account_id, 1, 0, 1, 1, 'reply', now() + interval '1 day', 'sms:' || n, now() from filled where n % 3 = 2;
";

/// The table of a partition, and what its index is called there.
fn week_cut_off(name: &str) -> String {
    let mut parts: Vec<&str> = name.split('_').collect();
    parts.retain(|part| {
        let digits = part.replace('w', "");
        *part != "rest" && !(digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit()))
    });
    parts.join("_")
}

#[expect(clippy::too_many_lines, reason = "a table of statements and their indexes")]
#[tokio::test]
async fn each_statement_goes_through_its_index_and_scans_nothing() {
    let app = TestApp::start().await;
    let definition = app.define(sample::pong()).await;
    let weeks = "
        select format('create table %1$s_%2$s partition of %1$s for values from (%3$s) to (%4$s)', t,
            to_char(monday, 'IYYY\"w\"IW'), bounds[1], bounds[2])
        from unnest(array['instances', 'steps', 'failures', 'search_terms', 'search_groups', 'search_values',
                'search_buckets']) as t,
            generate_series(1, 4) as back,
            lateral (select date_trunc('week', now() at time zone 'UTC') at time zone 'UTC'
                - back * interval '7 days') m (monday),
            lateral (
                select array_agg(
                    case
                        when t in ('search_values', 'search_buckets') then (second - 2147483648)::text
                        else quote_literal('\\x' || lpad(to_hex(second), 8, '0'))
                    end
                    order by second)
                from (
                    select extract(epoch from monday + week * interval '7 days')::bigint
                    from generate_series(0, 1) as week
                ) s (second)
            ) b (bounds)";
    let pool = app.store().pool();
    let creates: Vec<String> = sqlx::query_scalar(weeks).fetch_all(pool).await.unwrap();
    for create in creates {
        pool.execute(sqlx::AssertSqlSafe(create)).await.unwrap();
    }
    pool.execute(sqlx::AssertSqlSafe(FILL.replace("DEFINITION", &definition))).await.unwrap();
    for vacuum in [
        "instances",
        "failures",
        "search_terms",
        "search_groups",
        "search_values",
        "search_buckets",
        "jobs",
        "waits",
        "definition_versions",
    ] {
        pool.execute(sqlx::AssertSqlSafe(format!("vacuum analyze {vacuum}"))).await.unwrap();
    }
    // Of a few pages; whoever reads them whole does right.
    let small: Vec<String> =
        sqlx::query_scalar("select relname::text from pg_class where relkind = 'r' and relpages < 16")
            .fetch_all(pool)
            .await
            .unwrap();
    let newest: Vec<Vec<u8>> =
        sqlx::query_scalar("select id from filled where account_id = 'acme' order by id desc limit 250")
            .fetch_all(pool)
            .await
            .unwrap();
    let (least, greatest) = (newest.last().unwrap().clone(), newest[0].clone());

    let first_second: i32 = sqlx::query_scalar(
        "select (extract(epoch from date_trunc('week', now() at time zone 'UTC') at time zone 'UTC')::bigint
             - 604800 - 2147483648)::int",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    let none: Option<String> = None;
    let range = |statement: &'static str, rows: i64| {
        let explain = sqlx::AssertSqlSafe(format!("explain (format json) {statement}"));
        sqlx::query_scalar::<_, Value>(explain)
            .bind("acme")
            .bind(vec![0xff_u8; 12])
            .bind(vec![0_u8; 12])
            .bind(rows)
    };
    for generic in [false, true] {
        let mut connection = pool.begin().await.unwrap();
        let mode = if generic { "force_generic_plan" } else { "force_custom_plan" };
        connection.execute(sqlx::AssertSqlSafe(format!("set local plan_cache_mode = {mode}"))).await.unwrap();
        let load = sqlx::query_scalar::<_, Value>(sqlx::AssertSqlSafe(format!(
            "explain (format json) {}",
            statements::LOAD
        )))
        .bind(&newest)
        .bind(&least)
        .bind(&greatest)
        .bind("acme")
        .bind(&none)
        .bind(None::<uuid::Uuid>)
        .bind(None::<i32>)
        .bind(&none)
        .bind(None::<chrono::DateTime<chrono::Utc>>)
        .bind(None::<chrono::DateTime<chrono::Utc>>)
        .bind(None::<i64>)
        .bind(true)
        .bind(8_i64 << 20);
        let again = sqlx::query_scalar::<_, Value>(sqlx::AssertSqlSafe(format!(
            "explain (format json) {}",
            statements::LOOK_AGAIN
        )))
        .bind(&newest)
        .bind(&least)
        .bind(&greatest)
        .bind(8_i64 << 20);
        let count = sqlx::query_scalar::<_, Value>(sqlx::AssertSqlSafe(format!(
            "explain (format json) {}",
            statements::COUNT_TERM
        )))
        .bind(3)
        .bind(3_i64)
        .bind("acme")
        .bind(3_i64)
        .bind(1_000_i64)
        .bind(100_i64);
        let explain = |statement: &str| sqlx::AssertSqlSafe(format!("explain (format json) {statement}"));
        let values = sqlx::query_scalar::<_, Value>(explain(statements::VALUES))
            .bind(i32::MAX)
            .bind(i64::MAX)
            .bind(i32::MIN)
            .bind(i64::MIN)
            .bind(500_i64)
            .bind(vec![1_000_000, 3]);
        let buckets = sqlx::query_scalar::<_, Value>(explain(statements::BUCKETS))
            .bind(vec![1_i64, 8, 65, 519, 4_100])
            .bind(i32::MAX)
            .bind(i32::MIN)
            .bind(128_i64);
        let full = sqlx::query_scalar::<_, Value>(explain(statements::FULL_BUCKETS))
            .bind(0_i64)
            .bind((1_i64 << 30) - 1)
            .bind(1_000_i64)
            .bind(8_i64);
        let taken = sqlx::query_scalar::<_, Value>(explain(statements::TAKE_BUCKETS))
            .bind(vec![1_i64, 8, 65])
            .bind(first_second)
            .bind(first_second + 604_799)
            .bind(1_024_i64);
        let groups = sqlx::query_scalar::<_, Value>(explain(statements::GROUPS))
            .bind(vec![0xff_u8; 12])
            .bind(16_i64)
            .bind(vec![1_000_000_i64, 3]);
        let none_at = None::<chrono::DateTime<chrono::Utc>>;
        let list = sqlx::query_scalar::<_, Value>(explain(instances::LIST))
            .bind("acme")
            .bind(uuid::Uuid::parse_str(&definition).unwrap())
            .bind(1)
            .bind(&none)
            .bind(none_at)
            .bind(none_at)
            .bind(50_i64)
            .bind(0_i64);
        let waits = sqlx::query_scalar::<_, Value>(explain(events::FIND_WAITS))
            .bind("acme")
            .bind(vec!["sms:110".to_owned(), "sms:6500000000".to_owned()])
            .bind(&none);
        for (name, statement, indexes) in [
            (
                "walk",
                range(statements::WALK, 5_000).bind(&none).bind(None::<uuid::Uuid>),
                &["instances_pkey"][..],
            ),
            ("unfinished", range(statements::UNFINISHED, 2_000), &["jobs_pkey", "waits_of_path"]),
            // Of an account with most of the failures the primary key does as well.
            (
                "failures",
                range(statements::FAILURES, 5_000).bind(true),
                &["failures_account_id_instance_id_idx", "failures_pkey"],
            ),
            (
                "alike",
                range(statements::FAILURES_ALIKE, 5_000).bind(3_i64),
                &["failures_account_id_fingerprint_instance_id_idx"],
            ),
            (
                "of step",
                range(statements::FAILURES_OF_STEP, 500).bind("step-3"),
                &["failures_account_id_hashtextextended_instance_id_idx"],
            ),
            ("values", values, &["search_values_term_at_idx"]),
            ("buckets", buckets, &["search_buckets_bucket_least_greatest_idx"]),
            ("full buckets", full, &["search_buckets_bucket_least_greatest_idx"]),
            ("buckets that are taken", taken, &["search_buckets_bucket_least_greatest_idx"]),
            ("groups", groups, &["search_groups_pkey"]),
            (
                "former terms",
                range(statements::FORMER_TERMS, 500).bind(vec![1_000_000_i64, 3]),
                &["search_terms_pkey"],
            ),
            ("count", count, &["search_values_term_at_idx", "search_groups_pkey", "search_terms_pkey"]),
            ("list", list, &["instances_uuid_hash_extended_started_at_idx", "definition_versions_pkey"]),
            ("waits", waits, &["waits_of_key"]),
            ("load", load, &["instances_pkey", "failures_pkey", "definition_versions_pkey"]),
            ("again", again, &["instances_pkey"]),
        ] {
            let plan = statement.fetch_one(&mut *connection).await.unwrap();
            if name == "waits" {
                let rows = plan[0]["Plan"]["Plan Rows"].as_i64().unwrap();
                let cost = plan[0]["Plan"]["Total Cost"].as_f64().unwrap();
                assert!(rows <= 10 && cost < 200.0, "the hashes are counted: {plan:#}");
            }
            let is_by_itself = plan.to_string().contains("(id = s.id)");
            assert!(is_by_itself || name != "again", "each by itself, {mode}: {plan:#}");
            let mut found = Vec::new();
            scans(&plan[0]["Plan"], &mut found);
            assert!(!found.is_empty(), "{name}: {plan:#}");
            for (node, relation, index) in &found {
                // What was found by the index is taken by its place.
                if small.contains(relation) || ["ModifyTable", "Tid Scan"].contains(&node.as_str()) {
                    continue;
                }
                let index = index.as_deref().map(week_cut_off);
                let index = index.unwrap_or_else(|| panic!("{name}, {mode}: {node} of {relation}: {plan:#}"));
                assert!(indexes.contains(&index.as_str()), "{name}, {mode}: {relation} by {index}: {plan:#}");
            }
        }
    }
}
