//! (s) Pages of a search over HTTP, among many instances that have ended.
//!
//! They are written by SQL over the four weeks before this one, a tenth of them for somebody else; what they are found
//! by is written by the store's own walk, which is measured, too.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;
use trunkline_store::audit::By;
use trunkline_store::cluster::Cluster;
use trunkline_store::search::Fingerprint;
use trunkline_workflow::DefinitionId;

use crate::database::Prepared;
use crate::definition;
use crate::http_connection::{self, HttpConnection};
use crate::server::{Role, Server};
use crate::summary::{Latencies, per_second};

/// Definitions that the instances belong to in turn.
const DEFINITIONS: usize = 10;
/// One of so many has failed.
const FAILED: usize = 1_000;
/// Instances that have the same phone number, everybody's counted.
const OF_A_PHONE: usize = 20;
/// Written by one statement.
const AT_ONCE: usize = 100_000;
const WEEKS: i64 = 4;

const WORDS: [&str; 8] = ["billing", "crm", "orders", "stock", "mail", "tickets", "maps", "quotes"];

pub struct Search {
    pub kinds: Vec<Kind>,
    pub all: Latencies,
    /// Instances a second that the walk went by.
    pub followed: f64,
}

/// Searches by the same condition.
pub struct Kind {
    pub what: &'static str,
    pub latencies: Latencies,
    /// Instances on a page, on average.
    pub found: f64,
}

pub async fn measure(
    cluster: &Cluster,
    folder: &Path,
    instances: usize,
    calls: usize,
) -> anyhow::Result<Search> {
    let database = Prepared::new(cluster, "search", 5).await?;
    let filled = Filled::fill(&database, instances).await?;
    let begun = Instant::now();
    while database.store.follow_instances(Duration::from_secs(60)).await? {}
    while database.store.merge_buckets().await? {}
    let followed = per_second(instances, begun.elapsed());
    sqlx::raw_sql("vacuum (analyze) instances, failures, search_buckets, search_groups")
        .execute(database.store.pool())
        .await?;
    let server = Server::start(Role::Serve, &cluster.url(&database.name), folder).await?;
    let mut connection = HttpConnection::open(server.address).await?;
    let mut kinds = Vec::new();
    let mut all = Vec::new();
    for (what, query) in KINDS {
        let mut took = Vec::new();
        let mut found = 0;
        for call in 0..calls {
            // Spread over all of them, and the same ones in every run.
            let n = (call * 7_919_777 + 17) % instances;
            let path = format!("/api/v1/accounts/{}/instances?{}", database.account, query(&filled, n));
            let request = http_connection::get(&path, Some(&database.key));
            let called = Instant::now();
            let answer = connection.call(&request).await?;
            took.push(called.elapsed());
            ensure!(answer.status == 200, "`{path}` was answered with {}", answer.status);
            let page: Value = serde_json::from_slice(&answer.body)?;
            found += page["items"].as_array().context("a page without items")?.len();
        }
        ensure!(found > 0, "nothing is found by {what}");
        all.extend_from_slice(&took);
        let latencies = Latencies::new(took).context("nothing was searched")?;
        let found = f64::from(u32::try_from(found)?) / f64::from(u32::try_from(calls)?);
        kinds.push(Kind { what, latencies, found });
    }
    server.stop().await?;
    database.remove(cluster).await?;
    Ok(Search { kinds, all: Latencies::new(all).context("nothing was searched")?, followed })
}

type Query = fn(&Filled, usize) -> String;

const KINDS: [(&str, Query); 13] = [
    ("nothing", |_, _| String::new()),
    ("status", |_, _| "status=terminated".to_owned()),
    ("definition", |filled, n| format!("definitionId={}", filled.definition(n))),
    ("definition and version", |filled, n| format!("definitionId={}&version=1", filled.definition(n))),
    ("definition and status", |filled, n| format!("definitionId={}&status=terminated", filled.definition(n))),
    ("step", |_, n| format!("step=s{}", n % 5 + 1)),
    ("error text", |_, n| format!("error={}%20answered", WORDS[n % WORDS.len()])),
    ("fingerprint", |_, n| format!("fingerprint={}", Fingerprint::of(&message(n % WORDS.len(), n)))),
    ("phone", |filled, n| format!("phone={}", filled.phone(n))),
    ("context", |_, n| format!("context.order.id={}", n - n % 10 + 1)),
    ("an hour", |filled, n| {
        let from = filled.second(n);
        let time = |second: i64| {
            chrono::DateTime::from_timestamp(second, 0)
                .map_or_else(String::new, |time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string())
        };
        format!("startedFrom={}&startedBefore={}", time(from), time(from + 3_600))
    }),
    ("definition, phone and hour", |filled, n| {
        let n = n - n % 10 + 1;
        format!("definitionId={}&phone={}", filled.definition(n), filled.phone(n))
    }),
    ("id", |filled, n| format!("id={}", filled.id(n - n % 10 + 1))),
];

/// Instance `n` of all: what the statement of [`Filled::fill`] makes of it.
struct Filled {
    definitions: Vec<DefinitionId>,
    instances: usize,
    first_second: i64,
}

