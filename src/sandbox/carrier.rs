//! The sandbox itself: its settings and its memory.

use std::sync::{Arc, Mutex, MutexGuard};

use chrono::{DateTime, Utc};
use trunkline_connectors::clock::Clock;
use trunkline_connectors::outbound::{AddressPolicy, OutboundClient};

use super::outbox::Outbox;

/// Where the sandbox delivers to, and in whose name.
#[derive(Clone)]
pub struct SandboxConfig {
    /// The server's own endpoint for messages and receipts, account included.
    pub webhook_url: String,
    /// The `Authorization` header to call it with.
    pub webhook_authorization: Option<String>,
    pub account: String,
    /// The subaccount that incoming SMS belong to unless the request names another.
    pub sms_sub_account: String,
    /// Likewise for chat apps.
    pub chat_sub_account: String,
    pub clock: Clock,
}

/// The carrier. Clones are the same carrier.
#[derive(Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

struct Inner {
    config: SandboxConfig,
    outbox: Mutex<Outbox>,
    http: OutboundClient,
}

impl Sandbox {
    pub fn new(config: SandboxConfig) -> Self {
        // The webhook is the server on this machine.
        let http = OutboundClient::new(AddressPolicy { allow_private: true, allowed: Vec::new() });
        Self { inner: Arc::new(Inner { config, outbox: Mutex::default(), http }) }
    }

    pub(super) fn config(&self) -> &SandboxConfig {
        &self.inner.config
    }

    pub(super) fn http(&self) -> &OutboundClient {
        &self.inner.http
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        (self.inner.config.clock)()
    }

    pub(super) fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.inner.outbox.lock().expect("nothing panics while it holds the outbox")
    }
}
