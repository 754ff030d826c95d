//! What a webhook says has to fit into the database's columns and indexes.

/// Ids and keys are indexed, and PostgreSQL indexes no more than about 2,700 bytes.
const MAX_KEY: usize = 1000;

/// An id or a key.
pub(super) fn is_storable(text: &str) -> bool {
    text.len() <= MAX_KEY && is_text(text)
}

/// PostgreSQL's text holds no NUL.
pub(super) fn is_text(text: &str) -> bool {
    !text.contains('\0')
}
