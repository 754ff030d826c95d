//! Why a request was refused (Dispatch 5, 7.1).

use serde::Serialize;

use crate::strict_json::Malformed;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// No JSON, or no object.
    #[error(transparent)]
    InvalidJson(#[from] Malformed),
    /// In the order of the body; what is missing comes after what is there.
    #[error("{} of the parameters are invalid", .0.len())]
    InvalidParameters(Vec<InvalidParameter>),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InvalidParameter {
    /// As in `workflow[0].failover.expiry_time`.
    pub name: String,
    /// To be read after the name.
    pub reason: String,
}
