//! Whether the database can be used, and patience until it can.

use std::time::Duration;

use trunkline_store::connect::Sessions;
use trunkline_store::{Store, StoreError};

use super::chain::Chain;
use super::error::CliError;

const LIMIT: Duration = Duration::from_secs(5);
/// Between two looks at a database that is down.
const PAUSE: Duration = Duration::from_secs(1);

/// Connects once. The pool would try until its own limit and then not know why it got nowhere; a single
/// connection knows.
pub(super) async fn reach(store: &Store) -> Result<(), CliError> {
    match tokio::time::timeout(LIMIT, store.hot_connection()).await {
        Ok(connection) => Ok(connection.map(drop)?),
        Err(_) => Err(CliError::NoAnswer(LIMIT.as_secs())),
    }
}

/// Ends when the database answers and has every migration. Says once what is missing, and again when that
/// changes. An error is what does not pass: another master key is needed.
pub(super) async fn until_ready(store: &Store) -> Result<(), CliError> {
    let mut said = None;
    while let Err(error) = look(store).await {
        if matches!(&error, CliError::Store(StoreError::WrongMasterKey { .. })) {
            return Err(error);
        }
        let why = Chain(&error).to_string();
        if said.as_ref() != Some(&why) {
            tracing::warn!("waiting for the database: {why}");
            said = Some(why);
        }
        tokio::time::sleep(PAUSE).await;
    }
    if said.is_some() {
        tracing::info!("the database is ready");
    }
    tell_of_pooler(store).await;
    Ok(())
}

/// Nothing where there is none.
async fn tell_of_pooler(store: &Store) {
    match store.sessions().await {
        Ok(Sessions::Lent { names: true }) => {
            tracing::info!("behind a pooler that lends sessions and keeps prepared statements");
        }
        Ok(Sessions::Lent { names: false }) => tracing::info!(
            "behind a pooler that lends sessions and keeps no prepared statements: each statement is prepared anew"
        ),
        Ok(Sessions::Own) | Err(_) => {}
    }
}

async fn look(store: &Store) -> Result<(), CliError> {
    reach(store).await?;
    Ok(store.check_ready().await?)
}
