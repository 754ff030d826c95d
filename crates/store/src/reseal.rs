//! Everything secret sealed with the first master key, so that the keys behind it can be thrown away.
//!
//! May run while servers and workers do, provided that all of them have the new key already. From its beginning
//! they seal with the new key as well ([`check_master_key`](crate::check_master_key)), so nothing is added to what
//! is to be sealed anew; a text that changes meanwhile keeps its change. Batches are short, each its own
//! transaction; run again, it goes on where it ended.

mod connectors;
mod rows;
mod signatures;
mod versions;
mod webhooks;

use connectors::ConnectorRow;
use rows::{Progress, reseal_rows};
use signatures::SignatureRow;
use versions::VersionRow;
use webhooks::WebhookRow;

use crate::sealing::{MasterKeys, PlainTexts};
use crate::{Store, StoreError};

/// What to do when the key is gone that the database's secrets are sealed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostKey {
    /// Nothing: it has to be configured.
    Refused,
    /// What is sealed with it is given up, and the first key is the database's from now on.
    GivenUp,
}

/// What was done, and what could not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resealed {
    /// Rows that the first key did not open before.
    pub rows: u64,
    pub left: Vec<Left>,
}

/// Texts that the first key still does not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The table and its column.
    pub column: String,
    pub count: i64,
    pub because: Unsealed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsealed {
    /// An older release wrote them meanwhile.
    Plain,
    /// The key of this id is configured and does not open them, as they are damaged. Or they were moved meanwhile,
    /// as a webhook's secret that became the previous one.
    ConfiguredKey(String),
    /// They need a key that is not configured.
    UnknownKey(String),
}

impl Store {
    /// Seals with the first key what others sealed, or nobody did.
    pub async fn reseal(&self, lost: LostKey) -> Result<Resealed, StoreError> {
        let keys = self.keys.as_ref().ok_or(StoreError::NoMasterKey)?;
        self.begin_rotation(keys, lost).await?;
        let mut progress = Progress::default();
        reseal_rows::<VersionRow>(&self.pool, keys, &mut progress).await?;
        reseal_rows::<ConnectorRow>(&self.pool, keys, &mut progress).await?;
        self.forget_previous_secrets().await?;
        reseal_rows::<WebhookRow>(&self.pool, keys, &mut progress).await?;
        reseal_rows::<SignatureRow>(&self.pool, keys, &mut progress).await?;
        let left = self.count_unsealed(keys).await?;
        let is_plain = left.iter().any(|left| left.because == Unsealed::Plain);
        let plain = if is_plain { PlainTexts::Allowed } else { PlainTexts::Refused };
        self.end_rotation(keys, plain, still_needed(&left, &progress)).await?;
        Ok(Resealed { rows: progress.rows, left })
    }

    /// Those whose time is over.
    async fn forget_previous_secrets(&self) -> Result<(), StoreError> {
        sqlx::query(
            "update webhook_settings
             set previous_secret = null, previous_until = null
             where previous_until <= now()",
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Texts that are not sealed with the first key, by column and key.
    async fn count_unsealed(&self, keys: &MasterKeys) -> Result<Vec<Left>, StoreError> {
        let rows: Vec<(String, Option<String>, i64)> = sqlx::query_as(
            "select place, key, count(*)
             from (
                 select 'definition_versions.steps' as place, left(steps, 32) as head from definition_versions
                 union all
                 select 'definition_versions.extras', left(extras, 32) from definition_versions
                 union all
                 select 'connectors.secret', left(secret, 32) from connectors
                 union all
                 select 'connectors.signature_secret', left(signature_secret, 32) from connectors
                 union all
                 select 'webhook_settings.secret', left(secret, 32) from webhook_settings
                 union all
                 select 'webhook_settings.previous_secret', left(previous_secret, 32) from webhook_settings
                 union all
                 select 'nexmo_accounts.signature_secret', left(signature_secret, 32) from nexmo_accounts
             ) texts
             cross join lateral (
                 select case when left(head, 1) not in ('[', '{') then split_part(head, '.', 2) end as key
             ) keys
             where left(head, length($1)) <> $1
             group by place, key
             order by place, key",
        )
        .bind(keys.prefix())
        .fetch_all(&self.pool)
        .await?;
        let because = |key: Option<String>| match key {
            None => Unsealed::Plain,
            Some(key) if keys.ids().any(|id| id == key) => Unsealed::ConfiguredKey(key),
            Some(key) => Unsealed::UnknownKey(key),
        };
        Ok(rows
            .into_iter()
            .map(|(column, key, count)| Left { column, count, because: because(key) })
            .collect())
    }
}

/// The older keys that may not be thrown away: they open something yet. What they do not open is damaged and needs
/// none.
fn still_needed(left: &[Left], progress: &Progress) -> Vec<String> {
    let mut needed = Vec::new();
    let mut count = 0;
    for left in left {
        if let Unsealed::ConfiguredKey(key) = &left.because {
            count += left.count;
            if !needed.contains(key) {
                needed.push(key.clone());
            }
        }
    }
    if count <= progress.damaged { Vec::new() } else { needed }
}
