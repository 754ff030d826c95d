//! What instances are found by, in few rows; and what the release before left.

use std::time::Duration;

use serde_json::json;
use sha2::{Digest, Sha256};
use trunkline_store::PgPool;
use trunkline_store::search::{InstanceSearch, Phone};

use crate::support::{TestApp, instance_id, sample};

async fn count(pool: &PgPool, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

fn of_value(path: &str, value: &str) -> InstanceSearch {
    InstanceSearch { context: vec![(path.to_owned(), value.to_owned())], ..InstanceSearch::default() }
}

/// What is on all pages.
async fn walk(app: &TestApp, search: &InstanceSearch, limit: usize) -> Vec<String> {
    let minute = Duration::from_secs(60);
    let (mut walked, mut below) = (Vec::new(), None);
    loop {
        let page = app.store().search_instances(app.account(), search, below, limit, minute).await.unwrap();
        walked.extend(page.items.iter().map(|item| item.id.to_string()));
        below = page.next;
        if below.is_none() {
            return walked;
        }
    }
}

/// Those whose context says so now.
async fn of_kind(pool: &PgPool, kind: &str) -> Vec<String> {
    sqlx::query_scalar(
        "select encode(id, 'hex') from instances where data::json ->> 'kind' = $1 order by id desc",
    )
    .bind(kind)
    .fetch_all(pool)
    .await
    .unwrap()
}

const FOLLOWED: &str = "select coalesce(sum(octet_length(seen)), 0) / 16 from search_following";

#[tokio::test]
async fn a_value_of_many_takes_a_row_for_many_and_is_found_with_those_that_got_it_later() {
    let app = TestApp::start().await;
    let (store, pool) = (app.store(), app.store().pool());
    let definition = app.define(sample::pong()).await;
    // One a second, before and after a week began.
    sqlx::query(
        "insert into instances (id, account_id, definition_id, version, status, started_at, data)
         select decode(lpad(to_hex(extract(epoch from started)::bigint), 8, '0') || lpad(to_hex(n), 16, '0'), 'hex'),
             'acme', $1, 1, 'Runnable', started, json_build_object('kind', 'k' || n % 2, 'order', 'o-' || n)::text
         from generate_series(1, 5000) as n,
             (select date_trunc('week', now() at time zone 'UTC') at time zone 'UTC') as w (monday),
             lateral (select monday - interval '7 days' + (n - 2500) * interval '1 second') as s (started)",
    )
    .bind(uuid::Uuid::parse_str(&definition).unwrap())
    .execute(pool)
    .await
    .unwrap();
    while store.follow_instances(Duration::ZERO).await.unwrap() {}
    let bytes = count(pool, "select sum(octet_length(entries)) from search_buckets").await;
    assert!((5_000 * 5..5_000 * 10).contains(&bytes), "each order is another: {bytes} bytes");
    let ids = "select sum(octet_length(ids)) / 12 from search_groups";
    assert_eq!(count(pool, ids).await, 10_000, "the kind of each, and its version");
    let rows = count(pool, "select count(*) from search_groups").await;
    assert!(rows < 90, "{rows} rows");
    let crossing = "select count(*)
         from search_groups,
             (select date_trunc('week', now() at time zone 'UTC') at time zone 'UTC' - interval '7 days') as w (monday),
             lateral (select lpad(to_hex(extract(epoch from monday)::bigint), 8, '0')) as b (bound)
         where encode(first, 'hex') < bound and right(encode(ids, 'hex'), 24) >= bound";
    assert_eq!(count(pool, crossing).await, 0, "history leaves by the week");
    assert_eq!(walk(&app, &of_value("order", "o-77"), 10).await.len(), 1);
    assert_eq!(walk(&app, &of_value("kind", "k1"), 499).await, of_kind(pool, "k1").await);

    sqlx::raw_sql(
        "update instances
         set data = replace(data, 'k0', 'k1'), status = 'Complete', completed_at = now()
         where data::json ->> 'order' like '%70'",
    )
    .execute(pool)
    .await
    .unwrap();
    assert_eq!(count(pool, FOLLOWED).await, 5_000);
    for _ in 0..4 {
        store.follow_unfinished().await.unwrap();
    }
    assert_eq!(count(pool, FOLLOWED).await, 4_950);
    sqlx::raw_sql(
        "update instances
         set status = 'Complete', completed_at = now()
         where data::json ->> 'order' not like '%5'",
    )
    .execute(pool)
    .await
    .unwrap();
    while store.follow_unfinished().await.unwrap() {}
    for _ in 0..4 {
        store.follow_unfinished().await.unwrap();
    }
    assert_eq!(count(pool, FOLLOWED).await, 500);
    let packs = count(pool, "select count(*) from search_following").await;
    assert!(packs < 10, "what is left lies together: {packs} rows");
    assert_eq!(count(pool, "select count(*) from search_values").await, 0);
    for (kind, instances) in [("k1", 2_550), ("k0", 2_450)] {
        for limit in [7, 500] {
            let walked = walk(&app, &of_value("kind", kind), limit).await;
            assert_eq!(walked.len(), instances, "{kind}, {limit}");
            assert!(walked == of_kind(pool, kind).await, "{kind}, {limit}");
        }
    }
    sqlx::raw_sql("update instances set status = 'Complete', completed_at = now()")
        .execute(pool)
        .await
        .unwrap();
    while store.follow_unfinished().await.unwrap() {}
    store.follow_unfinished().await.unwrap();
    assert_eq!(count(pool, "select count(*) from search_following").await, 0);
}

/// So many unfinished ones of a hundred seconds ago, with these contexts: SQL, `n` counts from 0.
async fn make_unfinished(app: &TestApp, count: i64, data: &str) {
    let definition = app.define(sample::pong()).await;
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "insert into instances (id, account_id, definition_id, version, status, started_at, data)
         select decode(lpad(to_hex(extract(epoch from now())::bigint - 100), 8, '0') || lpad(to_hex(n), 16, '0'), 'hex'),
             'acme', $1, 1, 'Runnable', now() - interval '100 s', {data}
         from generate_series(0, $2 - 1) as n",
    )))
    .bind(uuid::Uuid::parse_str(&definition).unwrap())
    .bind(count)
    .execute(app.store().pool())
    .await
    .unwrap();
}

