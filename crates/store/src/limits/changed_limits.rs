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

impl Store {
    /// What changed since the time of the answer before, some of it for the second time; without one, all.
    pub async fn changed_limits(&self, since: Option<DateTime<Utc>>) -> Result<Changed, StoreError> {
        // First: what is committed after it is in the next answer.
        let at: DateTime<Utc> = sqlx::query_scalar("select now()").fetch_one(&self.pool).await?;
        let limits: Vec<(String, String)> = sqlx::query_as(
            "select account_id, settings
             from limits
             where changed_at > coalesce($1, '-infinity') - $2 * interval '1 microsecond'",
        )
        .bind(since)
        .bind(micros(OVERLAP))
        .fetch_all(&self.pool)
        .await?;
        let states: Vec<(String, DefinitionId, String)> = sqlx::query_as(
            "select account_id, definition_id, state
             from definition_states
             where changed_at > coalesce($1, '-infinity') - $2 * interval '1 microsecond'",
        )
        .bind(since)
        .bind(micros(OVERLAP))
        .fetch_all(&self.pool)
        .await?;
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
