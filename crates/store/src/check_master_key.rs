//! Whether the master keys are those that this database's secrets are sealed with.
//!
//! The first process with a key seals a word with it, for all that come later. One whose keys do not open the
//! word would seal what nobody else can read, and overwrite what others can; so it neither writes nor reads
//! anything secret. Only [`Store::reseal`] seals the word with another key.

use trunkline_workflow::AccountId;

use crate::sealing::{MasterKeys, Place, PlainTexts, Unlocked};
use crate::{Store, StoreError};

/// The word also says whether there may be texts that are not sealed: it cannot be forged.
const WORDS: [(PlainTexts, &str); 2] =
    [(PlainTexts::Allowed, "sealed and plain"), (PlainTexts::Refused, "sealed")];

fn word(plain: PlainTexts) -> &'static str {
    WORDS.iter().find(|(known, _)| *known == plain).expect("each has its word").1
}

impl Store {
    /// Looks whether one of the keys is the database's. The first that asks makes its first key just that.
    pub async fn check_master_key(&self) -> Result<(), StoreError> {
        let keys = self.keys.as_ref().ok_or(StoreError::NoMasterKey)?;
        let plain = self.open_check(keys).await?;
        self.checked.get_or_init(|| plain);
        Ok(())
    }

    /// The keys, once they were found to be the database's.
    ///
    /// May ask the database, by the pool: to be called before a transaction begins.
    pub(crate) async fn keys(&self) -> Result<Unlocked<'_>, StoreError> {
        let keys = self.keys.as_ref().ok_or(StoreError::NoMasterKey)?;
        let plain = if let Some(plain) = self.checked.get() {
            *plain
        } else {
            let plain = self.open_check(keys).await?;
            *self.checked.get_or_init(|| plain)
        };
        Ok(Unlocked { keys, plain })
    }

    /// What the word says.
    pub(crate) async fn open_check(&self, keys: &MasterKeys) -> Result<PlainTexts, StoreError> {
        let sealed = if let Some(sealed) = self.read_check().await? {
            sealed
        } else {
            self.write_first_check(keys).await?;
            self.read_check().await?.ok_or_else(|| StoreError::Damaged("no master_key_check".to_owned()))?
        };
        let account = AccountId::new("");
        let said = keys.unseal(place(&account), &sealed).map_err(|error| match error {
            StoreError::UnknownMasterKey(needed) => {
                let configured = keys.ids().collect::<Vec<_>>().join("`, `");
                StoreError::WrongMasterKey { needed, configured }
            }
            other => other,
        })?;
        let known = WORDS.iter().find(|(_, word)| *word == said);
        known.map(|(plain, _)| *plain).ok_or_else(|| StoreError::Damaged("master_key_check".to_owned()))
    }

    async fn read_check(&self) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar("select sealed from master_key_check").fetch_optional(&self.pool).await?)
    }

    /// Does nothing when another process was faster.
    async fn write_first_check(&self, keys: &MasterKeys) -> Result<(), StoreError> {
        let account = AccountId::new("");
        sqlx::query(
            "insert into master_key_check (sealed)
             select case
                 when exists (
                     select from definition_versions
                     where left(steps, 1) in ('[', '{') or left(extras, 1) in ('[', '{')
                 ) then $1
                 else $2
             end
             on conflict do nothing",
        )
        .bind(keys.seal(place(&account), word(PlainTexts::Allowed)))
        .bind(keys.seal(place(&account), word(PlainTexts::Refused)))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// From now on the first key is the database's.
    pub(crate) async fn replace_check(&self, keys: &MasterKeys, plain: PlainTexts) -> Result<(), StoreError> {
        let account = AccountId::new("");
        sqlx::query(
            "insert into master_key_check (sealed)
             values ($1)
             on conflict (is_only) do update
             set sealed = excluded.sealed",
        )
        .bind(keys.seal(place(&account), word(plain)))
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

/// Of no account.
fn place(account: &AccountId) -> Place<'_> {
    Place { column: "master_key_check.sealed", account, row: "" }
}
