//! Everything secret sealed with the first master key, so that the keys behind it can be thrown away.
//!
//! May run while servers and workers do, provided that all of them have the new key in front already: a text
//! that changes meanwhile keeps its change, and who changed it sealed it. Batches are short, each its own
//! transaction; run again, it goes on where it ended.

use trunkline_workflow::{AccountId, DefinitionId, Version};

use crate::connectors::{self, ConnectorKind};
use crate::definitions::{EXTRAS, STEPS, VersionId};
use crate::sealing::{MasterKeys, Place, PlainTexts, is_plain};
use crate::webhook_settings;
use crate::{Store, StoreError};

/// Rows at a time; a definition may have a megabyte.
const BATCH: i64 = 50;

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
    /// A process with this key in front wrote them meanwhile, or they are damaged.
    ConfiguredKey(String),
    /// They need a key that is not configured.
    UnknownKey(String),
}

#[derive(Default)]
struct Progress {
    rows: u64,
    /// Texts that their key does not open.
    damaged: i64,
}

/// A text that is stored, and what it is to be.
struct Text {
    stale: String,
    fresh: String,
}

impl Text {
    /// What cannot be opened stays as it is.
    fn reseal(keys: &MasterKeys, place: Place<'_>, stale: String, progress: &mut Progress) -> Self {
        if stale.starts_with(&keys.prefix()) {
            return Self { fresh: stale.clone(), stale };
        }
        let opened = if is_plain(&stale) { Ok(stale.clone()) } else { keys.unseal(place, &stale) };
        let fresh = match opened {
            Ok(text) => keys.seal(place, &text),
            Err(error) => {
                progress.damaged += i64::from(matches!(error, StoreError::Damaged(_)));
                stale.clone()
            }
        };
        Self { stale, fresh }
    }

    fn is_changed(&self) -> bool {
        self.stale != self.fresh
    }
}

impl Store {
    /// Seals with the first key what others sealed, or nobody did.
    pub async fn reseal(&self, lost: LostKey) -> Result<Resealed, StoreError> {
        let keys = self.keys.as_ref().ok_or(StoreError::NoMasterKey)?;
        match self.open_check(keys).await {
            Ok(_) => {}
            Err(StoreError::WrongMasterKey { .. } | StoreError::Damaged(_)) if lost == LostKey::GivenUp => {}
            Err(error) => return Err(error),
        }
        let mut progress = Progress::default();
        self.reseal_versions(keys, &mut progress).await?;
        self.reseal_connectors(keys, &mut progress).await?;
        self.reseal_webhooks(keys, &mut progress).await?;
        let left = self.count_unsealed(keys).await?;
        let is_of_older = |left: &&Left| matches!(left.because, Unsealed::ConfiguredKey(_));
        let of_older_keys: i64 = left.iter().filter(is_of_older).map(|left| left.count).sum();
        // While something still needs an older key, it may not be thrown away.
        if of_older_keys <= progress.damaged {
            let is_plain = left.iter().any(|left| left.because == Unsealed::Plain);
            self.replace_check(keys, if is_plain { PlainTexts::Allowed } else { PlainTexts::Refused })
                .await?;
        }
        Ok(Resealed { rows: progress.rows, left })
    }

    async fn reseal_versions(&self, keys: &MasterKeys, progress: &mut Progress) -> Result<(), StoreError> {
        type Row = (String, DefinitionId, Version, String, String);
        let mut after = (String::new(), DefinitionId::nil(), 0);
        loop {
            let rows: Vec<Row> = sqlx::query_as(
                "select account_id, definition_id, version, steps, extras
                 from definition_versions
                 where (account_id, definition_id, version) > ($1, $2, $3)
                   and (left(steps, length($4)) <> $4 or left(extras, length($4)) <> $4)
                 order by account_id, definition_id, version
                 limit $5",
            )
            .bind(&after.0)
            .bind(after.1)
            .bind(after.2)
            .bind(keys.prefix())
            .bind(BATCH)
            .fetch_all(&self.pool)
            .await?;
            let Some((account, definition, version, ..)) = rows.last() else { return Ok(()) };
            after = (account.clone(), *definition, *version);
            let (mut accounts, mut definitions, mut versions) = (Vec::new(), Vec::new(), Vec::new());
            let (mut all_steps, mut all_extras) = (Vec::new(), Vec::new());
            for (account, definition, version, steps, extras) in rows {
                let owner = AccountId::new(&account);
                let id = VersionId::new(&owner, definition, version);
                let steps = Text::reseal(keys, id.place(STEPS), steps, progress);
                let extras = Text::reseal(keys, id.place(EXTRAS), extras, progress);
                if steps.is_changed() || extras.is_changed() {
                    accounts.push(account);
                    definitions.push(definition);
                    versions.push(version);
                    all_steps.push(steps.fresh);
                    all_extras.push(extras.fresh);
                }
            }
            // The texts of a version never change otherwise.
            let updated = sqlx::query(
                "update definition_versions v
                 set steps = n.steps, extras = n.extras
                 from unnest($1::text[], $2::uuid[], $3::int[], $4::text[], $5::text[])
                     as n (account_id, definition_id, version, steps, extras)
                 where v.account_id = n.account_id and v.definition_id = n.definition_id
                   and v.version = n.version",
            )
            .bind(accounts)
            .bind(definitions)
            .bind(versions)
            .bind(all_steps)
            .bind(all_extras)
            .execute(&self.pool)
            .await?;
            progress.rows += updated.rows_affected();
        }
    }

