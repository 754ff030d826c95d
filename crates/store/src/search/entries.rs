//! Rare terms and the instances that have them, in as few bytes as can be: a row of its own costs one of them 74, its
//! index included, and here it takes seven to nine.
//!
//! ```text
//! processes, 5 bytes of each │ the least second │ an entry: what its term is greater than the one before by,
//!                            │                  │           its second and process as one number, its count (3 bytes)
//! ```
//!
//! Numbers take as many bytes as they need: seven bits in each, the lowest first, and the highest bit says that there is
//! more.

use std::ops::RangeInclusive;

use trunkline_workflow::InstanceId;

use crate::StoreError;

const PROCESS: usize = 5;
const COUNT: usize = 3;

/// A term is a half of one: others may have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) term: u32,
    pub(super) id: InstanceId,
}

impl Entry {
    fn process(&self) -> [u8; PROCESS] {
        *self.id.as_bytes()[4..].first_chunk().expect("12 bytes without 4 are 8")
    }

    fn count(&self) -> [u8; COUNT] {
        *self.id.as_bytes().last_chunk().expect("12 bytes end with 3")
    }
}

/// In their order; at least one.
pub(super) fn pack_entries(entries: &[Entry]) -> Vec<u8> {
    let mut processes: Vec<[u8; PROCESS]> = entries.iter().map(Entry::process).collect();
    processes.sort_unstable();
    processes.dedup();
    let makers = number_of(processes.len());
    let least = entries.iter().map(|entry| entry.id.seconds()).min().unwrap_or_default();
    let mut packed = Vec::with_capacity(entries.len() * 10);
    put(&mut packed, makers);
    packed.extend(processes.as_flattened());
    put(&mut packed, least.into());
    let mut before = 0;
    for entry in entries {
        let process = processes.binary_search(&entry.process()).expect("all of them are there");
        put(&mut packed, (entry.term - before).into());
        put(&mut packed, u64::from(entry.id.seconds() - least) * makers + number_of(process));
        packed.extend(entry.count());
        before = entry.term;
    }
    packed
}

pub(super) fn unpack_entries(packed: &[u8]) -> Result<Vec<Entry>, StoreError> {
    unpack_terms(packed, 0..=u32::MAX)
}

/// Those of these terms only; what comes behind them is not read.
pub(super) fn unpack_terms(packed: &[u8], terms: RangeInclusive<u32>) -> Result<Vec<Entry>, StoreError> {
    read(packed, terms).ok_or_else(|| StoreError::Damaged("values that instances are found by".to_owned()))
}

fn read(mut packed: &[u8], terms: RangeInclusive<u32>) -> Option<Vec<Entry>> {
    let left = &mut packed;
    let makers = take(left)?;
    let (processes, rest) = left.split_at_checked(usize::try_from(makers).ok()?.checked_mul(PROCESS)?)?;
    *left = rest;
    let least = u32::try_from(take(left)?).ok()?;
    let mut entries = Vec::new();
    let mut term = 0_u32;
    while !left.is_empty() {
        term = term.checked_add(u32::try_from(take(left)?).ok()?)?;
        if term > *terms.end() {
            break;
        }
        let made = take(left)?;
        let (count, rest) = left.split_first_chunk::<COUNT>()?;
        *left = rest;
        if term < *terms.start() {
            continue;
        }
        let second = u32::try_from(made.checked_div(makers)?).ok()?.checked_add(least)?;
        let process = usize::try_from(made % makers).ok()? * PROCESS;
        let count = u32::from_be_bytes([0, count[0], count[1], count[2]]);
        let process = *processes[process..].first_chunk()?;
        entries.push(Entry { term, id: InstanceId::from_parts(second, process, count) });
    }
    Some(entries)
}

fn put(packed: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        packed.push(low_bits(number) | 0x80);
        number >>= 7;
    }
    packed.push(low_bits(number));
}

fn low_bits(number: u64) -> u8 {
    u8::try_from(number & 0x7f).expect("seven bits")
}

fn take(packed: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = packed.split_first()?;
        *packed = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn number_of(count: usize) -> u64 {
    u64::try_from(count).expect("there are fewer")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(term: u32, second: u32, process: u8, count: u32) -> Entry {
        Entry { term, id: InstanceId::from_parts(second, [process; 5], count) }
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let last = entry(u32::MAX, u32::MAX, 0xff, 0x00ff_ffff);
        for entries in [
            vec![entry(0, 0, 0, 0)],
            vec![last],
            vec![entry(0, 0, 0, 0), last],
            vec![entry(7, 9, 1, 1), entry(7, 9, 1, 2), entry(7, 9, 2, 0), entry(8, 5, 1, 3)],
            (0..500).map(|n| entry(n << 23, u32::MAX - n, u8::try_from(n % 256).unwrap(), n)).collect(),
        ] {
            let packed = pack_entries(&entries);
            assert_eq!(unpack_entries(&packed).unwrap(), entries, "{packed:?}");
            for end in 0..packed.len() {
                let cut = unpack_entries(&packed[..end]);
                assert!(cut.is_err() || cut.is_ok_and(|cut| cut.len() < entries.len()), "{end}");
            }
        }
    }

    #[test]
    fn of_some_terms_others_are_left_out() {
        let entries: Vec<Entry> = (0..100).map(|n| entry(n / 2 * 1_000, 500 - n, 1, n)).collect();
        let packed = pack_entries(&entries);
        for (terms, found) in [
            (0..=0, &entries[..2]),
            (7_000..=7_000, &entries[14..16]),
            (7_001..=7_999, &[][..]),
            (7_000..=9_999, &entries[14..20]),
            (48_001..=u32::MAX, &entries[98..]),
        ] {
            assert_eq!(unpack_terms(&packed, terms.clone()).unwrap(), found, "{terms:?}");
        }
    }

    #[test]
    fn what_nobody_packed_is_damaged() {
        let forever = [0x80; 12];
        let no_process = [0, 0, 1, 1, 0, 0, 0];
        let past_the_last_second = [1, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 1, 0, 0, 0];
        let past_the_last_term =
            [1, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0, 1, 0, 0, 0, 0];
        for packed in [&[][..], &forever, &no_process, &past_the_last_second, &past_the_last_term] {
            assert!(unpack_entries(packed).is_err(), "{packed:?}");
        }
    }

    #[test]
    fn an_entry_takes_few_bytes() {
        // As they are where a week has millions: of 128, each term is half a million from the next.
        let entries: Vec<Entry> = (0..128_u32)
            .map(|n| entry(n * 500_000, n * 77_777 % 604_800, u8::try_from(n % 4).unwrap(), n * 9_999))
            .collect();
        let bytes = pack_entries(&entries).len();
        assert!(bytes < 128 * 10, "{bytes}");
    }
}
