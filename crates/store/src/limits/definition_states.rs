//! Definitions that are paused or drained.

use chrono::{DateTime, Utc};
use trunkline_workflow::{AccountId, DefinitionId};

use crate::audit::{self, By};
use crate::{Store, StoreError};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefinitionState {
    Running,
    /// Nothing of it is executed; what is started waits.
    Paused,
    /// What runs goes on to its end, and nothing is started.
    Draining,
}

/// A state and since when; `None`: it was never changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateChange {
    pub state: DefinitionState,
    pub changed_at: Option<DateTime<Utc>>,
}

impl DefinitionState {
    pub const ALL: [Self; 3] = [Self::Running, Self::Paused, Self::Draining];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Draining => "draining",
        }
    }

    pub(super) fn read(text: &str) -> Result<Self, StoreError> {
        let state = Self::ALL.into_iter().find(|state| state.as_str() == text);
        state.ok_or_else(|| StoreError::Damaged(format!("definition_states.state: {text}")))
    }

    fn action(self) -> &'static str {
        match self {
            Self::Running => "definition.resume",
            Self::Paused => "definition.pause",
            Self::Draining => "definition.drain",
        }
    }
}

impl Store {
    /// `None`: there is no such definition.
    pub async fn definition_state(
        &self,
        account: &AccountId,
        id: DefinitionId,
    ) -> Result<Option<StateChange>, StoreError> {
        let row: Option<(Option<String>, Option<DateTime<Utc>>)> = sqlx::query_as(
            "select s.state, s.changed_at
             from definitions d
             left join definition_states s on s.account_id = d.account_id and s.definition_id = d.id
             where d.account_id = $1 and d.id = $2 and d.newest_version is not null",
        )
        .bind(account.as_str())
        .bind(id)
        .fetch_optional(&self.pool)
        .await?;
        let Some((state, changed_at)) = row else { return Ok(None) };
        let state = state.as_deref().map(DefinitionState::read).transpose()?;
        Ok(Some(StateChange { state: state.unwrap_or(DefinitionState::Running), changed_at }))
    }

    /// `None`: there is no such definition. Workers learn it within about a second.
    pub async fn set_definition_state(
        &self,
        account: &AccountId,
        id: DefinitionId,
        state: DefinitionState,
        by: &By,
    ) -> Result<Option<StateChange>, StoreError> {
        let mut transaction = self.begin().await?;
        let found = sqlx::query(
            "select from definitions
             where account_id = $1 and id = $2 and newest_version is not null
             for key share",
        )
        .bind(account.as_str())
        .bind(id)
        .execute(&mut *transaction)
        .await?;
        if found.rows_affected() == 0 {
            return Ok(None);
        }
        let changed_at: DateTime<Utc> = sqlx::query_scalar(
            "insert into definition_states (account_id, definition_id, state)
             values ($1, $2, $3)
             on conflict (account_id, definition_id) do update
             set state = excluded.state, changed_at = clock_timestamp()
             returning changed_at",
        )
        .bind(account.as_str())
        .bind(id)
        .bind(state.as_str())
        .fetch_one(&mut *transaction)
        .await?;
        audit::note(&mut transaction, account, by, state.action(), &id.to_string(), None).await?;
        transaction.commit().await?;
        Ok(Some(StateChange { state, changed_at: Some(changed_at) }))
    }
}
