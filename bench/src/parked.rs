//! (p) Many instances that wait for a reply: what each takes on the disk, what all of them cost while nothing happens,
//! how long one takes from its reply to its end, and how many messages a second are taken in.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use trunkline_store::audit::By;
use trunkline_store::cluster::Cluster;
use trunkline_store::starts::NewInstance;
use trunkline_workflow::{AccountId, InstanceId};

use crate::batches::until_parked;
use crate::database::Prepared;
use crate::definition;
use crate::http_connection::{self, HttpConnection};
use crate::processor_time::ProcessorTime;
use crate::server::{Role, Server};
use crate::summary::{Latencies, per_second};
use crate::watch_completions::{Started, Watcher};

const SECRET: &str = "bench";
const PER_SECOND: u32 = 20;
const IDLE: Duration = Duration::from_secs(10);
const CONNECTIONS: usize = 32;
/// One of so many messages is a reply that somebody waits for.
const REPLIES: usize = 10;
/// Written in one call.
const AT_ONCE: usize = 1_000;
const LOOK: Duration = Duration::from_millis(10);
/// Of the queue's table, when nothing is in it.
const SHORT_BYTES: i64 = 256 << 10;
const SHORT_SOON: Duration = Duration::from_secs(30);

pub struct Parked {
    /// On the disk, for each instance, beyond its context.
    pub bytes: f64,
    /// The same, of the tables that take most of them.
    pub tables: String,
    /// Parts of a core that the server and its worker take, and PostgreSQL.
    pub idle: (f64, f64),
    pub wake: Latencies,
    pub messages: Messages,
}

pub struct Messages {
    pub per_second: f64,
    pub latencies: Latencies,
}

pub async fn measure(
    cluster: &Cluster,
    folder: &Path,
    instances: usize,
    seconds: u32,
) -> anyhow::Result<Parked> {
    let (database, server, bytes, tables) = park(cluster, folder, instances).await?;
    let idle = idle(cluster, &server).await?;
    let mut waiting: Vec<InstanceId> = ids(&database).await?;
    let wake = wake(&database, server.address, &mut waiting, seconds).await?;
    let messages =
        take_in(&database, server.address, &waiting, Duration::from_secs(seconds.into()) / 3).await?;
    server.stop().await?;
    database.check().await?;
    database.remove(cluster).await?;
    Ok(Parked { bytes, tables, idle, wake, messages })
}

/// [`Parked::bytes`] and nothing else.
pub async fn measure_bytes(cluster: &Cluster, folder: &Path, instances: usize) -> anyhow::Result<f64> {
    let (database, server, bytes, _) = park(cluster, folder, instances).await?;
    server.stop().await?;
    database.check().await?;
    database.remove(cluster).await?;
    Ok(bytes)
}

async fn park(
    cluster: &Cluster,
    folder: &Path,
    instances: usize,
) -> anyhow::Result<(Prepared, Server, f64, String)> {
    let database = Prepared::new(cluster, "parked", 1).await?;
    ensure!(database.store.replace_webhook_secret(&database.account, SECRET, &By::trunkline()).await?);
    let server = Server::start(Role::Dev, &cluster.url(&database.name), folder).await?;
    let vacuum = async || sqlx::raw_sql("vacuum (analyze)").execute(database.store.pool()).await;
    // As afterwards: maps of free space and statistics of what is there already are nothing that an instance takes.
    vacuum().await?;
    let empty = size(&database).await?;
    start(&database, instances).await?;
    // What they are found by is written down as well.
    while database.store.follow_instances(Duration::ZERO).await? {}
    while database.store.merge_buckets().await? {}
    vacuum().await?;
    let context: f64 = sqlx::query_scalar("select avg(octet_length(data))::float8 from instances")
        .fetch_one(database.store.pool())
        .await?;
    let count = f64::from(u32::try_from(instances)?);
    let each = |bytes: i64| f64::from(i32::try_from(bytes / 1_024).unwrap_or(i32::MAX)) * 1_024.0 / count;
    let bytes = each(size(&database).await? - empty) - context;
    let tables = largest(&database).await?;
    let tables: Vec<String> =
        tables.iter().map(|(name, bytes)| format!("{name} {:.0}", each(*bytes))).collect();
    Ok((database, server, bytes, tables.join(", ")))
}

/// They begin to wait as they are started. All at once, they would be a queue first, whose room is nothing that an
/// instance takes while it waits.
async fn start(database: &Prepared, instances: usize) -> anyhow::Result<()> {
    let saved = database
        .store
        .create_definition(
            &database.account,
            uuid::Uuid::new_v4(),
            definition::awaiting_reply()?,
            &By::trunkline(),
        )
        .await?;
    for first in (0..instances).step_by(AT_ONCE) {
        let new = |n| NewInstance {
            account: database.account.clone(),
            definition: saved.id,
            version: 1,
            data: serde_json::Map::from_iter([("phone".to_owned(), phone(n).into())]).into(),
        };
        database.store.start((first..instances.min(first + AT_ONCE)).map(new).collect()).await?;
        while queued(database).await? >= AT_ONCE {
            tokio::time::sleep(LOOK).await;
        }
    }
    until_parked(&database.store, instances).await?;
    until_short(database).await
}

/// The worker makes the queue's table shorter once nothing happens in it.
async fn until_short(database: &Prepared) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let bytes: i64 =
            sqlx::query_scalar("select pg_relation_size('jobs')").fetch_one(database.store.pool()).await?;
        if bytes < SHORT_BYTES {
            return Ok(());
        }
        ensure!(begun.elapsed() < SHORT_SOON, "the queue's table is still {bytes} bytes long");
        tokio::time::sleep(LOOK).await;
    }
}

