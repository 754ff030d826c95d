//! What a webhook says has to fit into the database's columns and indexes.

use trunkline_workflow::strict_json::Malformed;

/// Ids and keys are indexed, and PostgreSQL indexes no more than about 2,700 bytes.
const MAX_KEY: usize = 1000;
/// Characters of a refused value that the answer repeats.
const SHOWN: usize = 40;

/// An id or a key.
pub(super) fn check_id(id: &str) -> Result<(), Malformed> {
    if id.len() > MAX_KEY {
        return Err(Malformed::whole(format!("the id `{}` is longer than {MAX_KEY} bytes", start_of(id))));
    }
    check_text(id)
}

/// PostgreSQL's text holds no NUL.
pub(super) fn check_text(text: &str) -> Result<(), Malformed> {
    if text.contains('\0') {
        return Err(Malformed::whole(format!("`{}` holds a NUL character", start_of(text))));
    }
    Ok(())
}

fn start_of(text: &str) -> String {
    let mut chars = text.chars().filter(|char| !char.is_control());
    let start: String = chars.by_ref().take(SHOWN).collect();
    if chars.next().is_some() { start + "…" } else { start }
}
