//! An account's connectors, looked up where a step needs one and remembered for a moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use trunkline_connectors::converse::ConverseSettings;
use trunkline_connectors::eight_by_eight::{EightByEight, EightByEightSettings};
use trunkline_connectors::messages_api::{MessagesApi, MessagesApiSettings};
use trunkline_store::connectors::{Connector, ConnectorKind};
use trunkline_store::{Store, StoreError};
use trunkline_workflow::AccountId;

use crate::lease::{Backoff, Lease};

/// How long a changed connector may go unnoticed.
const TRUST: Duration = Duration::from_secs(3);
/// Connectors remembered; beyond this the cache starts over.
const CAPACITY: usize = 10_000;

type Key = (AccountId, ConnectorKind, Option<String>);
type Remembered = (Instant, Result<Arc<Connector>, NoConnector>);

/// Where a conversation is handed over to.
#[derive(Clone)]
pub(crate) struct Converse {
    pub(crate) url: String,
    pub(crate) authorization: Option<String>,
}

/// Why a step gets no connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoConnector {
    /// Nobody configured one.
    None,
    /// The one that is there cannot be used; why is in the log.
    Unusable,
    /// It is sealed with a master key that this worker does not have, yet.
    Sealed,
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
        Ok(settings.resolve(key.ok_or(NoConnector::Unusable)?))
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

    pub(crate) async fn messages_api(
        &self,
        account: &AccountId,
        lease: &Lease,
    ) -> Result<MessagesApi, NoConnector> {
        let connector = self.find(account, ConnectorKind::MessagesApi, None, lease).await?;
        let settings: MessagesApiSettings = read(&connector)?;
        let secret = connector.secret.clone().unwrap_or_default();
        settings.resolve(&secret).map_err(|error| {
            tracing::error!(account.id = %account, error = %error, "the connector of messages cannot be used");
            NoConnector::Unusable
        })
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
            return found.clone();
        }
        let mut pause = Backoff::default();
        let found = loop {
            match self.store.find_connector(account, kind, subaccount).await {
                Ok(found) => break found.map(Arc::new).ok_or(NoConnector::None),
                Err(error) if error.may_pass() => {
                    if lease.is_lost() {
                        return Err(NoConnector::Lost);
                    }
                    pause.report(&error, "cannot load a connector; trying again");
                    pause.wait().await;
                }
                Err(error) => break Err(unusable(account, kind, &error)),
            }
        };
        let mut remembered = self.lock();
        if remembered.len() >= CAPACITY {
            remembered.clear();
        }
        remembered.insert(key, (Instant::now(), found.clone()));
        found
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Remembered>> {
        self.remembered.lock().expect("nothing panics while it holds this")
    }
}

fn unusable(account: &AccountId, kind: ConnectorKind, error: &StoreError) -> NoConnector {
    tracing::error!(account.id = %account, connector = kind.as_str(), error = %error, "a connector cannot be used");
    why_unusable(error)
}

pub(crate) fn why_unusable(error: &StoreError) -> NoConnector {
    if error.lacks_master_key() { NoConnector::Sealed } else { NoConnector::Unusable }
}

fn read<T: DeserializeOwned>(connector: &Connector) -> Result<T, NoConnector> {
    serde_json::from_value(connector.settings.clone()).map_err(|error| {
        let Connector { account, kind, .. } = connector;
        unusable(account, *kind, &StoreError::Damaged(format!("connectors.settings: {error}")))
    })
}
