//! How ids of instances are kept in few bytes: one behind the other in one value, because a row of its own costs an id
//! several times its length, or as two numbers.

use trunkline_workflow::InstanceId;

use crate::StoreError;
use crate::waits::read_id;

const ID: usize = 12;
/// Of an unfinished instance.
pub(super) const SEEN: usize = ID + 4;
/// Of one row: two fit into a page as they are, and from 2,032 on they are compressed to less than half.
const BYTES: usize = 3_840;
/// Ids of one row of a term.
pub(super) const GROUP: usize = BYTES / ID;
/// Unfinished instances of one row.
pub(super) const FOLLOWED: usize = BYTES / SEEN;

/// An unfinished instance, and a hash of its context when its terms were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) id: InstanceId,
    pub(super) context: i32,
}

pub(super) fn pack(ids: &[InstanceId]) -> Vec<u8> {
    ids.iter().flat_map(|id| *id.as_bytes()).collect()
}

pub(super) fn unpack(ids: &[u8]) -> Result<Vec<InstanceId>, StoreError> {
    ids.chunks(ID).map(read_id).collect()
}

pub(super) fn pack_seen(seen: &[Seen]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(seen.len() * SEEN);
    for one in seen {
        packed.extend(one.id.as_bytes());
        packed.extend(one.context.to_be_bytes());
    }
    packed
}

pub(super) fn unpack_seen(seen: &[u8]) -> Result<Vec<Seen>, StoreError> {
    let damaged = || StoreError::Damaged("an unfinished instance without a hash".to_owned());
    let one = |bytes: &[u8]| {
        let (id, context) = bytes.split_at_checked(ID).ok_or_else(damaged)?;
        let context = context.try_into().map_err(|_| damaged())?;
        Ok(Seen { id: read_id(id)?, context: i32::from_be_bytes(context) })
    };
    seen.chunks(SEEN).map(one).collect()
}

/// Two numbers that order as ids do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Halves {
    pub(super) at: i32,
    pub(super) rest: i64,
}

impl Halves {
    pub(super) fn of(id: InstanceId) -> Self {
        let (at, rest) = id.as_bytes().split_first_chunk().expect("12 bytes begin with 4");
        let rest = rest.first_chunk().expect("12 bytes without 4 are 8");
        // The other way round, the lower half would count as negative.
        Self { at: i32::from_be_bytes(*at) ^ i32::MIN, rest: i64::from_be_bytes(*rest) ^ i64::MIN }
    }

    pub(super) fn id(self) -> InstanceId {
        let at = (self.at ^ i32::MIN).to_be_bytes();
        let rest = (self.rest ^ i64::MIN).to_be_bytes();
        InstanceId::from_bytes(&[&at[..], &rest[..]].concat()).expect("4 and 8 bytes are 12")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids() -> Vec<InstanceId> {
        let at = |seconds, byte, count| InstanceId::from_parts(seconds, [byte; 5], count);
        vec![
            at(0, 0, 0),
            at(0, 0x7f, 1),
            at(0, 0x80, 0),
            at(0x6afa_4780, 0xff, 0x00ff_ffff),
            at(0x7fff_ffff, 0, 0),
            at(0x8000_0000, 0, 0),
            at(u32::MAX, 0xff, 0x00ff_ffff),
        ]
    }

    #[test]
    fn halves_order_as_ids_and_come_back_as_what_they_were() {
        let halves: Vec<Halves> = ids().into_iter().map(Halves::of).collect();
        assert!(halves.is_sorted() && ids().is_sorted());
        assert_eq!(halves.into_iter().map(Halves::id).collect::<Vec<_>>(), ids());
        assert_eq!(Halves::of(ids()[5]), Halves { at: 0, rest: i64::MIN });
    }

    #[test]
    fn what_is_packed_is_unpacked_and_what_is_cut_short_is_damaged() {
        let packed = pack(&ids());
        assert_eq!((packed.len(), unpack(&packed).unwrap()), (7 * ID, ids()));
        assert!(unpack(&packed[1..]).is_err());
        let seen: Vec<Seen> = ids().into_iter().zip(-3..).map(|(id, context)| Seen { id, context }).collect();
        let packed = pack_seen(&seen);
        assert_eq!((packed.len(), unpack_seen(&packed).unwrap()), (7 * SEEN, seen));
        for short in [1, 4, 8] {
            assert!(unpack_seen(&packed[..packed.len() - short]).is_err(), "{short}");
        }
    }
}
