//! What can go wrong between us and PostgreSQL, by what a caller does about it.

use std::sync::Arc;

/// Callers retry `Unavailable` (the API answers 503), and report the rest.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached or is shutting down; whether a write took effect is unknown.
    #[error("the database is unavailable")]
    Unavailable(#[source] sqlx::Error),
    /// The database said nothing in time; whether a write took effect is unknown.
    #[error("the database does not answer")]
    NoAnswer,
    /// Lost a race that the database settled by refusing one side; safe to repeat.
    #[error("the database asked to repeat the transaction")]
    Conflict(#[source] sqlx::Error),
    /// The schema is older than this program.
    #[error("the database is not migrated: run `trunkline migrate`")]
    NotMigrated,
    /// With a migration that this program does not have.
    #[error(
        "the database is newer than this program, which does not know its migration {0}: run the program that \
         migrated it, or a newer one"
    )]
    NewerSchema(i64),
    /// With the first migration that is another one here. Releases never change theirs, so one of the two programs
    /// is none.
    #[error(
        "the database was made by another build: its migration {0} is not the one of this program. Use that build, or \
         start over with an empty database (`trunkline dev --reset` for the private one)"
    )]
    OtherSchema(i64),
    /// Nothing was done.
    #[error("another process migrates the database and is not done yet: run this again later")]
    BeingMigrated,
    /// What is stored cannot be read back: a defect or a foreign hand.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
    /// Something secret was to be written or read by a store without keys.
    #[error("there is no master key: `trunkline master-key` makes one for `TRUNKLINE_MASTER_KEY`")]
    NoMasterKey,
    /// With the id of the key.
    #[error("sealed with a master key that is not configured: `{0}`")]
    UnknownMasterKey(String),
    /// None of the keys is the one that this database's secrets are sealed with; all by their ids.
    #[error(
        "the secrets of this database are sealed with master key `{needed}`, and configured is `{configured}`: \
         configure that key, too; to replace it, put the new one in front of it and run `trunkline master-key reseal` \
         (`--key-is-lost` when it is)"
    )]
    WrongMasterKey { needed: String, configured: String },
    #[error("the database refused a statement")]
    Database(#[source] sqlx::Error),
    /// The fate of a group that several callers shared.
    #[error(transparent)]
    Shared(Arc<StoreError>),
}

impl StoreError {
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::NoAnswer => true,
            Self::Shared(error) => error.is_unavailable(),
            _ => false,
        }
    }

    /// Something stored is not what this release knows.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged(_) => true,
            Self::Shared(error) => error.is_damage(),
            _ => false,
        }
    }

    /// Whoever runs this process has to configure another master key, or one at all.
    pub fn lacks_master_key(&self) -> bool {
        match self {
            Self::NoMasterKey | Self::UnknownMasterKey(_) | Self::WrongMasterKey { .. } => true,
            Self::Shared(error) => error.lacks_master_key(),
            _ => false,
        }
    }

    /// The rows themselves are not acceptable: data, integrity and size exceptions. Anything else may work
    /// when it is repeated.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(database)) => database
                .code()
                .is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.starts_with(class))),
            Self::Database(sqlx::Error::Encode(_)) => true,
            Self::Shared(error) => error.is_refusal(),
            _ => false,
        }
    }

    /// The same question may be answered in a moment, or when somebody has looked after the database.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Shared(error) => error.may_pass(),
            Self::Database(sqlx::Error::Database(_)) => !self.is_refusal(),
            Self::Database(_) | Self::Damaged(_) => false,
            _ => !self.lacks_master_key(),
        }
    }

    /// Repeating the whole transaction is safe and may help.
    pub fn is_conflict(&self) -> bool {
        match self {
            Self::Conflict(_) => true,
            Self::Shared(error) => error.is_conflict(),
            _ => false,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error;
        match &error {
            Error::Io(_) | Error::PoolTimedOut | Error::PoolClosed | Error::WorkerCrashed | Error::Tls(_) => {
                Self::Unavailable(error)
            }
            Error::Protocol(_) => Self::Unavailable(error),
            Error::Database(database) => match database.code().as_deref() {
                // serialization_failure, deadlock_detected, lock_not_available
                Some("40001" | "40P01" | "55P03") => Self::Conflict(error),
                // undefined_table, undefined_column, invalid_schema_name
                Some("42P01" | "42703" | "3F000") => Self::NotMigrated,
                Some(code) if is_outage(code) => Self::Unavailable(error),
                _ => Self::Database(error),
            },
            _ => Self::Database(error),
        }
    }
}

/// Connection exceptions, logins that are refused and databases that are not there (both are mended on the
/// database's side), shutdowns and recovery, too many connections, full disk or memory, read-only standbys, sessions
/// that were ended because nothing was heard of us in time: the statement may succeed later, unchanged.
fn is_outage(code: &str) -> bool {
    let classes = ["08", "28", "53", "57P"];
    classes.iter().any(|class| code.starts_with(class)) || matches!(code, "25006" | "25P03" | "3D000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_database_side_mends_is_an_outage() {
        for code in ["08006", "28000", "28P01", "3D000", "53300", "57P01", "25006", "25P03"] {
            assert!(is_outage(code), "{code}");
        }
        for code in ["22021", "23505", "3F000", "42601", "57014"] {
            assert!(!is_outage(code), "{code}");
        }
    }
}
