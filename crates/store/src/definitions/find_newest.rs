//! The newest versions that starts are about to need, looked up in groups, and what they were the last time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::PgExecutor;
use trunkline_workflow::{AccountId, DefinitionId, Version};

use super::Found;
use crate::connect::Kept;
use crate::grouped::Grouped;
use crate::{PgPool, StoreError};

/// For a round trip and a few rows.
const LIMIT: Duration = Duration::from_secs(5);
/// Definitions whose newest versions are remembered; then all are forgotten, and asked for once more.
const REMEMBERED: usize = 10_000;

/// $1 accounts, $2 definitions: a row for each, in their order. Never a scan, however many are asked for: each is looked up
/// by itself, which a test pins.
pub const FIND_NEWEST: &str = "
select newest.*
from unnest($1::text[], $2::uuid[]) with ordinality as asked (account_id, definition_id, n)
left join lateral (
    select version, subaccount_id, exists (
        select from definition_states s
        where s.account_id = v.account_id and s.definition_id = v.definition_id
            and s.state = 'draining'
    )
    from definition_versions v
    where v.account_id = asked.account_id and v.definition_id = asked.definition_id and newest
    limit 1
) newest on true
order by n";

type Key = (AccountId, DefinitionId);
/// Version, subaccount, whether it is being drained.
type Row = (Option<Version>, Option<String>, Option<bool>);

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Finder {
    grouped: Grouped<Key, Option<Found>>,
    remembered: Arc<Mutex<HashMap<Key, Found>>>,
}

impl Finder {
    pub(crate) fn new(pool: PgPool, kept: Kept) -> Self {
        let grouped = Grouped::new(LIMIT, |_| 0, move |keys| find(pool.clone(), kept.clone(), keys));
        Self { grouped, remembered: Arc::default() }
    }

    /// Who asks sees what was committed before it asked: a group's statement begins after the last of its callers came.
    pub(crate) async fn find(
        &self,
        account: &AccountId,
        id: DefinitionId,
    ) -> Result<Option<Found>, StoreError> {
        let key = (account.clone(), id);
        let found = self.grouped.ask(key.clone()).await?;
        self.remember(key, found.as_ref().filter(|found| !found.draining));
        Ok(found)
    }

    fn remember(&self, key: Key, startable: Option<&Found>) {
        let mut remembered = self.remembered();
        if let Some(found) = startable {
            if remembered.len() >= REMEMBERED && !remembered.contains_key(&key) {
                remembered.clear();
            }
            remembered.insert(key, found.clone());
        } else {
            remembered.remove(&key);
        }
    }

    pub(crate) fn last_found(&self, account: &AccountId, id: DefinitionId) -> Option<Found> {
        self.remembered().get(&(account.clone(), id)).cloned()
    }

    fn remembered(&self) -> MutexGuard<'_, HashMap<Key, Found>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn find(pool: PgPool, kept: Kept, keys: Vec<Key>) -> Result<Vec<Option<Found>>, StoreError> {
    let (mut accounts, mut ids) = (Vec::new(), Vec::new());
    let mut places = HashMap::new();
    for (account, id) in &keys {
        places.entry((account, id)).or_insert_with(|| {
            accounts.push(account.as_str());
            ids.push(*id);
            ids.len() - 1
        });
    }
    let found = match ask_kept(&kept, &accounts, &ids).await {
        Some(found) => found,
        None => ask(&pool, &accounts, &ids).await?,
    };
    let found: Vec<_> = found
        .into_iter()
        .map(|(version, subaccount, draining)| {
            version.map(|version| Found { version, subaccount, draining: draining == Some(true) })
        })
        .collect();
    Ok(keys.iter().map(|(account, id)| found[places[&(account, id)]].clone()).collect())
}

/// `None` where there is no such connection, or it was dead: nothing is lost by asking again.
async fn ask_kept(kept: &Kept, accounts: &[&str], ids: &[DefinitionId]) -> Option<Vec<Row>> {
    let mut connection = kept.take().await?;
    if let Ok(found) = ask(&mut *connection, accounts, ids).await {
        kept.give_back(connection);
        return Some(found);
    }
    kept.give_up();
    None
}

async fn ask(
    executor: impl PgExecutor<'_>,
    accounts: &[&str],
    ids: &[DefinitionId],
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as(FIND_NEWEST).bind(accounts).bind(ids).fetch_all(executor).await
}
