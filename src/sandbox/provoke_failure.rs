//! Failures on demand, by the last digits of the destination.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Provoked {
    InvalidNumber,
    TooManyRequests,
    InternalError,
    Rejected,
}

pub(super) fn provoked_by(destination: &str) -> Option<Provoked> {
    [
        ("0400", Provoked::InvalidNumber),
        ("0429", Provoked::TooManyRequests),
        ("0500", Provoked::InternalError),
        ("0999", Provoked::Rejected),
    ]
    .into_iter()
    .find_map(|(ending, provoked)| destination.trim_end().ends_with(ending).then_some(provoked))
}
