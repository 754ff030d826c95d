//! A workflow of the Workflows API is run again as one of its own: with another id, under which everything of it is told,
//! and other messages.

use serde_json::{Map, Value, json};
use trunkline_workflow::dispatch::Link;
use trunkline_workflow::rerun::{Course, Logged, Refusal, first_message};
use uuid::Uuid;

use super::{Contexts, OriginRow, Wish};
use crate::dispatches::{flavour_text, read_flavour};
use crate::waits::read_id;
use crate::{PgConnection, StoreError};

/// The new workflow.
pub(super) struct Successor {
    pub(super) link: Link,
    application: Option<Uuid>,
}

#[derive(sqlx::FromRow)]
struct Row {
    flavour: String,
    application_id: Option<Uuid>,
    parent: Option<Vec<u8>>,
    /// How it ended, or upkeep is to end it.
    end: Option<String>,
}

/// With the context of its instance, which begins at the first step.
pub(super) async fn succeed(
    connection: &mut PgConnection,
    wish: &Wish<'_>,
    origin: &OriginRow,
    log: &[Logged],
) -> Result<Result<(Contexts, Successor), Refusal>, StoreError> {
    let found: Option<Row> = sqlx::query_as(
        "select flavour, application_id, parent, coalesce(outcome, fate) as end
         from dispatches
         where instance_id = $1 and account_id = $2",
    )
    .bind(wish.origin.as_bytes().as_slice())
    .bind(wish.account.as_str())
    .fetch_optional(connection)
    .await?;
    let Some(row) = found else { return Ok(Err(Refusal::Removed)) };
    if let Some(parent) = row.parent {
        return Ok(Err(Refusal::OfStep(read_id(&parent)?)));
    }
    let damaged = || StoreError::Damaged(format!("the context of workflow {}", wish.origin));
    let mut data: Map<String, Value> = serde_json::from_str(&origin.data).map_err(|_| damaged())?;
    let messages = data.get("workflow").and_then(Value::as_array).ok_or_else(damaged)?.len();
    let next = data.get("next").and_then(Value::as_u64).and_then(|next| usize::try_from(next).ok());
    let course = Course {
        messages,
        next: next.ok_or_else(damaged)?,
        has_failed: row.end.as_deref() == Some("error"),
        is_met: data.get("isMet").is_some_and(|is_met| *is_met == true),
        log,
    };
    let first = match first_message(&course, &wish.choice.from) {
        Ok(first) => first,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let link = Link { id: Uuid::new_v4(), flavour: read_flavour(&row.flavour)? };
    // What the steps wrote is the origin's.
    for written in ["sent", "isMet"] {
        data.shift_remove(written);
    }
    data.insert("next".to_owned(), json!(first));
    data.insert("link".to_owned(), serde_json::to_value(link).map_err(|_| damaged())?);
    let context = Contexts { data: Value::Object(data).to_string(), started_data: None };
    Ok(Ok((context, Successor { link, application: row.application_id })))
}

pub(super) async fn write(
    connection: &mut PgConnection,
    wish: &Wish<'_>,
    successor: &Successor,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into dispatches (id, account_id, instance_id, flavour, application_id)
         values ($1, $2, $3, $4, $5)",
    )
    .bind(successor.link.id)
    .bind(wish.account.as_str())
    .bind(wish.new.as_bytes().as_slice())
    .bind(flavour_text(successor.link.flavour))
    .bind(successor.application)
    .execute(connection)
    .await?;
    Ok(())
}