/// A step of the walks reads 32 MiB of contexts, or so.
#[tokio::test]
async fn large_contexts_are_followed_some_at_a_time() {
    let app = TestApp::start().await;
    let (store, pool) = (app.store(), app.store().pool());
    let data = "json_build_object('rest', repeat('x', case when n % 2 = 1 then 1 << 20 end), 'order', 'o-' || n)::text";
    make_unfinished(&app, 200, data).await;
    let mut steps = 1;
    while store.follow_instances(Duration::ZERO).await.unwrap() {
        steps += 1;
    }
    assert_eq!((steps, count(pool, FOLLOWED).await), (4, 200));
    sqlx::raw_sql("update instances set data = replace(data, 'o-', 'p-')").execute(pool).await.unwrap();
    let found = async || {
        let mut found = 0;
        for n in 0..200 {
            found += walk(&app, &of_value("order", &format!("p-{n}")), 10).await.len();
        }
        found
    };
    for expected in [64, 128, 192, 200] {
        store.follow_unfinished().await.unwrap();
        assert_eq!((found().await, count(pool, FOLLOWED).await), (expected, 200));
    }
    sqlx::raw_sql("update instances set status = 'Complete', completed_at = now()")
        .execute(pool)
        .await
        .unwrap();
    for expected in [136, 72, 8, 0] {
        store.follow_unfinished().await.unwrap();
        assert_eq!(count(pool, FOLLOWED).await, expected);
    }
    assert_eq!(walk(&app, &of_value("order", "p-199"), 10).await.len(), 1);
}

