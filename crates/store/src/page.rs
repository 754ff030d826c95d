//! Slices of lists.

/// A slice of a list: at most `limit` items after the first `offset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    pub limit: i64,
    pub offset: i64,
}

/// A slice whose items may be large: five hundred of a MiB. What is there of it, and by what the items behind that are
/// asked for, one by one and in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T, K> {
    pub here: Vec<T>,
    pub left: Vec<K>,
}

/// Bytes of what is there.
pub(crate) const HERE: i64 = 1 << 20;