async fn queued(database: &Prepared) -> anyhow::Result<usize> {
    let jobs: i64 = sqlx::query_scalar("select count(*) from jobs").fetch_one(database.store.pool()).await?;
    Ok(usize::try_from(jobs)?)
}

fn phone(n: usize) -> String {
    format!("+65{n:08}")
}

async fn size(database: &Prepared) -> anyhow::Result<i64> {
    Ok(sqlx::query_scalar("select pg_database_size(current_database())")
        .fetch_one(database.store.pool())
        .await?)
}

async fn largest(database: &Prepared) -> anyhow::Result<Vec<(String, i64)>> {
    Ok(sqlx::query_as(
        "select regexp_replace(relname, '_2[0-9]{3}w[0-9]+$', ''), sum(pg_total_relation_size(oid))::bigint
         from pg_class
         where relkind = 'r' and relnamespace = 'public'::regnamespace
         group by 1
         order by 2 desc
         limit 5",
    )
    .fetch_all(database.store.pool())
    .await?)
}

/// Those that wait, in the order of their phone numbers.
async fn ids(database: &Prepared) -> anyhow::Result<Vec<InstanceId>> {
    let ids: Vec<Vec<u8>> =
        sqlx::query_scalar("select id from instances order by data").fetch_all(database.store.pool()).await?;
    Ok(ids.iter().map(|id| InstanceId::from_bytes(id)).collect::<Result<_, _>>()?)
}

async fn idle(cluster: &Cluster, server: &Server) -> anyhow::Result<(f64, f64)> {
    // What was begun before is over.
    tokio::time::sleep(IDLE / 2).await;
    let processor_time = ProcessorTime::of(cluster, server.processes()?);
    tokio::time::sleep(IDLE).await;
    let micros = usize::try_from(IDLE.as_micros())?;
    let shares = processor_time.shares(micros).context("the system does not tell processor times")?;
    Ok((shares.ours, shares.postgres))
}

/// The reply of phone `n` to whoever asked it.
fn reply(account: &AccountId, message: &str, n: usize) -> Vec<u8> {
    let body = json!({
        "namespace": "SMS", "eventType": "inbound_message_received", "description": "SMS inbound message",
        "payload": {
            "umid": message, "subAccountId": "bench", "timestamp": "2026-02-03T04:05:06.117Z",
            "source": phone(n), "destination": "+6580002222", "body": "yes", "encoding": "GSM7", "smsCount": 1,
        },
    });
    http_connection::post_with(
        &format!("/webhooks/v1/accounts/{account}/messages"),
        &format!("authorization: {SECRET}"),
        &body.to_string(),
    )
}

/// From the call that brings a reply to the end of the instance that waited for it.
async fn wake(
    database: &Prepared,
    address: SocketAddr,
    waiting: &mut Vec<InstanceId>,
    seconds: u32,
) -> anyhow::Result<Latencies> {
    let mut tick = tokio::time::interval(Duration::from_secs(1) / PER_SECOND);
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let watcher = Watcher::begin(database.store.clone());
    let mut calling = JoinSet::new();
    for _ in 0..PER_SECOND * seconds {
        tick.tick().await;
        let instance = waiting.pop().context("too few instances wait")?;
        let request = reply(&database.account, &format!("wake-{}", waiting.len()), waiting.len());
        calling.spawn(answer(address, request, instance, watcher.tell()));
    }
    while let Some(answered) = calling.join_next().await {
        answered??;
    }
    let completed = tokio::task::spawn_blocking(move || watcher.finish()).await??;
    Latencies::new(completed).context("nobody was woken")
}

async fn answer(
    address: SocketAddr,
    request: Vec<u8>,
    instance: InstanceId,
    tell: Sender<Started>,
) -> anyhow::Result<()> {
    let mut connection = HttpConnection::open(address).await?;
    let called = Instant::now();
    tell.send(Started { instance, called })?;
    let answer = connection.call(&request).await?;
    ensure!(answer.status == 200, "a reply was answered with {}", answer.status);
    Ok(())
}

/// Each connection sends again when it is answered; every tenth message is a reply that somebody waits for.
async fn take_in(
    database: &Prepared,
    address: SocketAddr,
    waiting: &[InstanceId],
    lasting: Duration,
) -> anyhow::Result<Messages> {
    let share = waiting.len() / CONNECTIONS;
    let begun = Instant::now();
    let mut sending = JoinSet::new();
    for connection in 0..CONNECTIONS {
        let account = database.account.clone();
        let own = connection * share..(connection + 1) * share;
        sending.spawn(async move {
            let mut to = HttpConnection::open(address).await?;
            let mut waiting = own.clone();
            let mut took = Vec::new();
            while begun.elapsed() < lasting {
                let message = format!("m-{connection}-{}", took.len());
                let n = match took.len() % REPLIES {
                    0 => waiting.next().context("too few instances wait")?,
                    // Nobody waits for these.
                    other => 90_000_000 + own.start + other,
                };
                let request = reply(&account, &message, n);
                let called = Instant::now();
                let answer = to.call(&request).await?;
                ensure!(answer.status == 200, "a message was answered with {}", answer.status);
                took.push(called.elapsed());
            }
            anyhow::Ok((took, waiting.start - own.start))
        });
    }
    let mut latencies = Vec::new();
    let mut woken = 0;
    while let Some(sent) = sending.join_next().await {
        let (took, replies) = sent??;
        latencies.extend(took);
        woken += replies;
    }
    let per_second = per_second(latencies.len(), begun.elapsed());
    until_parked(&database.store, waiting.len() - woken).await?;
    Ok(Messages { per_second, latencies: Latencies::new(latencies).context("nothing was sent")? })
}
