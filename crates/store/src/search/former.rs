//! What upkeep of the release before wrote: terms in `search_terms`, unfinished instances in `search_open`. Its workers
//! may still be at it beside ours, on a mark of their own, and its servers look for nothing else; so what was begun
//! there is brought to its end there. A search looks into `search_terms` as well. Terms of stopped instances are still
//! written there, because the servers of before ask for them.

use trunkline_workflow::{DefinitionId, Version};

use super::filter::Phone;
use super::follow_instances::{STEP, STEP_BYTES, set_mark};
use super::terms::{Term, Values, hash};
use crate::{PgConnection, Store, StoreError};

pub(super) fn of_version(definition: DefinitionId, version: Version) -> Term {
    hash(["version", &definition.to_string(), &version.to_string()])
}

pub(super) fn of_value(path: &str, value: &str) -> Term {
    hash(["value", path, value])
}

pub(super) fn of_phone(phone: &Phone) -> Term {
    hash(["phone", phone.digits(), ""])
}

/// Of instances that somebody terminated.
pub(super) fn of_stopped() -> Term {
    hash(["stopped", "", ""])
}

#[derive(sqlx::FromRow)]
struct Passed {
    id: Vec<u8>,
    account_id: Option<String>,
    data: Option<String>,
    is_open: bool,
    is_more: bool,
}

impl Store {
    /// One step of the walk over `search_open`, which begins again at its end and is over when nothing is left there;
    /// `true`: most of them have ended, and the next ones may have, too.
    pub async fn follow_former_unfinished(&self) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let mark: Option<Vec<u8>> = sqlx::query_scalar(
            "select mark
             from search_marks
             where walk = 'open' and exists (select from search_open)
             for update",
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(mark) = mark else { return Ok(false) };
        let passed: Vec<Passed> = sqlx::query_as(
            "select id, account_id, data, is_open, is_more
             from (
                 select *, count(*) over () = $2 or sum(size) over () >= $3 as is_more,
                     sum(size) over (order by id) - size as before
                 from (
                     select o.instance_id as id, i.account_id, i.data,
                         i.id is not null and i.completed_at is null as is_open,
                         coalesce(octet_length(i.data), 0) as size
                     from (
                         select instance_id
                         from search_open
                         where instance_id > $1
                         order by instance_id
                         limit $2
                     ) o
                     left join instances i on i.id = o.instance_id
                 ) next
             ) next
             where before < $3
             order by id",
        )
        .bind(&mark)
        .bind(STEP)
        .bind(STEP_BYTES)
        .fetch_all(&mut *transaction)
        .await?;
        write_terms(&mut transaction, &passed).await?;
        let ended: Vec<&[u8]> = passed.iter().filter(|one| !one.is_open).map(|one| &one.id[..]).collect();
        sqlx::query("delete from search_open where instance_id = any($1)")
            .bind(&ended)
            .execute(&mut *transaction)
            .await?;
        let full = passed.last().is_some_and(|last| last.is_more);
        let reached = passed.last().map(|last| last.id.clone()).filter(|_| full).unwrap_or_default();
        set_mark(&mut transaction, "open", &reached).await?;
        transaction.commit().await?;
        Ok(full && ended.len() * 2 > passed.len())
    }
}

async fn write_terms(connection: &mut PgConnection, passed: &[Passed]) -> Result<(), StoreError> {
    let mut rows: Vec<(&str, Term, &[u8])> = Vec::new();
    for one in passed {
        let (Some(account), Some(data)) = (&one.account_id, &one.data) else { continue };
        for (path, value) in Values::of_next(data).await.iter() {
            let terms = Phone::parse(value).map(|phone| of_phone(&phone)).into_iter();
            let terms = terms.chain([of_value(path, value)]);
            rows.extend(terms.map(|term| (account.as_str(), term, &one.id[..])));
        }
    }
    // In the order of the key: neighbours are on one page.
    rows.sort_unstable();
    sqlx::query(
        "insert into search_terms (account_id, term, instance_id)
         select * from unnest($1::text[], $2::bigint[], $3::bytea[])
         on conflict do nothing",
    )
    .bind(rows.iter().map(|row| row.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.1).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.2).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}
