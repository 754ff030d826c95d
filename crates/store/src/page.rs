//! Slices of lists.

/// A slice of a list: at most `limit` items after the first `offset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    pub limit: i64,
    pub offset: i64,
}

/// An item of a list of large items: by what it is asked for, and the bytes of its texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed<K> {
    pub key: K,
    pub bytes: i64,
}
