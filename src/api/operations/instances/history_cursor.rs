//! Where a page of an instance's history ends.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use trunkline_store::history::HistoryMark;

/// Of the form below; another one may come.
const FORM: u8 = 1;

pub(super) fn write(last: HistoryMark) -> String {
    let mut bytes = vec![FORM];
    bytes.extend(last.at.timestamp_micros().to_be_bytes());
    bytes.extend(last.kind.to_be_bytes());
    bytes.extend(last.id.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn read(cursor: &str) -> Option<HistoryMark> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (form, rest) = bytes.split_first()?;
    let (at, rest) = rest.split_first_chunk()?;
    let (kind, rest) = rest.split_first_chunk()?;
    let (id, rest) = rest.split_first_chunk()?;
    let at = DateTime::from_timestamp_micros(i64::from_be_bytes(*at))?;
    // What a database can hold.
    let is_possible = *form == FORM && rest.is_empty() && (0..=253_402_300_799).contains(&at.timestamp());
    is_possible.then_some(HistoryMark { at, kind: i16::from_be_bytes(*kind), id: i64::from_be_bytes(*id) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let mark = HistoryMark {
            at: DateTime::from_timestamp_micros(1_770_091_446_789_012).unwrap(),
            kind: 2,
            id: 17,
        };
        assert_eq!(read(&write(mark)), Some(mark));
        let beyond = HistoryMark { at: DateTime::from_timestamp_micros(-1).unwrap(), ..mark };
        for wrong in ["", "x", "AQ", &write(beyond), &format!("{}AA", write(mark))] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
