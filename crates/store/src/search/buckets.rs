//! Terms that few instances share, packed: [`Entry`]s of terms that begin with the same bits are together in a bucket,
//! and a bucket has a few rows of each week.
//!
//! ```text
//!  a step of the walk ──► rows of few and wide buckets     0 bits                    ·
//!                                  │                       3 bits        · · · · · · · ·
//!              too many of one:    │                       6 bits        ········  ········
//!          it is split into eight, ▼                          …
//!           by three bits more      narrow ones           30 bits
//! ```
//!
//! So a term's entries are in buckets of all widths, eleven of them, each found by its number, with fewer than
//! [`MOST_ROWS`] rows; and an entry is written again each time there are eight times as many, in rows that are full.
//! Merging takes rows away and writes others with the same entries in the same transaction: whoever reads finds each
//! entry once, however far it is, and nothing is left over when it stops in between. Entries that are there twice,
//! because an instance was looked at again, are there once when they meet.

use trunkline_workflow::InstanceId;

use super::entries::{Entry, pack_entries};
use super::packed::Halves;
use crate::{PgConnection, StoreError};

/// Bits that a bucket is split by.
const STEP: u32 = 3;
/// Of the narrowest bucket, which is never split: what is in there has the same term, but for two bits.
pub(super) const NARROWEST: u32 = 30;
/// A bucket with as many is merged.
pub(super) const MOST_ROWS: i64 = 8;
/// Of one row: less than 2 KB, so that little of a page is left over.
const MOST_ENTRIES: usize = 192;
/// A split leaves at least so many in each, if terms are as different as hashes are.
const LEAST_ENTRIES: usize = 64;
const SECONDS_OF_WEEK: i64 = 604_800;
/// From the first Monday on, the epoch was a Thursday.
const SECONDS_TO_MONDAY: i64 = 259_200;

/// Its number: the bits that its terms begin with, behind a one.
pub(super) fn bucket(term: u32, bits: u32) -> i64 {
    let first = u64::from(term) >> (u32::BITS - bits);
    i64::try_from(1 << bits | first).expect("at most 31 bits")
}

/// All that entries of this term may be in.
pub(super) fn buckets(term: u32) -> impl Iterator<Item = i64> {
    (0..=NARROWEST).step_by(STEP as usize).map(move |bits| bucket(term, bits))
}

/// How many bits a bucket's number has.
pub(super) fn bits(bucket: i64) -> u32 {
    bucket.ilog2()
}

/// Seconds of a week, Monday to Sunday, as partitions have them; less 2^31.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seconds {
    pub(super) first: i64,
    pub(super) last: i64,
}

impl Seconds {
    pub(super) fn of_week(of: i64) -> Self {
        let first = of * SECONDS_OF_WEEK - SECONDS_TO_MONDAY + i64::from(i32::MIN);
        Self { first, last: first + SECONDS_OF_WEEK - 1 }
    }
}

/// The number of the week; [`super::statements::FULL_BUCKETS`] counts the same way.
fn week(id: InstanceId) -> i64 {
    (i64::from(id.seconds()) + SECONDS_TO_MONDAY) / SECONDS_OF_WEEK
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    bucket: i64,
    least: i32,
    greatest: i32,
    entries: Vec<u8>,
}

impl Row {
    pub(super) fn bucket(&self) -> i64 {
        self.bucket
    }
}

/// Of entries that have so many bits in common. History leaves by the week, so no row has two.
pub(super) fn rows(mut entries: Vec<Entry>, common: u32) -> Vec<Row> {
    entries.sort_unstable_by_key(|entry| (week(entry.id), *entry));
    entries.dedup();
    let mut rows = Vec::new();
    for of_week in entries.chunk_by(|a, b| week(a.id) == week(b.id)) {
        let bits = common + further_bits(of_week.len(), common);
        for of_bucket in of_week.chunk_by(|a, b| bucket(a.term, bits) == bucket(b.term, bits)) {
            let count = of_bucket.len().div_ceil(MOST_ENTRIES);
            rows.extend(of_bucket.chunks(of_bucket.len().div_ceil(count)).map(|entries| row(entries, bits)));
        }
    }
    rows
}

fn further_bits(entries: usize, common: u32) -> u32 {
    let mut further = 0;
    while common + further < NARROWEST && entries >> (further + STEP) >= LEAST_ENTRIES {
        further += STEP;
    }
    further
}