    async fn reseal_connectors(&self, keys: &MasterKeys, progress: &mut Progress) -> Result<(), StoreError> {
        let mut after = [String::new(), String::new(), String::new()];
        loop {
            let rows: Vec<(String, String, String, String, String)> = sqlx::query_as(
                "select account_id, kind, subaccount_id, settings, secret
                 from connectors
                 where (account_id, kind, subaccount_id) > ($1, $2, $3)
                   and left(secret, length($4)) <> $4
                 order by account_id, kind, subaccount_id
                 limit $5",
            )
            .bind(&after[0])
            .bind(&after[1])
            .bind(&after[2])
            .bind(keys.prefix())
            .bind(BATCH)
            .fetch_all(&self.pool)
            .await?;
            let Some((account, kind, subaccount, ..)) = rows.last() else { return Ok(()) };
            after = [account.clone(), kind.clone(), subaccount.clone()];
            let (mut accounts, mut kinds, mut subaccounts) = (Vec::new(), Vec::new(), Vec::new());
            let (mut stale, mut fresh) = (Vec::new(), Vec::new());
            for (account, kind, subaccount, settings, secret) in rows {
                let owner = AccountId::new(&account);
                let Some(known) = ConnectorKind::parse(&kind) else { continue };
                let row = connectors::row_name(known, &subaccount, &settings);
                let place = Place { column: connectors::SECRET, account: &owner, row: &row };
                let text = Text::reseal(keys, place, secret, progress);
                if text.is_changed() {
                    accounts.push(account);
                    kinds.push(kind);
                    subaccounts.push(subaccount);
                    stale.push(text.stale);
                    fresh.push(text.fresh);
                }
            }
            let updated = sqlx::query(
                "update connectors c
                 set secret = n.fresh
                 from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
                     as n (account_id, kind, subaccount_id, stale, fresh)
                 where c.account_id = n.account_id and c.kind = n.kind and c.subaccount_id = n.subaccount_id
                   and c.secret = n.stale",
            )
            .bind(accounts)
            .bind(kinds)
            .bind(subaccounts)
            .bind(stale)
            .bind(fresh)
            .execute(&self.pool)
            .await?;
            progress.rows += updated.rows_affected();
        }
    }

    /// Forgets previous secrets whose time is over, too.
    async fn reseal_webhooks(&self, keys: &MasterKeys, progress: &mut Progress) -> Result<(), StoreError> {
        sqlx::query(
            "update webhook_settings
             set previous_secret = null, previous_until = null
             where previous_until <= now()",
        )
        .execute(&self.pool)
        .await?;
        let mut after = String::new();
        loop {
            let rows: Vec<(String, String, Option<String>)> = sqlx::query_as(
                "select account_id, secret, previous_secret
                 from webhook_settings
                 where account_id > $1
                   and (left(secret, length($2)) <> $2 or left(previous_secret, length($2)) <> $2)
                 order by account_id
                 limit $3",
            )
            .bind(&after)
            .bind(keys.prefix())
            .bind(BATCH)
            .fetch_all(&self.pool)
            .await?;
            let Some((account, ..)) = rows.last() else { return Ok(()) };
            after.clone_from(account);
            let mut accounts = Vec::new();
            let (mut stale, mut fresh) = (Vec::new(), Vec::new());
            let (mut stale_previous, mut fresh_previous) = (Vec::new(), Vec::new());
            for (account, secret, previous) in rows {
                let owner = AccountId::new(&account);
                let place = webhook_settings::place(&owner);
                let secret = Text::reseal(keys, place, secret, progress);
                let previous = previous.map(|previous| Text::reseal(keys, place, previous, progress));
                if secret.is_changed() || previous.as_ref().is_some_and(Text::is_changed) {
                    accounts.push(account);
                    stale.push(secret.stale);
                    fresh.push(secret.fresh);
                    let (old, new) = previous.map(|text| (text.stale, text.fresh)).unzip();
                    stale_previous.push(old);
                    fresh_previous.push(new);
                }
            }
            let updated = sqlx::query(
                "update webhook_settings w
                 set secret = n.fresh, previous_secret = n.fresh_previous
                 from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
                     as n (account_id, stale, fresh, stale_previous, fresh_previous)
                 where w.account_id = n.account_id and w.secret = n.stale
                   and w.previous_secret is not distinct from n.stale_previous",
            )
            .bind(accounts)
            .bind(stale)
            .bind(fresh)
            .bind(stale_previous)
            .bind(fresh_previous)
            .execute(&self.pool)
            .await?;
            progress.rows += updated.rows_affected();
        }
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
                 select 'webhook_settings.secret', left(secret, 32) from webhook_settings
                 union all
                 select 'webhook_settings.previous_secret', left(previous_secret, 32) from webhook_settings
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
