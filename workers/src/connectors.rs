//! An account's connectors, looked up where a step needs one and remembered for a moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use trunkline_connectors::converse::ConverseSettings;
use trunkline_connectors::eight_by_eight::{EightByEight, EightByEightSettings};
use trunkline_store::connectors::{Connector, ConnectorKind};
use trunkline_store::{Store, StoreError};
use trunkline_workflow::AccountId;

use crate::lease::{Backoff, Lease};

/// How long a changed connector may go unnoticed.
const TRUST: Duration = Duration::from_secs(3);
/// Connectors remembered; beyond this the cache starts over.
const CAPACITY: usize = 10_000;

type Key = (AccountId, ConnectorKind, Option<String>);
type Remembered = (Instant, Result<Option<Arc<Connector>>, String>);

/// Where a conversation is handed over to.
#[derive(Debug, Clone)]
pub(crate) struct Converse {
    pub(crate) url: String,
    pub(crate) authorization: Option<String>,
}

/// Why a step gets no connector.
#[derive(Debug)]
pub(crate) enum NoConnector {
    /// Nobody configured one.
    None,
    /// The one that is there cannot be used.
    Unusable(String),
    /// The worker is no longer believed.
    Lost,
}

#[derive(Clone)]
pub(crate) struct Connectors {
    store: Store,
    remembered: Arc<Mutex<HashMap<Key, Remembered>>>,
}

impl Connectors {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, remembered: Arc::default() }
    }

    pub(crate) async fn eight_by_eight(
        &self,
        account: &AccountId,
        subaccount: Option<&str>,
        lease: &Lease,
    ) -> Result<EightByEight, NoConnector> {
        let connector = self.find(account, ConnectorKind::EightByEight, subaccount, lease).await?;
        let settings: EightByEightSettings = read(&connector)?;
        let key = connector.secret.clone();
        Ok(settings.resolve(key.ok_or_else(|| NoConnector::Unusable("it has no API key".to_owned()))?))
    }

    pub(crate) async fn converse(
        &self,
        account: &AccountId,
        subaccount: Option<&str>,
        lease: &Lease,
    ) -> Result<Converse, NoConnector> {
        let connector = self.find(account, ConnectorKind::Converse, subaccount, lease).await?;
        let settings: ConverseSettings = read(&connector)?;
        Ok(Converse { url: settings.url, authorization: connector.secret.clone() })
    }

    /// Asked for until the database answers.
    async fn find(
        &self,
        account: &AccountId,
        kind: ConnectorKind,
        subaccount: Option<&str>,
        lease: &Lease,
    ) -> Result<Arc<Connector>, NoConnector> {
        let key = (account.clone(), kind, subaccount.map(str::to_owned));
        if let Some((since, found)) = self.lock().get(&key)
            && since.elapsed() < TRUST
        {
            return answer(found.clone());
        }
        let mut pause = Backoff::default();
        let found = loop {
            match self.store.find_connector(account, kind, subaccount).await {
                Ok(found) => break Ok(found.map(Arc::new)),
                Err(
                    error @ (StoreError::Damaged(_)
                    | StoreError::NoMasterKey
                    | StoreError::UnknownMasterKey(_)),
                ) => break Err(error.to_string()),
                Err(error) => {
                    if lease.is_lost() {
                        return Err(NoConnector::Lost);
                    }
                    pause.report(&error, "cannot load a connector; trying again");
                    pause.wait().await;
                }
            }
        };
        let mut remembered = self.lock();
        if remembered.len() >= CAPACITY {
            remembered.clear();
        }
        remembered.insert(key, (Instant::now(), found.clone()));
        answer(found)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Remembered>> {
        self.remembered.lock().expect("nothing panics while it holds this")
    }
}

fn answer(found: Result<Option<Arc<Connector>>, String>) -> Result<Arc<Connector>, NoConnector> {
    found.map_err(NoConnector::Unusable)?.ok_or(NoConnector::None)
}

fn read<T: DeserializeOwned>(connector: &Connector) -> Result<T, NoConnector> {
    serde_json::from_value(connector.settings.clone())
        .map_err(|error| NoConnector::Unusable(format!("its settings are wrong: {error}")))
}
