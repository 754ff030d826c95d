//! What workers know of limits and of definitions that do not run: everything at first, then what changed.

use std::time::Duration;

use chrono::{DateTime, Utc};
use trunkline_workflow::limits::Settings;
use trunkline_workflow::{AccountId, DefinitionId};

use super::ask_leave::parse;
use super::definition_states::DefinitionState;
use crate::workers::micros;
use crate::{Store, StoreError};

/// A change is seen by others when it is committed, which may be so long after its time.
const OVERLAP: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    pub limits: Vec<(AccountId, Settings)>,
    /// Those whose limits cannot be read: who asks for leave is told so.
    pub unreadable: Vec<AccountId>,
    pub definitions: Vec<(AccountId, DefinitionId, DefinitionState)>,
    /// The database's time, for the next question.
    pub at: DateTime<Utc>,
}

/// Of limits, where no definition is named; or only the time.
#[derive(sqlx::FromRow)]
struct ChangedRow {
    at: DateTime<Utc>,
    account_id: Option<String>,
    definition_id: Option<DefinitionId>,
    value: Option<String>,
}

impl Store {
    /// What changed since the time of the answer before, some of it for the second time; without one, all.
    pub async fn changed_limits(&self, since: Option<DateTime<Utc>>) -> Result<Changed, StoreError> {
        // The time is no later than what is seen: what is committed after it is in the next answer.
        let rows: Vec<ChangedRow> = sqlx::query_as(
            "select now() as at, changed.*
             from (values (1)) as once
             left join (
                 select account_id, null::uuid as definition_id, settings as value
                 from limits
                 where changed_at > coalesce($1, '-infinity') - $2 * interval '1 microsecond'
                 union all
                 select account_id, definition_id, state
                 from definition_states
                 where changed_at > coalesce($1, '-infinity') - $2 * interval '1 microsecond'
             ) changed on true",
        )
        .bind(since)
        .bind(micros(OVERLAP))
        .fetch_all(&self.pool)
        .await?;
        let at = rows[0].at;
        let (mut limits, mut states) = (Vec::new(), Vec::new());
        for row in rows {
            match (row.account_id, row.definition_id, row.value) {
                (Some(account), None, Some(settings)) => limits.push((account, settings)),
                (Some(account), Some(definition), Some(state)) => states.push((account, definition, state)),
                // Nothing changed.
                _ => {}
            }
        }
        // What a newer release wrote, or a foreign hand, must not keep workers from all the rest.
        let (mut readable, mut unreadable) = (Vec::with_capacity(limits.len()), Vec::new());
        for (account, settings) in limits {
            match parse(&settings) {
                Ok(settings) => readable.push((AccountId::new(account), settings)),
                Err(error) => {
                    tracing::error!(account.id = account, error = %error, "limits cannot be read, and messages wait");
                    unreadable.push(AccountId::new(account));
                }
            }
        }
        let definitions = states.into_iter().map(|(account, definition, state)| {
            Ok((AccountId::new(account), definition, DefinitionState::read(&state)?))
        });
        Ok(Changed {
            limits: readable,
            unreadable,
            definitions: definitions.collect::<Result<_, StoreError>>()?,
            at,
        })
    }
}
