//! The address to listen on, from what was typed: `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`.

use std::net::SocketAddr;

use crate::cli::error::CliError;

/// A name has to mean this machine by all of its addresses: what it means to others is not ours to know. Of
/// several addresses the IPv4 one is taken.
pub(super) async fn resolve_loopback(typed: &str) -> Result<SocketAddr, CliError> {
    let bad = |source| CliError::BadAddress { typed: typed.to_owned(), source };
    let mut addresses: Vec<SocketAddr> = tokio::net::lookup_host(typed).await.map_err(bad)?.collect();
    if !addresses.iter().all(|address| address.ip().is_loopback()) {
        return Err(CliError::NotLoopback(typed.to_owned()));
    }
    addresses.sort_by_key(SocketAddr::is_ipv6);
    addresses.first().copied().ok_or_else(|| bad(std::io::ErrorKind::NotFound.into()))
}

#[cfg(test)]
mod tests {
    use super::{CliError, resolve_loopback};

    #[tokio::test]
    async fn names_and_addresses_of_this_machine_are_taken() {
        for (typed, address) in
            [("127.0.0.1:1", "127.0.0.1:1"), ("127.1.2.3:0", "127.1.2.3:0"), ("[::1]:2", "[::1]:2")]
        {
            assert_eq!(resolve_loopback(typed).await.unwrap().to_string(), address);
        }
        let named = resolve_loopback("localhost:8080").await.unwrap();
        assert!(named.ip().is_loopback() && named.port() == 8080, "{named}");
    }

    #[tokio::test]
    async fn all_others_are_refused() {
        for typed in ["0.0.0.0:0", "192.0.2.1:80", "[::]:0"] {
            assert!(matches!(resolve_loopback(typed).await, Err(CliError::NotLoopback(_))), "{typed}");
        }
        for typed in ["", "8080", "localhost", "localhost:http", "[::1]", "no-such-host.invalid:80"] {
            assert!(matches!(resolve_loopback(typed).await, Err(CliError::BadAddress { .. })), "{typed}");
        }
    }
}
