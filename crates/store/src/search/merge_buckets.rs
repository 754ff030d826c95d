//! Upkeep merges the rows of buckets that have too many.

use std::collections::BTreeMap;

use super::buckets::{MOST_ROWS, NARROWEST, Row, Seconds, bits, rows, write_rows};
use super::entries::{Entry, unpack_entries};
use super::follow_instances::set_mark;
use super::statements;
use crate::{PgConnection, Store, StoreError};

/// Rows that one step looks at, by their index.
const LOOKED_AT: i64 = 10_000;
/// Rows that one step takes: a hundred thousand entries.
const TAKEN: i64 = 1_024;

const AT_ITS_END: &[u8] = &[0xff];

/// As [`statements::FULL_BUCKETS`] has them: rows looked at, the last one's bucket; buckets with too many rows of a week,
/// the weeks, the rows.
type Looked = (i64, Option<i64>, Vec<i64>, Vec<i64>, Vec<i64>);

impl Store {
    /// One step of a walk over the buckets, from the wide ones to those that they are split into, which begins when
    /// something was written; `true`: it is not at its end yet.
    pub async fn merge_buckets(&self) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let mark: Option<Vec<u8>> = sqlx::query_scalar(
            "select mark
             from search_marks
             where walk = 'buckets' and mark <> $1
             for update",
        )
        .bind(AT_ITS_END)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(mark) = mark else { return Ok(false) };
        let mark = mark.first_chunk().map_or(0, |mark| i64::from_be_bytes(*mark));
        let (seen, last, buckets, weeks, counts): Looked = sqlx::query_as(statements::FULL_BUCKETS)
            .bind(mark)
            .bind(1_i64 << NARROWEST)
            .bind(LOOKED_AT)
            .bind(MOST_ROWS)
            .fetch_one(&mut *transaction)
            .await?;
        let mut room = TAKEN;
        let fits = counts.iter().take_while(|count| {
            let is_first = room == TAKEN;
            room -= **count;
            is_first || room >= 0
        });
        let taken = fits.count();
        let mut of_weeks: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for (week, bucket) in weeks.iter().zip(&buckets).take(taken) {
            of_weeks.entry(*week).or_default().push(*bucket);
        }
        let mut merged: Vec<Row> = Vec::new();
        for (week, buckets) in of_weeks {
            let entries = take(&mut transaction, &buckets, Seconds::of_week(week)).await?;
            merged.extend(entries.into_iter().flat_map(|(bucket, entries)| rows(entries, bits(bucket))));
        }
        write_rows(&mut transaction, &merged).await?;
        // What was merged is looked at once more, and so is what it was split into, which comes behind it and may have
        // too many by now. Of the last one that was looked at there may be more.
        let next = buckets.first().copied().or(last.filter(|_| seen >= LOOKED_AT)).map(|next| next - 1);
        let mark = next.map(i64::to_be_bytes);
        let mark = mark.as_ref().map_or(AT_ITS_END, |mark| &mark[..]);
        set_mark(&mut transaction, "buckets", mark).await?;
        transaction.commit().await?;
        Ok(next.is_some())
    }
}

/// There is something to be looked at.
pub(super) async fn begin_merging(connection: &mut PgConnection) -> Result<(), StoreError> {
    set_mark(connection, "buckets", &[]).await
}

/// What their rows of a week held.
async fn take(
    connection: &mut PgConnection,
    buckets: &[i64],
    week: Seconds,
) -> Result<BTreeMap<i64, Vec<Entry>>, StoreError> {
    let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(
        "delete from search_buckets
         where least between $2 and $3
             and ctid = any (array(
                 select ctid from search_buckets
                 where bucket = any ($1) and least between $2 and $3
                 limit $4
             ))
         returning bucket, entries",
    )
    .bind(buckets)
    .bind(as_second(week.first))
    .bind(as_second(week.last))
    .bind(TAKEN)
    .fetch_all(connection)
    .await?;
    let mut entries: BTreeMap<i64, Vec<Entry>> = BTreeMap::new();
    for (bucket, packed) in rows {
        entries.entry(bucket).or_default().extend(unpack_entries(&packed)?);
    }
    Ok(entries)
}

/// The first and the last week of all reach beyond what there is.
fn as_second(second: i64) -> i32 {
    i32::try_from(second).unwrap_or(if second < 0 { i32::MIN } else { i32::MAX })
}
