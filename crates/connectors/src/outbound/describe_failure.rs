//! What is known about a request that got no usable answer, and how that is told.
//!
//! The caller's question is always the same: may it be sent again? So the variants say how far
//! the request got, and the text is the reason alone.

use std::error::Error;
use std::io;

use super::resolve_permitted::NoPermittedAddress;
use crate::recording::without_secrets;

/// A call without a usable answer. `Display` gives the reason; [`call_failed`] makes the sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The URL, a header or the address is not one that is called. Trying again changes nothing.
    #[error("{0}")]
    Refused(String),
    /// No connection came about: the request was certainly not written.
    #[error("{0}")]
    NotSent(String),
    /// The request was, or may have been, written: it may have taken effect.
    #[error("{0}")]
    Unknown(String),
    /// The answer is larger than [`MAX_RESPONSE_BYTES`](super::MAX_RESPONSE_BYTES). The request
    /// took effect.
    #[error("The response is larger than 1 MiB")]
    TooLarge,
}

/// The text of a fault about a failed call (spec 2.17.6): `Call failed. {reason}: {METHOD} {url}`.
/// Credentials in the URL are left out, and so are the values of parameters whose names say that they are secrets;
/// faults are shown to more people than definitions are.
pub fn call_failed(error: &OutboundError, method: &str, url: &str) -> String {
    let shown = without_secrets(url);
    let shown = shown.as_deref().unwrap_or(url);
    format!("Call failed. {error}: {} {shown}", method.to_ascii_uppercase())
}

impl OutboundError {
    /// Its kind, for traces: nothing of what was called.
    pub(super) fn in_a_word(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::NotSent(_) => "not sent",
            Self::Unknown(_) => "unknown",
            Self::TooLarge => "too large",
        }
    }

    /// The error of one hop. After a redirect the first server has already had the request, so
    /// "not sent" is no longer true of the whole.
    pub(super) fn of_hop(error: &reqwest::Error, redirected: bool) -> Self {
        if let Some(refused) = causes(error).find_map(|cause| cause.downcast_ref::<NoPermittedAddress>()) {
            return Self::Refused(refused.to_string());
        }
        let reason = reason(error);
        if error.is_builder() {
            return Self::Refused(reason);
        }
        if error.is_connect() && !redirected { Self::NotSent(reason) } else { Self::Unknown(reason) }
    }
}

fn reason(error: &reqwest::Error) -> String {
    if let Some(detail) = causes(error).find_map(tls_detail) {
        return format!("The SSL connection could not be established: {detail}");
    }
    if error.is_dns() {
        return "The host name could not be resolved".to_owned();
    }
    if error.is_connect() && error.is_timeout() {
        return "No connection within 10 seconds".to_owned();
    }
    let hyper = causes(error).find_map(|cause| cause.downcast_ref::<hyper::Error>());
    if hyper.is_some_and(hyper::Error::is_incomplete_message) {
        return "The connection was closed before the response was complete".to_owned();
    }
    if hyper.is_some_and(hyper::Error::is_parse) {
        return "The response is not valid HTTP".to_owned();
    }
    match causes(error).find_map(innermost_io) {
        Some(io) => io_reason(io),
        None => causes(error).last().map_or_else(|| error.to_string(), ToString::to_string),
    }
}

/// Set when the handshake, and not the network under it, is what went wrong.
fn tls_detail(cause: &(dyn Error + 'static)) -> Option<String> {
    if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
        return Some(tls.to_string());
    }
    let io = innermost_io(cause)?;
    let inner = io.get_ref()?;
    let is_tls = inner.is::<rustls::Error>()
        || (io.kind() == io::ErrorKind::UnexpectedEof && inner.to_string().contains("tls"));
    is_tls.then(|| inner.to_string())
}

/// An IO error is wrapped into another one at every layer, where `source` does not look.
fn innermost_io<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    let mut innermost = cause.downcast_ref::<io::Error>()?;
    while let Some(inner) = innermost.get_ref().and_then(|inner| inner.downcast_ref::<io::Error>()) {
        innermost = inner;
    }
    Some(innermost)
}

fn io_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "Connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "Connection reset by peer".to_owned(),
        io::ErrorKind::ConnectionAborted => "Connection aborted".to_owned(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => "Connection closed by peer".to_owned(),
        io::ErrorKind::HostUnreachable => "No route to host".to_owned(),
        io::ErrorKind::NetworkUnreachable => "Network is unreachable".to_owned(),
        io::ErrorKind::TimedOut => "The connection timed out".to_owned(),
        _ => {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or_default().to_owned()
        }
    }
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}

#[cfg(test)]
mod tests {
    use super::{OutboundError, call_failed};

    #[test]
    fn a_failed_call_names_reason_method_and_url() {
        let error = OutboundError::NotSent("Connection refused".to_owned());
        assert_eq!(
            call_failed(&error, "post", "https://a.example/x?y=1"),
            "Call failed. Connection refused: POST https://a.example/x?y=1"
        );
    }

    #[test]
    fn secrets_of_the_url_are_not_shown() {
        assert_eq!(
            call_failed(&OutboundError::TooLarge, "GET", "https://a.example/x?y=1&access_token=hush&z"),
            "Call failed. The response is larger than 1 MiB: GET https://a.example/x?y=1&access_token=[redacted]&z"
        );
        assert_eq!(
            call_failed(&OutboundError::TooLarge, "GET", "https://user:secret@a.example/x"),
            "Call failed. The response is larger than 1 MiB: GET https://a.example/x"
        );
        assert_eq!(
            call_failed(&OutboundError::TooLarge, "GET", "not a url"),
            "Call failed. The response is larger than 1 MiB: GET not a url"
        );
    }
}
