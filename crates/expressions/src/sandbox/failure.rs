//! Why an evaluation has no results.

use std::io;

pub(super) enum Failure {
    /// Functions that were not sent are not here either.
    Missing,
    /// A script is at fault: the one of this call, or nobody knows which.
    Fault { detail: String, call: Option<usize> },
    /// A script was stopped at a limit, and the sandbox cannot be used any more.
    Limit { detail: String, call: Option<usize> },
    /// The parent is gone.
    Io(io::Error),
}

impl Failure {
    pub fn fault(detail: impl Into<String>) -> Failure {
        Failure::Fault { detail: detail.into(), call: None }
    }

    pub fn limit(detail: &(impl ToString + ?Sized)) -> Failure {
        Failure::Limit { detail: detail.to_string(), call: None }
    }

    /// The same, known to be of this call.
    pub fn of_call(mut self, at: usize) -> Failure {
        if let Failure::Fault { call, .. } | Failure::Limit { call, .. } = &mut self {
            *call = Some(at);
        }
        self
    }
}

impl From<rquickjs::Error> for Failure {
    fn from(error: rquickjs::Error) -> Failure {
        match error {
            rquickjs::Error::Allocation => Failure::limit(&error),
            other => Failure::fault(other.to_string()),
        }
    }
}
