//! The private cluster of a run, and a database of its own for each measurement.

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use serde_json::{Map, Value, json};
use trunkline_store::Store;
use trunkline_store::audit::By;
use trunkline_store::cluster::{Cluster, ClusterOptions};
use trunkline_store::keys::{KeySecret, NewKey};
use trunkline_store::sealing::MasterKeys;
use trunkline_store::starts::NewInstance;
use trunkline_workflow::{AccountId, DefinitionId};

use crate::definition;

/// Instances written in one call while a measurement is being prepared.
const AT_ONCE: usize = 1_000;

/// As `trunkline dev` runs it: `fsync` and `synchronous_commit` on.
pub async fn start(folder: &Path) -> anyhow::Result<Cluster> {
    Ok(Cluster::start(ClusterOptions::new(folder)).await?)
}

/// Of the measured databases; the server is told it, too.
pub const MASTER_KEY: &str = "dHJ1bmtsaW5lIGJlbmNoLCAzMiBieXRlcyBpbiBhbGw=";

/// A new, empty database.
pub async fn create(cluster: &Cluster, name: &str) -> anyhow::Result<Store> {
    administer(cluster, format!("create database {name}")).await?;
    let store = Store::open(&cluster.url(name), 16)?.with_patience(Duration::MAX);
    Ok(store.with_master_keys(MasterKeys::parse(MASTER_KEY)?))
}

/// Gives its space back, so that the next measurement finds the machine as this one did.
pub async fn remove(cluster: &Cluster, store: Store, name: &str) -> anyhow::Result<()> {
    store.close().await;
    administer(cluster, format!("drop database {name} with (force)")).await
}

async fn administer(cluster: &Cluster, statement: String) -> anyhow::Result<()> {
    let admin = Store::open(&cluster.url("postgres"), 1)?.with_patience(Duration::MAX);
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(admin.pool()).await?;
    admin.close().await;
    Ok(())
}

/// A migrated database with one account and one definition.
pub struct Prepared {
    pub store: Store,
    pub name: String,
    pub account: AccountId,
    pub key: String,
    pub definition: DefinitionId,
}

impl Prepared {
    pub async fn new(cluster: &Cluster, name: &str, steps: usize) -> anyhow::Result<Self> {
        let store = create(cluster, name).await?;
        store.migrate().await?;
        let account = AccountId::new("bench");
        store.create_account(&account).await?;
        let secret = KeySecret::from_random(rand::random());
        store.create_key(&account, &NewKey::named("bench"), &secret, &By::trunkline()).await?;
        let saved = store
            .create_definition(&account, uuid::Uuid::new_v4(), definition::parse(steps)?, &By::trunkline())
            .await?;
        Ok(Self {
            store,
            name: name.to_owned(),
            account,
            key: secret.reveal().to_owned(),
            definition: saved.id,
        })
    }

    /// Instances at their first step, ready to be claimed, in tables as they are after some time of running:
    /// analysed, with their visibility known.
    pub async fn start_instances(&self, count: usize) -> anyhow::Result<()> {
        self.start_instances_of(self.definition, count).await
    }

    pub async fn start_instances_of(&self, definition: DefinitionId, count: usize) -> anyhow::Result<()> {
        self.start_more_of(definition, count).await?;
        sqlx::raw_sql("vacuum (analyze) jobs, instances, steps").execute(self.store.pool()).await?;
        Ok(())
    }

    /// While others run.
    pub async fn start_more(&self, count: usize) -> anyhow::Result<()> {
        self.start_more_of(self.definition, count).await
    }

    async fn start_more_of(&self, definition: DefinitionId, count: usize) -> anyhow::Result<()> {
        for first in (0..count).step_by(AT_ONCE) {
            let new = |_| NewInstance {
                account: self.account.clone(),
                definition,
                version: 1,
                data: context().into(),
            };
            self.store.start((first..count.min(first + AT_ONCE)).map(new).collect()).await?;
        }
        Ok(())
    }

    /// That every instance has completed with all its steps and nothing is left or out of order.
    pub async fn check_complete(&self, instances: usize, steps: usize) -> anyhow::Result<()> {
        let counted: (i64, i64, i64) = sqlx::query_as(
            "select (select count(*) from instances where status = 'Complete'),
                 (select count(*) from steps where status = 'Complete'),
                 (select count(*) from jobs)",
        )
        .fetch_one(self.store.pool())
        .await?;
        let expected = (i64::try_from(instances)?, i64::try_from(instances * steps)?, 0);
        ensure!(counted == expected, "(instances, steps, jobs) is {counted:?} instead of {expected:?}");
        self.check().await
    }

    /// `trunkline verify`.
    pub async fn check(&self) -> anyhow::Result<()> {
        let violations = self.store.verify().await?;
        ensure!(violations.is_empty(), "the database breaks its rules: {violations:?}");
        Ok(())
    }

    pub async fn remove(self, cluster: &Cluster) -> anyhow::Result<()> {
        remove(cluster, self.store, &self.name).await
    }
}

/// What an instance begins with.
pub fn context() -> Map<String, Value> {
    let Value::Object(context) = json!({"n": 1, "text": "hello", "list": [1, 2, 3]}) else {
        unreachable!("an object is an object")
    };
    context
}
