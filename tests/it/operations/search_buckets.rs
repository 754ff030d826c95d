//! Rare values, packed in buckets that are merged: whoever searches meanwhile finds each instance once.

use std::time::Duration;

use trunkline_store::PgPool;
use trunkline_store::search::{InstanceSearch, Phone};

use crate::support::{TestApp, sample};

/// Instances whose orders are counted from there, one a second; two of a thousand are of the same tour.
async fn fill(app: &TestApp, definition: &str, first: i32, count: i32) {
    sqlx::query(
        "insert into instances (id, account_id, definition_id, version, status, started_at, completed_at, data)
         select decode(lpad(to_hex(extract(epoch from started)::bigint), 8, '0') || lpad(to_hex(n), 16, '0'), 'hex'),
             'acme', $1, 1, 'Complete', started, started,
             json_build_object('order', 'o-' || n, 'phone', '+65' || 10000000 + n, 'tour', n % 1000 / 2,
                 'a', 'a-' || n, 'b', 'b-' || n)::text
         from generate_series($2, $2 + $3 - 1) as n,
             lateral (select date_trunc('week', now()) - interval '7 days' + n * interval '1 second') as s (started)",
    )
    .bind(uuid::Uuid::parse_str(definition).unwrap())
    .bind(first)
    .bind(count)
    .execute(app.store().pool())
    .await
    .unwrap();
    // They are older than what upkeep has come by.
    sqlx::query(
        "update search_marks
         set mark = (select id from instances where data::json ->> 'order' = 'o-' || $1)
         where walk = 'values'",
    )
    .bind(first)
    .execute(app.store().pool())
    .await
    .unwrap();
}

async fn follow(app: &TestApp) {
    while app.store().follow_instances(Duration::ZERO).await.unwrap() {}
}

async fn merge(app: &TestApp) {
    while app.store().merge_buckets().await.unwrap() {}
}

fn of_value(path: &str, value: &str) -> InstanceSearch {
    InstanceSearch { context: vec![(path.to_owned(), value.to_owned())], ..InstanceSearch::default() }
}

/// The numbers of the orders on all pages.
async fn found(app: &TestApp, search: &InstanceSearch, limit: usize) -> Vec<i64> {
    let minute = Duration::from_secs(60);
    let (mut walked, mut below) = (Vec::new(), None);
    loop {
        let page = app.store().search_instances(app.account(), search, below, limit, minute).await.unwrap();
        walked.extend(
            page.items.iter().map(|item| i64::from_str_radix(&item.id.to_string()[8..], 16).unwrap()),
        );
        below = page.next;
        if below.is_none() {
            return walked;
        }
    }
}

/// Of the tour that order 7 is of, the newest first.
fn of_tour(count: i64) -> Vec<i64> {
    (0..count).filter(|n| n % 1_000 / 2 == 3).rev().collect()
}

async fn finds_each_once(app: &TestApp, count: i64, limit: usize) {
    for n in [0, 7, count / 2, count - 1] {
        assert_eq!(found(app, &of_value("order", &format!("o-{n}")), limit).await, [n]);
    }
    let phone = Phone::parse("+65 1000 0007");
    assert_eq!(found(app, &InstanceSearch { phone, ..InstanceSearch::default() }, limit).await, [7]);
    assert_eq!(found(app, &of_value("tour", "3"), limit).await, of_tour(count), "{limit}");
    let mut of_both = of_value("tour", "3");
    of_both.context.push(("b".to_owned(), "b-7".to_owned()));
    assert_eq!(found(app, &of_both, limit).await, [7]);
    assert!(found(app, &of_value("order", "o--1"), limit).await.is_empty());
}

