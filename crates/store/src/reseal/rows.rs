//! A table's rows, batch after batch.

use crate::sealing::{MasterKeys, Place, is_plain, key_id};
use crate::{PgPool, StoreError};

/// Rows at a time; a definition may have a megabyte.
const BATCH: i64 = 50;

/// A row with sealed texts.
pub(super) trait SealedRow: Sized {
    /// What the rows are in the order of.
    type Key: Default;

    fn key(&self) -> Self::Key;

    /// The next rows that have a text without this prefix.
    async fn read(
        pool: &PgPool,
        after: &Self::Key,
        prefix: &str,
        limit: i64,
    ) -> Result<Vec<Self>, StoreError>;

    /// Gives the number of rows that were changed.
    async fn write(
        pool: &PgPool,
        keys: &MasterKeys,
        rows: Vec<Self>,
        progress: &mut Progress,
    ) -> Result<u64, StoreError>;
}

#[derive(Default)]
pub(super) struct Progress {
    pub(super) rows: u64,
    /// Texts that their key does not open, although it is configured.
    pub(super) damaged: i64,
}

pub(super) async fn reseal_rows<R: SealedRow>(
    pool: &PgPool,
    keys: &MasterKeys,
    progress: &mut Progress,
) -> Result<(), StoreError> {
    let mut after = R::Key::default();
    loop {
        let rows = R::read(pool, &after, &keys.prefix(), BATCH).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.key();
        progress.rows += R::write(pool, keys, rows, progress).await?;
    }
}

/// A text that is stored, and what it is to be.
pub(super) struct Text {
    pub(super) stale: String,
    pub(super) fresh: String,
}

impl Text {
    /// What cannot be opened stays as it is.
    pub(super) fn reseal(
        keys: &MasterKeys,
        place: Place<'_>,
        stale: String,
        progress: &mut Progress,
    ) -> Self {
        if stale.starts_with(&keys.prefix()) {
            return Self { fresh: stale.clone(), stale };
        }
        let opened = if is_plain(&stale) { Ok(stale.clone()) } else { keys.unseal(place, &stale) };
        let fresh = if let Ok(text) = opened {
            keys.first().seal(place, &text)
        } else {
            progress.damaged += i64::from(key_id(&stale).is_some_and(|id| keys.has(id)));
            stale.clone()
        };
        Self { stale, fresh }
    }

    pub(super) fn is_changed(&self) -> bool {
        self.stale != self.fresh
    }
}
