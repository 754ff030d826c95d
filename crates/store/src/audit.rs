//! Who did what, when, to what, and why. Written in the transaction of the deed, and never changed.

use chrono::{DateTime, Utc};
use serde_json::Value;
use trunkline_workflow::AccountId;
use uuid::Uuid;

use crate::{PgConnection, Store, StoreError};

/// Who changes something, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    pub actor: Actor,
    pub reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// An API key of the account.
    Key { id: Uuid, name: String },
    /// An application of the account, by a token of its own.
    Application(Uuid),
    /// The account by its key of the Workflows API.
    ApiKey(String),
    /// Somebody at a shell with access to the database; the name of the user there, if it is known.
    CommandLine(Option<String>),
    /// Nobody: it follows from what somebody else did.
    Trunkline,
}

impl By {
    pub fn trunkline() -> Self {
        Self { actor: Actor::Trunkline, reason: None }
    }

    /// Kind, id and name, as they are stored.
    pub(crate) fn columns(&self) -> (&'static str, Option<String>, Option<&str>) {
        match &self.actor {
            Actor::Key { id, name } => ("key", Some(id.to_string()), Some(name)),
            Actor::Application(id) => ("application", Some(id.to_string()), None),
            Actor::ApiKey(key) => ("api-key", Some(key.clone()), None),
            Actor::CommandLine(user) => ("command-line", None, user.as_deref()),
            Actor::Trunkline => ("trunkline", None, None),
        }
    }
}

impl By {
    /// What [`By::columns`] gave.
    pub(crate) fn read(
        kind: &str,
        id: Option<String>,
        name: Option<String>,
        reason: Option<String>,
    ) -> Result<Self, StoreError> {
        let damaged = || StoreError::Damaged(format!("an actor of kind `{kind}`"));
        let uuid = || id.as_deref().and_then(|id| id.parse().ok()).ok_or_else(damaged);
        let actor = match kind {
            "key" => Actor::Key { id: uuid()?, name: name.ok_or_else(damaged)? },
            "application" => Actor::Application(uuid()?),
            "api-key" => Actor::ApiKey(id.ok_or_else(damaged)?),
            "command-line" => Actor::CommandLine(name),
            "trunkline" => Actor::Trunkline,
            _ => return Err(damaged()),
        };
        Ok(Self { actor, reason })
    }
}

/// A line of the audit.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct AuditEntry {
    pub id: i64,
    pub at: DateTime<Utc>,
    pub actor_kind: String,
    pub actor_id: Option<String>,
    pub actor_name: Option<String>,
    pub action: String,
    pub object: String,
    pub reason: Option<String>,
    /// JSON.
    pub detail: Option<String>,
}

/// Which lines a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    pub action: Option<String>,
    pub object: Option<String>,
    /// Only older ones: the id of the last line of the page before.
    pub before: Option<i64>,
}

/// `action` is the noun and the verb, `definition.update`; `object` the id of what it was done to.
pub(crate) async fn note(
    connection: &mut PgConnection,
    account: &AccountId,
    by: &By,
    action: &str,
    object: &str,
    detail: Option<&Value>,
) -> Result<(), StoreError> {
    let (kind, id, name) = by.columns();
    sqlx::query(
        "insert into audit (account_id, actor_kind, actor_id, actor_name, action, object, reason, detail)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(account.as_str())
    .bind(kind)
    .bind(id)
    .bind(name)
    .bind(action)
    .bind(object)
    .bind(&by.reason)
    .bind(detail.map(Value::to_string))
    .execute(connection)
    .await?;
    Ok(())
}

impl Store {
    /// Newest first.
    pub async fn list_audit(
        &self,
        account: &AccountId,
        filter: &AuditFilter,
        limit: i64,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        Ok(sqlx::query_as(
            "select id, at, actor_kind, actor_id, actor_name, action, object, reason, detail
             from audit
             where account_id = $1
                 and ($2::text is null or action = $2)
                 and ($3::text is null or object = $3)
                 and ($4::bigint is null or id < $4)
             order by id desc
             limit $5",
        )
        .bind(account.as_str())
        .bind(&filter.action)
        .bind(&filter.object)
        .bind(filter.before)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?)
    }
}
