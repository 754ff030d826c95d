//! Whether the master keys are those that this database's secrets are sealed with, and which of them seals.
//!
//! The first process with a key seals a word with it, for all that come later. One whose keys do not open the
//! word would seal what nobody else can read, and overwrite what others can; so it neither writes nor reads
//! anything secret.
//!
//! Of several keys the word's own seals, in whatever order they are configured: so everybody who knows the word's
//! key can read what anybody seals, and a new key can be given to one process after the other. [`Store::reseal`]
//! alone moves the word to another key, before it seals the rest with it:
//!
//! ```text
//! keys of the processes   A      A, some B,A     B,A                                        B
//! the word                A ──────────────────── B, needs A ─────────────────────────────── B
//!                                                └ from now on everybody seals with B       └ nothing is left of A
//! ```
//!
//! Who seals looks at the word again, and holds it until what was sealed is stored: who was left out, or has not
//! noticed, seals nothing with the old key behind `reseal`'s back. Who only opens does not look again: every text
//! says which key it takes.

use trunkline_workflow::AccountId;

use crate::reseal::LostKey;
use crate::sealing::{MasterKeys, Place, PlainTexts, Sealer, Unlocked, key_id};
use crate::{PgConnection, Store, StoreError};

/// What the word says. It cannot be forged.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    plain: PlainTexts,
    /// The ids of keys that are needed besides the word's own.
    older: Vec<String>,
}

const PLAIN: [(PlainTexts, &str); 2] =
    [(PlainTexts::Allowed, "sealed and plain"), (PlainTexts::Refused, "sealed")];
const NEEDS: &str = ", needs ";

impl Word {
    fn text(&self) -> String {
        let plain = PLAIN.iter().find(|(known, _)| *known == self.plain).expect("each has its text").1;
        if self.older.is_empty() {
            return plain.to_owned();
        }
        format!("{plain}{NEEDS}{}", self.older.join(" "))
    }

    fn parse(text: &str) -> Option<Self> {
        let (text, older) = text.split_once(NEEDS).unwrap_or((text, ""));
        let (plain, _) = PLAIN.iter().find(|(_, known)| *known == text)?;
        Some(Self { plain: *plain, older: older.split_whitespace().map(str::to_owned).collect() })
    }
}

/// Until the transaction ends.
#[derive(Clone, Copy)]
enum Hold {
    Nothing,
    /// The word stays as it is.
    AsItIs,
    /// The word is ours to change.
    Alone,
}

impl Store {
    /// Looks whether the keys are the database's. The first that asks makes its own just that.
    pub async fn check_master_key(&self) -> Result<(), StoreError> {
        let keys = self.configured()?;
        let mut transaction = self.begin().await?;
        let (_, word) = open(&mut transaction, keys, Hold::Nothing).await?;
        transaction.commit().await?;
        self.checked.get_or_init(|| word.plain);
        Ok(())
    }

    /// The keys, once they were found to be the database's: to open with.
    ///
    /// May ask the database, by the pool: to be called before a transaction begins.
    pub(crate) async fn keys(&self) -> Result<Unlocked<'_>, StoreError> {
        let keys = self.configured()?;
        if self.checked.get().is_none() {
            self.check_master_key().await?;
        }
        let plain = *self.checked.get().expect("the check has just set it");
        Ok(Unlocked { keys, plain })
    }

    /// The key that seals, as long as this transaction goes on, in which what was sealed is to be stored.
    pub(crate) async fn sealer(&self, transaction: &mut PgConnection) -> Result<Sealer<'_>, StoreError> {
        Ok(open(transaction, self.configured()?, Hold::AsItIs).await?.0)
    }

    fn configured(&self) -> Result<&MasterKeys, StoreError> {
        self.keys.as_ref().ok_or(StoreError::NoMasterKey)
    }

    /// From now on everybody seals with the first key; the others are needed until [`Store::end_rotation`].
    pub(crate) async fn begin_rotation(&self, keys: &MasterKeys, lost: LostKey) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let first = keys.first();
        let word = match open(&mut transaction, keys, Hold::Alone).await {
            Ok((sealer, mut word)) => {
                word.older.push(sealer.id().to_owned());
                word.older.retain(|id| id != first.id());
                word
            }
            Err(StoreError::WrongMasterKey { .. } | StoreError::Damaged(_)) if lost == LostKey::GivenUp => {
                let older = keys.ids().filter(|id| *id != first.id()).map(str::to_owned).collect();
                Word { plain: PlainTexts::Allowed, older }
            }
            Err(error) => return Err(error),
        };
        write(&mut transaction, first, &word).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// From now on these keys alone are needed besides the first. Nothing happens when the word has meanwhile gone
    /// to another key than the first.
    pub(crate) async fn end_rotation(
        &self,
        keys: &MasterKeys,
        plain: PlainTexts,
        older: Vec<String>,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let (sealer, _) = open(&mut transaction, keys, Hold::Alone).await?;
        if sealer.id() == keys.first_id() {
            write(&mut transaction, sealer, &Word { plain, older }).await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

/// The word, and the key that it is sealed with. An error unless the keys are all that are needed.
async fn open<'a>(
    connection: &mut PgConnection,
    keys: &'a MasterKeys,
    hold: Hold,
) -> Result<(Sealer<'a>, Word), StoreError> {
    let text = if let Some(text) = read(connection, hold).await? {
        text
    } else {
        write_first(connection, keys).await?;
        read(connection, hold).await?.ok_or_else(damaged)?
    };
    let sealer = find(keys, key_id(&text).ok_or_else(damaged)?)?;
    let account = AccountId::new("");
    let word = Word::parse(&keys.unseal(place(&account), &text)?).ok_or_else(damaged)?;
    for id in &word.older {
        find(keys, id)?;
    }
    Ok((sealer, word))
}

fn find<'a>(keys: &'a MasterKeys, id: &str) -> Result<Sealer<'a>, StoreError> {
    keys.sealer(id).ok_or_else(|| {
        let configured = keys.ids().collect::<Vec<_>>().join("`, `");
        StoreError::WrongMasterKey { needed: id.to_owned(), configured }
    })
}

