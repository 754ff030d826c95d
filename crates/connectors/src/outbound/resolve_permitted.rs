//! Turns names into addresses and drops those that the policy refuses.
//!
//! The client connects to exactly what comes back from here. A name that answers differently the
//! second time (DNS rebinding) gains nothing: there is no second lookup between check and use.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address_policy::AddressPolicy;

pub(super) type Lookup =
    Arc<dyn Fn(String) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>> + Send + Sync>;

pub(super) struct PermittedResolver {
    pub(super) policy: Arc<AddressPolicy>,
    pub(super) lookup: Lookup,
}

/// The name exists, but none of its addresses may be called.
#[derive(Debug, thiserror::Error)]
#[error("`{host}` has no address that may be called from here")]
pub(super) struct NoPermittedAddress {
    host: String,
}

impl Resolve for PermittedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let policy = Arc::clone(&self.policy);
        let addresses = (self.lookup)(host.clone());
        Box::pin(async move {
            let mut permitted = addresses.await?;
            permitted.retain(|address| policy.permits(address.ip()));
            if permitted.is_empty() {
                return Err(NoPermittedAddress { host }.into());
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

/// The machine's own resolver.
pub(super) fn system_lookup() -> Lookup {
    Arc::new(|host| {
        Box::pin(async move {
            // The port is filled in by the connector.
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            if addresses.is_empty() {
                return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no addresses"));
            }
            Ok(addresses)
        })
    })
}
