//! Failures on demand, by the last digits of the destination.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Provoked {
    Refused(Fault),
    /// Answered with 200, and nothing is sent.
    Rejected,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    InvalidNumber,
    /// Only for the first attempt.
    TooManyRequests,
    InternalError,
}

pub(super) fn provoked_by(destination: &str) -> Option<Provoked> {
    [
        ("0400", Provoked::Refused(Fault::InvalidNumber)),
        ("0429", Provoked::Refused(Fault::TooManyRequests)),
        ("0500", Provoked::Refused(Fault::InternalError)),
        ("0999", Provoked::Rejected),
    ]
    .into_iter()
    .find_map(|(ending, provoked)| destination.trim_end().ends_with(ending).then_some(provoked))
}
