//! An account's connectors, looked up where a step needs one and remembered for a moment.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use trunkline_connectors::converse::ConverseSettings;
use trunkline_connectors::eight_by_eight::{EightByEight, EightByEightSettings};
use trunkline_connectors::messages_api::{MessagesApi, MessagesApiSettings};
use trunkline_store::connectors::{Connector, ConnectorKind};
use trunkline_store::{Store, StoreError};
use trunkline_workflow::AccountId;

use crate::lease::{Backoff, Lease, within};
use crate::remembered::{Remembered, TRY};

/// How long a changed connector may go unnoticed.
const TRUST: Duration = Duration::from_secs(3);
/// Connectors remembered.
const CAPACITY: usize = 10_000;

type Key = (AccountId, ConnectorKind, Option<String>);

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
    found: Remembered<Key, Result<Arc<Connector>, NoConnector>>,
}

impl Connectors {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, found: Remembered::new(CAPACITY) }
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

    async fn find(
        &self,
        account: &AccountId,
        kind: ConnectorKind,
        subaccount: Option<&str>,
        lease: &Lease,
    ) -> Result<Arc<Connector>, NoConnector> {
        let key = (account.clone(), kind, subaccount.map(str::to_owned));
        let ask = async || Ok::<_, Infallible>((self.ask(account, kind, subaccount).await, TRUST));
        tokio::select! {
            biased;
            Ok(found) = self.found.get(key, ask) => found,
            () = lease.until_lost() => Err(NoConnector::Lost),
        }
    }

    /// Until the database answers.
    async fn ask(
        &self,
        account: &AccountId,
        kind: ConnectorKind,
        subaccount: Option<&str>,
    ) -> Result<Arc<Connector>, NoConnector> {
        let mut pause = Backoff::default();
        loop {
            match within(TRY, self.store.find_connector(account, kind, subaccount)).await {
                Ok(found) => return found.map(Arc::new).ok_or(NoConnector::None),
                Err(error) if error.may_pass() => {
                    pause.report(&error, "cannot load a connector; trying again");
                    pause.wait().await;
                }
                Err(error) => return Err(unusable(account, kind, &error)),
            }
        }
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
