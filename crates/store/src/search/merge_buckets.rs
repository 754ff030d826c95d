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
/// The last one that is not of the narrowest.
const LAST: i64 = (1 << NARROWEST) - 1;

/// As [`statements::FULL_BUCKETS`] has them: rows looked at, the last one's bucket; buckets with too many rows of a week,
/// the weeks, the rows.
type Looked = (i64, Option<i64>, Vec<i64>, Vec<i64>, Vec<i64>);

/// A walk over the buckets, from the wide ones to those that they are split into, and no further than any were written.
/// What is written meanwhile is for the next one: else the narrow ones, which are the most, would never have their turn.
struct Walk {
    behind: i64,
    last: i64,
}

impl Store {
    /// One step of a walk; `false`: there was nothing to be looked at.
    pub async fn merge_buckets(&self) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let Some(walk) = go_on(&mut transaction).await? else { return Ok(false) };
        let (seen, last, buckets, weeks, counts): Looked = sqlx::query_as(statements::FULL_BUCKETS)
            .bind(walk.behind)
            .bind(walk.last)
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
        let last = merged.iter().map(Row::bucket).fold(walk.last, i64::max);
        let mark = next.map(|behind| [behind.to_be_bytes(), last.to_be_bytes()]);
        let mark = mark.as_ref().map_or(&[][..], |mark| mark.as_flattened());
        set_mark(&mut transaction, "buckets", mark).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

/// With the one that was begun, or with the next.
async fn go_on(connection: &mut PgConnection) -> Result<Option<Walk>, StoreError> {
    let marks: Option<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
        "select walk.mark, written.mark
         from search_marks walk, search_marks written
         where walk.walk = 'buckets' and written.walk = 'written' and (walk.mark <> '' or written.mark <> '')
         for update",
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some((begun, written)) = marks else { return Ok(None) };
    let number = |mark: &[u8]| mark.first_chunk().map_or(0, |number| i64::from_be_bytes(*number));
    let walk = if begun.is_empty() {
        set_mark(connection, "written", &[]).await?;
        Walk { behind: 0, last: number(&written) }
    } else {
        Walk { behind: number(&begun), last: begun.get(8..).map_or(LAST, number) }
    };
    Ok(Some(Walk { last: walk.last.min(LAST), ..walk }))
}

/// So far there is something to be looked at.
pub(super) async fn note_written(connection: &mut PgConnection, rows: &[Row]) -> Result<(), StoreError> {
    let Some(last) = rows.iter().map(Row::bucket).max() else { return Ok(()) };
    sqlx::query("update search_marks set mark = greatest(mark, $1) where walk = 'written'")
        .bind(&last.to_be_bytes()[..])
        .execute(connection)
        .await?;
    Ok(())
}

/// What their rows of a week held.
async fn take(
    connection: &mut PgConnection,
    buckets: &[i64],
    week: Seconds,
) -> Result<BTreeMap<i64, Vec<Entry>>, StoreError> {
    let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(statements::TAKE_BUCKETS)
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
