//! A statement that is sent in another way than its writer thought.

use sqlx::postgres::{PgArguments, PgStatement};
use sqlx::{Error, Execute, Postgres, SqlStr};

/// A statement, taken apart.
pub(super) struct Taken {
    sql: SqlStr,
    arguments: Option<PgArguments>,
    is_named: bool,
}

impl Taken {
    pub(super) fn named<'q>(query: impl Execute<'q, Postgres>) -> Result<Self, Error> {
        Self::take(query, true)
    }

    pub(super) fn unnamed<'q>(query: impl Execute<'q, Postgres>) -> Result<Self, Error> {
        Self::take(query, false)
    }

    fn take<'q>(mut query: impl Execute<'q, Postgres>, is_named: bool) -> Result<Self, Error> {
        let arguments = query.take_arguments().map_err(Error::Encode)?;
        Ok(Self { sql: query.sql(), arguments, is_named })
    }

    /// It is sent as text, in one message, and nothing is prepared.
    pub(super) fn is_text(&self) -> bool {
        self.arguments.is_none()
    }
}

impl Execute<'_, Postgres> for Taken {
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
        self.is_named
    }
}