fn row(entries: &[Entry], bits: u32) -> Row {
    let seconds = || entries.iter().map(|entry| Halves::of(entry.id).at);
    Row {
        bucket: bucket(entries[0].term, bits),
        least: seconds().min().expect("a row has entries"),
        greatest: seconds().max().expect("a row has entries"),
        entries: pack_entries(entries),
    }
}

pub(super) async fn write_rows(connection: &mut PgConnection, rows: &[Row]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into search_buckets (bucket, least, greatest, entries)
         select * from unnest($1::bigint[], $2::int[], $3::int[], $4::bytea[])",
    )
    .bind(rows.iter().map(|row| row.bucket).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.least).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.greatest).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| &row.entries[..]).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::entries::unpack_entries;
    use super::*;

    const MONDAY: u32 = 0x6afa_4780;

    /// Terms as far apart as hashes.
    fn entries(count: u32, second: impl Fn(u32) -> u32) -> Vec<Entry> {
        let id = |n| InstanceId::from_parts(second(n), [7; 5], n);
        (0..count).map(|n| Entry { term: n.wrapping_mul(0x9e37_79b9), id: id(n) }).collect()
    }

    fn all(rows: &[Row]) -> Vec<Entry> {
        let mut all: Vec<Entry> = rows.iter().flat_map(|row| unpack_entries(&row.entries).unwrap()).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn a_buckets_number_tells_what_its_terms_begin_with() {
        for (term, bits, number) in [
            (0, 0, 1),
            (u32::MAX, 0, 1),
            (0, 3, 8),
            (u32::MAX, 3, 15),
            (0xa000_0000, 3, 13),
            (u32::MAX, 30, 0x7fff_ffff),
        ] {
            assert_eq!(bucket(term, bits), number, "{term:x}, {bits}");
            assert_eq!(super::bits(number), bits);
        }
        assert_eq!(buckets(0xa000_0000).collect::<Vec<_>>()[..3], [1, 13, 104]);
        assert_eq!(buckets(5).count(), 11);
    }

    #[test]
    fn many_entries_are_in_many_buckets_and_each_row_is_found_by_its_terms() {
        for (count, common, bits) in [
            (1, 0, 0),
            (511, 0, 0),
            (512, 0, 3),
            (4_095, 0, 3),
            (4_096, 0, 6),
            (4_096, 27, 30),
            (4_096, 30, 30),
        ] {
            let mut entries = entries(count, |_| MONDAY);
            for entry in &mut entries {
                entry.term >>= common;
            }
            let rows = rows(entries.clone(), common);
            entries.sort_unstable();
            assert_eq!(all(&rows), entries, "{count}, {common}");
            for row in &rows {
                let terms = unpack_entries(&row.entries).unwrap();
                assert!(terms.len() <= MOST_ENTRIES, "{}", terms.len());
                assert!(
                    terms.iter().all(|entry| bucket(entry.term, bits) == row.bucket),
                    "{count}, {common}"
                );
            }
        }
    }

    #[test]
    fn no_row_has_two_weeks_and_each_says_from_when_to_when_it_is() {
        let rows = rows(entries(10, |n| MONDAY - 5 + n), 0);
        let seconds: Vec<(i64, i64)> = rows
            .iter()
            .map(|row| (i64::from(row.least), i64::from(row.greatest)))
            .map(|(least, greatest)| (least + (1 << 31), greatest + (1 << 31)))
            .collect();
        let monday = i64::from(MONDAY);
        assert_eq!(seconds, [(monday - 5, monday - 1), (monday, monday + 4)]);
        let id = |second| InstanceId::from_parts(second, [0; 5], 0);
        let week = Seconds::of_week(week(id(MONDAY)));
        assert_eq!((week.first + (1 << 31), week.last + (1 << 31)), (monday, monday + 604_799));
        assert_eq!(Seconds::of_week(super::week(id(MONDAY - 1))).last, week.first - 1);
        assert!(Seconds::of_week(super::week(id(0))).first <= i64::from(i32::MIN));
    }

    #[test]
    fn what_is_there_twice_is_written_once() {
        let once = entries(300, |_| MONDAY);
        assert_eq!(rows([once.clone(), once.clone()].concat(), 0), rows(once, 0));
    }
}
