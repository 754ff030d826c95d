//! The database of `dev`: the one that was named, else a cluster of its own.

use std::path::{Path, PathBuf};

use trunkline_store::Store;
use trunkline_store::cluster::{self, Cluster, ClusterOptions};
use trunkline_store::sealing::MasterKeys;

use crate::cli::error::CliError;
use crate::cli::reach_database::reach;
use crate::cli::settings::PoolSettings;

/// The cluster is ours alone, so its own database will do.
const PRIVATE_DATABASE: &str = "postgres";

pub(super) struct Database {
    pub(super) store: Store,
    pub(super) version: String,
    pub(super) place: Place,
    cluster: Option<Cluster>,
}

/// What there is to say about where the data is.
pub(super) enum Place {
    Private { folder: PathBuf, url: String, note: Option<String> },
    Named { url: String },
}

impl Database {
    /// Starts the cluster if there is no `url`, and brings the schema up to date.
    pub(super) async fn open(
        url: Option<&str>,
        data_dir: &Path,
        pool: &PoolSettings,
    ) -> Result<Self, CliError> {
        if let Some(url) = url {
            make_data_dir(data_dir)?;
            let place = Place::Named { url: without_password(url) };
            return Self::with(pool.open(url)?, place, None).await;
        }
        let cluster = Cluster::start(ClusterOptions::new(data_dir)).await?;
        let url = cluster.url(PRIVATE_DATABASE);
        let folder = cluster.postgres_dir().to_owned();
        let place = Place::Private { folder, url: url.clone(), note: cluster.note() };
        Self::with(pool.open(&url)?, place, Some(cluster)).await
    }

    async fn with(store: Store, place: Place, cluster: Option<Cluster>) -> Result<Self, CliError> {
        reach(&store).await?;
        store.migrate().await?;
        let version = store.server_version().await?;
        // "15.18 (Debian 15.18-1)": the number tells enough.
        let version = version.split(' ').next().unwrap_or_default().to_owned();
        Ok(Self { store, version, place, cluster })
    }

    /// Sealed with the keys from now on.
    pub(super) fn with_master_keys(mut self, keys: MasterKeys) -> Self {
        self.store = self.store.with_master_keys(keys);
        self
    }

    /// Comes last: nothing may use the store any more.
    pub(super) async fn close(self) {
        self.store.close().await;
        if let Some(cluster) = self.cluster {
            cluster.stop().await;
        }
    }

    /// Deletes the data of earlier runs, unless one is still running.
    pub(super) async fn remove(data_dir: &Path) -> Result<(), CliError> {
        let data_dir = data_dir.to_owned();
        let removed = tokio::task::spawn_blocking(move || cluster::remove(&data_dir)).await;
        Ok(removed.expect("removing neither panics nor is it cancelled")?)
    }
}

fn make_data_dir(data_dir: &Path) -> Result<(), CliError> {
    std::fs::create_dir_all(data_dir).map_err(|source| CliError::File {
        action: "make",
        path: data_dir.to_owned(),
        source,
    })
}

/// Where the URL itself cannot be shown.
const NAMED: &str = "the one of --database-url";

/// For the screen.
fn without_password(url: &str) -> String {
    let Ok(mut parsed) = reqwest::Url::parse(url) else { return NAMED.to_owned() };
    if parsed.password().is_some() && parsed.set_password(Some("…")).is_err() {
        return NAMED.to_owned();
    }
    // Parameters may hold another password.
    parsed.set_query(None);
    parsed.to_string()
}