/// What is left of rows is put together, also of rows that are not neighbours: then ids are not in the order of rows.
#[tokio::test]
async fn rows_whose_ids_overlap_are_followed_all() {
    let app = TestApp::start().await;
    let (store, pool) = (app.store(), app.store().pool());
    let data = "json_build_object('kind', 'k0')::text";
    make_unfinished(&app, 17 * 240, data).await;
    while store.follow_instances(Duration::ZERO).await.unwrap() {}
    // Each row is full, a step of the walk reads eight of them, and one instance of the eighth is of the fifteenth.
    sqlx::raw_sql(
        "delete from search_following;
         insert into search_following (first, seen)
         select (array_agg(id order by id))[1], string_agg(id || int4send(hashtext(data)), '' order by id)
         from (select id, data, row_number() over (order by id) - 1 as n from instances) i
         group by case n when 14 * 240 then 7 when 7 * 240 + 5 then 14 else n / 240 end;
         update instances set data = replace(data, 'k0', 'k1')",
    )
    .execute(pool)
    .await
    .unwrap();
    for _ in 0..9 {
        store.follow_unfinished().await.unwrap();
    }
    assert_eq!(walk(&app, &of_value("kind", "k1"), 500).await.len(), 17 * 240);
    assert_eq!(count(pool, FOLLOWED).await, 17 * 240);
}

/// A term as the release before wrote it.
fn former(kind: &str, path: &str, value: &str) -> i64 {
    let digest = Sha256::digest(format!("{kind}\0{path}\0{value}"));
    i64::from_be_bytes(*digest.first_chunk().unwrap())
}

#[tokio::test]
async fn what_the_release_before_wrote_is_found_and_followed_to_its_end() {
    let app = TestApp::start().await;
    let (store, pool) = (app.store(), app.store().pool());
    let definition = app.define(sample::pong()).await;
    let path = app.start_instance(&definition, json!({"city": "Zürich", "n": 1})).await;
    let instance = [instance_id(&path).to_string()];
    // Its terms, that it was unfinished, and that nothing is left to be walked past.
    sqlx::query(
        "with terms as (
             insert into search_terms (account_id, term, instance_id)
             select 'acme', unnest($1::bigint[]), decode($2, 'hex')
         ), open as (
             insert into search_open (instance_id)
             values (decode($2, 'hex'))
         )
         update search_marks
         set mark = decode(repeat('ff', 12), 'hex')
         where walk in ('terms', 'values')",
    )
    .bind(vec![
        former("value", "city", "Zürich"),
        former("value", "n", "1"),
        former("version", &definition, "1"),
    ])
    .bind(&instance[0])
    .execute(pool)
    .await
    .unwrap();
    let of_definition = InstanceSearch {
        definition: Some(uuid::Uuid::parse_str(&definition).unwrap()),
        ..InstanceSearch::default()
    };
    let mut of_both = of_value("city", "Zürich");
    of_both.context.push(("n".to_owned(), "1".to_owned()));
    for search in [of_value("city", "Zürich"), of_value("n", "1"), of_both, of_definition] {
        assert_eq!(walk(&app, &search, 10).await, instance, "{search:?}");
    }
    sqlx::query("update instances set data = $1, status = 'Complete', completed_at = now()")
        .bind(json!({"ticket": "T-1", "to": "+65 9000 1111"}).to_string())
        .execute(pool)
        .await
        .unwrap();
    sqlx::raw_sql("delete from jobs").execute(pool).await.unwrap();
    store.follow_unfinished().await.unwrap();
    assert!(walk(&app, &of_value("ticket", "T-1"), 10).await.is_empty());
    assert!(!store.follow_former_unfinished().await.unwrap());
    let of_phone = InstanceSearch { phone: Phone::parse("006590001111"), ..InstanceSearch::default() };
    for search in [of_value("ticket", "T-1"), of_value("to", "+65 9000 1111"), of_phone] {
        assert_eq!(walk(&app, &search, 10).await, instance, "{search:?}");
    }
    assert_eq!(count(pool, "select count(*) from search_open").await, 0);
}
