//! Where a page ends, as clients hand it back. What is in it is nobody's business.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use trunkline_workflow::InstanceId;

/// Of the form below; another one may come.
const FORM: u8 = 1;

pub(super) fn write(last: InstanceId) -> String {
    URL_SAFE_NO_PAD.encode([&[FORM], &last.as_bytes()[..]].concat())
}

pub(super) fn read(cursor: &str) -> Option<InstanceId> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (form, id) = bytes.split_first()?;
    if *form == FORM { InstanceId::from_bytes(id).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let id: InstanceId = "66b1f0c2a94d5e0f1c2b3a4d".parse().unwrap();
        assert_eq!(read(&write(id)), Some(id));
        for wrong in ["", "x", "66b1f0c2a94d5e0f1c2b3a4d", "AmaxAA", "AQ", "AWax8MKpTV4PHCs6TQ=="] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