fn damaged() -> StoreError {
    StoreError::Damaged("master_key_check".to_owned())
}

async fn read(connection: &mut PgConnection, hold: Hold) -> Result<Option<String>, StoreError> {
    let statement = match hold {
        Hold::Nothing => "select sealed from master_key_check",
        Hold::AsItIs => "select sealed from master_key_check for share",
        Hold::Alone => "select sealed from master_key_check for update",
    };
    Ok(sqlx::query_scalar(statement).fetch_optional(connection).await?)
}

/// Does nothing when another process was faster. Where something is sealed already, the word was lost: then its
/// key seals it.
async fn write_first(connection: &mut PgConnection, keys: &MasterKeys) -> Result<(), StoreError> {
    let mut stored = Vec::new();
    for text in some_sealed_texts(connection).await? {
        if let Some(id) = key_id(&text) {
            find(keys, id)?;
            stored.push(id.to_owned());
        }
    }
    stored.dedup();
    let mut stored = stored.into_iter();
    let sealer = match stored.next() {
        Some(id) => find(keys, &id)?,
        None => keys.first(),
    };
    let older = stored.filter(|id| id != sealer.id()).collect();
    let is_plain: bool = sqlx::query_scalar(
        "select exists (
             select from definition_versions
             where left(steps, 1) in ('[', '{') or left(extras, 1) in ('[', '{')
         )",
    )
    .fetch_one(&mut *connection)
    .await?;
    let word = Word { plain: if is_plain { PlainTexts::Allowed } else { PlainTexts::Refused }, older };
    let account = AccountId::new("");
    sqlx::query(
        "insert into master_key_check (sealed)
         values ($1)
         on conflict do nothing",
    )
    .bind(sealer.seal(place(&account), &word.text()))
    .execute(connection)
    .await?;
    Ok(())
}

/// The beginning of one of each kind.
async fn some_sealed_texts(connection: &mut PgConnection) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar(
        "(select left(steps, 32) from definition_versions where left(steps, 1) not in ('[', '{') limit 1)
         union all
         (select left(secret, 32) from connectors where secret is not null limit 1)
         union all
         (select left(signature_secret, 32) from connectors where signature_secret is not null limit 1)
         union all
         (select left(secret, 32) from webhook_settings limit 1)
         union all
         (select left(signature_secret, 32) from nexmo_accounts where signature_secret is not null limit 1)",
    )
    .fetch_all(connection)
    .await?)
}

async fn write(connection: &mut PgConnection, sealer: Sealer<'_>, word: &Word) -> Result<(), StoreError> {
    let account = AccountId::new("");
    sqlx::query(
        "insert into master_key_check (sealed)
         values ($1)
         on conflict (is_only) do update
         set sealed = excluded.sealed",
    )
    .bind(sealer.seal(place(&account), &word.text()))
    .execute(connection)
    .await?;
    Ok(())
}

/// Of no account.
fn place(account: &AccountId) -> Place<'_> {
    Place { column: "master_key_check.sealed", account, row: "" }
}

#[cfg(test)]
mod tests {
    use super::{PlainTexts, Word};

    #[test]
    fn the_word_is_read_as_it_was_written() {
        for (plain, older, text) in [
            (PlainTexts::Refused, &[][..], "sealed"),
            (PlainTexts::Allowed, &[], "sealed and plain"),
            (PlainTexts::Refused, &["66687aad"], "sealed, needs 66687aad"),
            (PlainTexts::Allowed, &["66687aad", "01020304"], "sealed and plain, needs 66687aad 01020304"),
        ] {
            let word = Word { plain, older: older.iter().map(|id| (*id).to_owned()).collect() };
            assert_eq!(word.text(), text);
            assert_eq!(Word::parse(text), Some(word));
        }
        assert_eq!(Word::parse("abracadabra"), None);
    }
}
