//! The one outbound HTTP client: every call that leaves the process goes through
//! [`OutboundClient::send`].
//!
//! What it guarantees: an address that the [`AddressPolicy`] refuses is never connected to,
//! however it is spelled and whatever a name or a redirect says; a request ends within its
//! timeout; no more than 1 MiB of an answer is read; and an error says whether the request may
//! have taken effect.

mod address_policy;
mod describe_failure;
mod follow_redirect;
mod parse_json_body;
mod resolve_permitted;
mod retry_after;
mod send_request;

pub use address_policy::{AddressPolicy, parse_network};
pub use describe_failure::{OutboundError, call_failed};
pub use ipnet::IpNet;
pub use parse_json_body::parse_json_body;
pub use send_request::{
    MAX_RESPONSE_BYTES, Observer, OutboundClient, OutboundRequest, OutboundResponse, Traces,
};
