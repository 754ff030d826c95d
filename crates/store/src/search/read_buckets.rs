//! Entries of rare terms, newest first, from the buckets that they are in.

use std::collections::BTreeSet;

use trunkline_workflow::InstanceId;

use super::buckets::buckets;
use super::candidates::{Piece, Range};
use super::entries::unpack_terms;
use super::packed::Halves;
use super::statements;
use super::terms::{Term, half};
use crate::{PgPool, StoreError};

/// Of one term, whose buckets have some twenty in each week; of several a few times as many.
const ROWS: i64 = 256;
const MOST_TIMES: usize = 8;

pub(super) async fn read_buckets(pool: &PgPool, terms: &[Term], range: Range) -> Result<Piece, StoreError> {
    let terms: BTreeSet<u32> = terms.iter().map(|term| half(*term)).collect();
    let (Some(first), Some(last)) = (terms.first(), terms.last()) else { return Ok(Piece::default()) };
    let buckets: BTreeSet<i64> = terms.iter().flat_map(|term| buckets(*term)).collect();
    let buckets: Vec<i64> = buckets.into_iter().collect();
    let mut rows = ROWS * i64::try_from(terms.len().min(MOST_TIMES)).expect("a few");
    loop {
        let found: Vec<(i32, Vec<u8>)> = sqlx::query_as(statements::BUCKETS)
            .bind(&buckets)
            .bind(Halves::of(range.below).at)
            .bind(Halves::of(range.from).at)
            .bind(rows)
            .fetch_all(pool)
            .await?;
        // Of those that are left none is as new as the last second of the last one.
        let is_full = i64::try_from(found.len()).is_ok_and(|count| count >= rows);
        let reached = found.last().filter(|_| is_full).map(|(at, _)| first_of_second(*at));
        if reached.is_some_and(|reached| reached >= range.below) {
            rows *= 2;
            continue;
        }
        let mut ids = Vec::new();
        for (_, entries) in &found {
            let entries = unpack_terms(entries, *first..=*last)?.into_iter();
            let entries = entries.filter(|entry| terms.contains(&entry.term)).map(|entry| entry.id);
            ids.extend(entries.filter(|id| *id < range.below && *id >= range.from));
        }
        let reached = reached.filter(|reached| *reached > range.from);
        return Ok(Piece { ids, reached }.or(Piece::default()));
    }
}

fn first_of_second(at: i32) -> InstanceId {
    Halves { at, rest: i64::MIN }.id()
}