fn message(word: usize, n: usize) -> String {
    format!("Call failed. The host {} answered 503 to request {n}.", WORDS[word])
}

impl Filled {
    async fn fill(database: &Prepared, instances: usize) -> anyhow::Result<Self> {
        ensure!(instances >= FAILED * WORDS.len() * 5, "so few instances are no measurement");
        let mut definitions = vec![database.definition];
        for _ in 1..DEFINITIONS {
            let id = uuid::Uuid::new_v4();
            let saved = database
                .store
                .create_definition(&database.account, id, definition::parse(5)?, &By::trunkline())
                .await?;
            definitions.push(saved.id);
        }
        let monday: i64 = sqlx::query_scalar(
            "select extract(epoch from date_trunc('week', now() at time zone 'utc') at time zone 'utc')::bigint",
        )
        .fetch_one(database.store.pool())
        .await?;
        let first_second = monday - WEEKS * 7 * 86_400;
        make_weeks(database, first_second).await?;
        let filled = Self { definitions, instances, first_second };
        for first in (0..instances).step_by(AT_ONCE) {
            filled.write(database, first, instances.min(first + AT_ONCE)).await?;
        }
        filled.fail(database).await?;
        Ok(filled)
    }

    async fn write(&self, database: &Prepared, first: usize, end: usize) -> anyhow::Result<()> {
        sqlx::query(
            "insert into instances (
                 id, account_id, definition_id, version, status, issued, started_at, completed_at, data
             )
             select decode(lpad(to_hex(second), 8, '0') || lpad(to_hex(n), 16, '0'), 'hex'),
                 case when n % 10 = 0 then 'somebody else' else $3 end,
                 ($4::uuid[])[n % $5 + 1],
                 1,
                 case when n % $6 = 7 then 'Terminated' else 'Complete' end,
                 5,
                 to_timestamp(second),
                 to_timestamp(second + 2),
                 format(
                     '{\"payload\":{\"source\":\"+%s\",\"body\":\"Where is my order?\"},\"order\":{\"id\":%s}}',
                     6580000000 + n % $7, n
                 )
             from (
                 select n, $8 + n * $9 / $10 as second
                 from generate_series($1::bigint, $2::bigint - 1) n
             ) made",
        )
        .bind(i64::try_from(first)?)
        .bind(i64::try_from(end)?)
        .bind(database.account.as_str())
        .bind(&self.definitions)
        .bind(i64::try_from(DEFINITIONS)?)
        .bind(i64::try_from(FAILED)?)
        .bind(i64::try_from(self.instances / OF_A_PHONE)?)
        .bind(self.first_second)
        .bind(WEEKS * 7 * 86_400)
        .bind(i64::try_from(self.instances)?)
        .execute(database.store.pool())
        .await?;
        Ok(())
    }

    /// Why they failed, of those that did.
    async fn fail(&self, database: &Prepared) -> anyhow::Result<()> {
        let fingerprints = (0..WORDS.len()).map(|word| {
            let shown = Fingerprint::of(&message(word, 0)).to_string();
            Ok(u64::from_str_radix(&shown, 16)?.cast_signed())
        });
        sqlx::query(
            "insert into failures (
                 instance_id, account_id, definition_id, version, step, message, fingerprint, failed_at
             )
             select id, account_id, definition_id, 1, 's' || n / $1 % 5 + 1,
                 format('Call failed. The host %s answered 503 to request %s.', ($2::text[])[n / $1 % $3 + 1], n),
                 ($4::bigint[])[n / $1 % $3 + 1],
                 completed_at
             from (
                 select *, ('x' || encode(substr(id, 5), 'hex'))::bit(64)::bigint as n
                 from instances
                 where status = 'Terminated'
             ) failed",
        )
        .bind(i64::try_from(FAILED)?)
        .bind(WORDS.as_slice())
        .bind(i64::try_from(WORDS.len())?)
        .bind(fingerprints.collect::<anyhow::Result<Vec<_>>>()?)
        .execute(database.store.pool())
        .await?;
        Ok(())
    }

    fn second(&self, n: usize) -> i64 {
        let into = n * usize::try_from(WEEKS).unwrap_or(0) * 7 * 86_400 / self.instances;
        self.first_second + i64::try_from(into).unwrap_or(0)
    }

    fn definition(&self, n: usize) -> DefinitionId {
        self.definitions[n % DEFINITIONS]
    }

    fn phone(&self, n: usize) -> usize {
        6_580_000_000 + n % (self.instances / OF_A_PHONE)
    }

    fn id(&self, n: usize) -> String {
        format!("{:08x}{n:016x}", self.second(n))
    }
}

/// The partitions that there would be if Trunkline had run for that long.
async fn make_weeks(database: &Prepared, first_second: i64) -> anyhow::Result<()> {
    for week in 0..WEEKS {
        let from = first_second + week * 7 * 86_400;
        let name = chrono::DateTime::from_timestamp(from, 0).context("a time")?.format("instances_%Gw%V");
        let to = from + 7 * 86_400;
        let statement = format!(
            "create table {name} partition of instances for values from ('\\x{from:08x}') to ('\\x{to:08x}')"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(database.store.pool()).await?;
    }
    // The other tables follow.
    database.store.ensure_partitions().await?;
    Ok(())
}
