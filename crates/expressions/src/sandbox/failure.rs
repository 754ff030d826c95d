//! Why an evaluation has no results.

use std::io;

pub(super) enum Failure {
    /// Functions that were not sent are not here either.
    Missing,
    /// The script is at fault.
    Fault(String),
    /// The script was stopped at a limit, and the sandbox cannot be used any more.
    Limit { detail: String, slow: bool },
    /// The parent is gone.
    Io(io::Error),
}

impl Failure {
    pub fn limit(detail: &(impl ToString + ?Sized)) -> Failure {
        Failure::Limit { detail: detail.to_string(), slow: false }
    }
}

impl From<rquickjs::Error> for Failure {
    fn from(error: rquickjs::Error) -> Failure {
        match error {
            rquickjs::Error::Allocation => Failure::limit(&error),
            other => Failure::Fault(other.to_string()),
        }
    }
}
