//! A statement that is prepared without a name.

use sqlx::postgres::{PgArguments, PgStatement};
use sqlx::{Error, Execute, Postgres, SqlStr};

/// A statement, taken apart.
pub(super) struct Unnamed {
    sql: SqlStr,
    arguments: Option<PgArguments>,
}

impl Unnamed {
    pub(super) fn take<'q>(mut query: impl Execute<'q, Postgres>) -> Result<Self, Error> {
        let arguments = query.take_arguments().map_err(Error::Encode)?;
        Ok(Self { sql: query.sql(), arguments })
    }

    /// It is sent as text, in one message, and nothing is prepared.
    pub(super) fn is_text(&self) -> bool {
        self.arguments.is_none()
    }
}

impl Execute<'_, Postgres> for Unnamed {
    fn sql(self) -> SqlStr {
        self.sql
    }

    fn statement(&self) -> Option<&PgStatement> {
        None
    }

    fn take_arguments(&mut self) -> Result<Option<PgArguments>, sqlx::error::BoxDynError> {
        Ok(self.arguments.take())
    }

    fn persistent(&self) -> bool {
        false
    }
}