async fn count(pool: &PgPool, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

const BYTES: &str = "select sum(octet_length(entries)) from search_buckets";
/// Of one bucket, but for the narrowest ones.
const MOST_ROWS: &str = "
select max(rows)
from (select count(*) as rows from search_buckets where bucket < 1 << 30 group by bucket) b";
const NARROWEST: &str = "select max(bucket) from search_buckets";

#[tokio::test(flavor = "multi_thread")]
async fn a_search_finds_each_instance_once_while_buckets_are_merged() {
    let app = TestApp::start().await;
    let pool = app.store().pool();
    let definition = app.define(sample::pong()).await;
    for part in 0..3 {
        fill(&app, &definition, part * 8_000, 8_000).await;
        follow(&app).await;
        let all = i64::from(part + 1) * 8_000;
        finds_each_once(&app, all, 7).await;
        let before = count(pool, NARROWEST).await;
        let searching = async {
            for limit in [1, 5, 500] {
                finds_each_once(&app, all, limit).await;
            }
        };
        // Of two workers, too.
        tokio::join!(merge(&app), merge(&app), searching);
        finds_each_once(&app, all, 3).await;
        assert!(count(pool, MOST_ROWS).await < 8);
        assert!(count(pool, NARROWEST).await >= before);
    }
    assert!(count(pool, NARROWEST).await >= 1 << 9);
    // Four values of each, and a few tours.
    let bytes = count(pool, BYTES).await;
    assert!(bytes < 24_000 * 5 * 9, "{bytes}");
    assert_eq!(count(pool, "select count(*) from search_values").await, 0);
}

#[tokio::test]
async fn a_walk_goes_no_further_than_what_was_written() {
    let app = TestApp::start().await;
    let pool = app.store().pool();
    let definition = app.define(sample::pong()).await;
    fill(&app, &definition, 0, 8_000).await;
    follow(&app).await;
    merge(&app).await;
    let rows = "select count(*) from search_buckets where bucket = (select max(bucket) from search_buckets)";
    let (of_narrowest, bytes) = (count(pool, rows).await, count(pool, BYTES).await);
    sqlx::raw_sql(
        "insert into search_buckets (bucket, least, greatest, entries)
         select bucket, least, greatest, entries
         from search_buckets, generate_series(1, 20)
         where bucket = (select max(bucket) from search_buckets)",
    )
    .execute(pool)
    .await
    .unwrap();
    fill(&app, &definition, 8_000, 1).await;
    follow(&app).await;
    merge(&app).await;
    assert_eq!(count(pool, rows).await, 21 * of_narrowest, "one more is in the widest");
    // Another one is written while the next walk is on its way.
    sqlx::raw_sql(
        "update search_marks
         set mark = (select int8send(max(bucket)) from search_buckets)
         where walk = 'written'",
    )
    .execute(pool)
    .await
    .unwrap();
    assert!(app.store().merge_buckets().await.unwrap());
    fill(&app, &definition, 8_001, 1).await;
    follow(&app).await;
    merge(&app).await;
    assert!(count(pool, MOST_ROWS).await < 8);
    assert!(count(pool, BYTES).await < 2 * bytes);
    finds_each_once(&app, 8_002, 7).await;
    assert!(!app.store().merge_buckets().await.unwrap(), "nothing is left to be looked at");
}

#[tokio::test]
async fn a_bucket_of_many_rows_is_read_in_pieces() {
    let app = TestApp::start().await;
    let pool = app.store().pool();
    let definition = app.define(sample::pong()).await;
    fill(&app, &definition, 0, 400).await;
    follow(&app).await;
    // Each second has the last of some of them.
    sqlx::raw_sql(
        "insert into search_buckets (bucket, least, greatest, entries)
         select bucket, least, greatest + n / 7, entries
         from search_buckets, generate_series(1, 300) as n",
    )
    .execute(pool)
    .await
    .unwrap();
    for limit in [1, 7] {
        finds_each_once(&app, 400, limit).await;
    }
    merge(&app).await;
    finds_each_once(&app, 400, 7).await;
    assert!(count(pool, MOST_ROWS).await < 8);
}

#[tokio::test]
async fn what_is_looked_at_again_is_there_once_when_it_is_merged() {
    let app = TestApp::start().await;
    let (store, pool) = (app.store(), app.store().pool());
    let definition = app.define(sample::pong()).await;
    fill(&app, &definition, 0, 1_000).await;
    sqlx::raw_sql("update instances set status = 'Runnable', completed_at = null")
        .execute(pool)
        .await
        .unwrap();
    follow(&app).await;
    let once = count(pool, BYTES).await;
    for note in 0..8 {
        sqlx::query("update instances set data = jsonb_set(data::jsonb, '{note}', to_jsonb($1::int))::text")
            .bind(note)
            .execute(pool)
            .await
            .unwrap();
        store.follow_unfinished().await.unwrap();
    }
    finds_each_once(&app, 1_000, 7).await;
    assert!(count(pool, BYTES).await > 8 * once);
    merge(&app).await;
    finds_each_once(&app, 1_000, 7).await;
    // And eight notes of each.
    assert!(count(pool, BYTES).await < 4 * once);
}

#[tokio::test]
async fn a_merge_that_stops_half_way_takes_nothing_away() {
    let app = TestApp::start().await;
    let (store, pool) = (app.store(), app.store().pool());
    let definition = app.define(sample::pong()).await;
    fill(&app, &definition, 0, 16_000).await;
    follow(&app).await;
    let before = count(pool, BYTES).await;
    // What it takes is gone by then, and the connection as well.
    sqlx::raw_sql(
        "create function stop() returns trigger language plpgsql as $$
         begin
             perform pg_terminate_backend(pg_backend_pid());
             return new;
         end
         $$;
         create trigger stop before insert on search_buckets for each row execute function stop()",
    )
    .execute(pool)
    .await
    .unwrap();
    assert!(store.merge_buckets().await.is_err());
    assert_eq!(count(pool, BYTES).await, before);
    finds_each_once(&app, 16_000, 7).await;
    sqlx::raw_sql("drop trigger stop on search_buckets").execute(pool).await.unwrap();
    merge(&app).await;
    assert!(count(pool, MOST_ROWS).await < 8);
    finds_each_once(&app, 16_000, 7).await;
}

#[tokio::test]
async fn until_the_release_before_is_gone_values_are_written_where_it_looks_for_them() {
    let app = TestApp::start().await;
    let (store, pool) = (app.store(), app.store().pool());
    let definition = app.define(sample::pong()).await;
    sqlx::raw_sql(
        "update search_marks
         set mark = (
             select decode(lpad(to_hex(extract(epoch from date_trunc('week', now()) - interval '7 days')::bigint + 100),
                 8, '0') || repeat('0', 16), 'hex')
         )
         where walk = 'packed'",
    )
    .execute(pool)
    .await
    .unwrap();
    fill(&app, &definition, 0, 200).await;
    sqlx::raw_sql("update instances set status = 'Runnable', completed_at = null")
        .execute(pool)
        .await
        .unwrap();
    follow(&app).await;
    let of_before = "select count(*) from search_values";
    // An order, a phone, `a`, `b` and the tour of each.
    assert_eq!(count(pool, of_before).await, 500);
    finds_each_once(&app, 200, 7).await;
    sqlx::raw_sql("update instances set data = jsonb_set(data::jsonb, '{note}', to_jsonb(data))::text")
        .execute(pool)
        .await
        .unwrap();
    store.follow_unfinished().await.unwrap();
    assert_eq!(count(pool, of_before).await, 600, "what was there is not there again");
    finds_each_once(&app, 200, 7).await;
    // Its workers go on writing there.
    sqlx::raw_sql("update search_marks set mark = decode(repeat('ff', 12), 'hex') where walk = 'packed'")
        .execute(pool)
        .await
        .unwrap();
    fill(&app, &definition, 200, 50).await;
    follow(&app).await;
    finds_each_once(&app, 250, 7).await;
}
