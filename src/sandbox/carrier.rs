//! The sandbox itself: its settings and its memory.

use std::sync::{Arc, Mutex, MutexGuard};

use chrono::{DateTime, Utc};
use trunkline_connectors::clock::Clock;
use trunkline_connectors::outbound::{AddressPolicy, OutboundClient};

use super::calls::Calls;
use super::outbox::Outbox;
use super::own_service::ServiceRequests;

/// Where the sandbox delivers to, and in whose name.
#[derive(Clone)]
pub struct SandboxConfig {
    /// The server's own endpoint for messages and receipts, account included. The others are next to
    /// it: for calls `/voice` instead of `/messages`, for the Messages API `/message-status` and
    /// `/inbound-message`.
    pub webhook_url: String,
    /// The `Authorization` header to call it with.
    pub webhook_authorization: Option<String>,
    pub account: String,
    /// The subaccount that incoming SMS belong to unless the request names another.
    pub sms_sub_account: String,
    /// Likewise for chat apps.
    pub chat_sub_account: String,
    /// Where a call's own `dtmfCallbackUrl` may lead: an author wrote it, as he wrote the URLs of his
    /// HTTP steps.
    pub callback_policy: AddressPolicy,
    pub clock: Clock,
}

impl SandboxConfig {
    /// The server's own endpoint for events of calls.
    pub fn voice_webhook_url(&self) -> String {
        self.webhook_url_of("voice")
    }

    /// One of the server's own endpoints. A URL that does not end in `/messages` takes everything.
    pub(super) fn webhook_url_of(&self, name: &str) -> String {
        match self.webhook_url.strip_suffix("/messages") {
            Some(account) => format!("{account}/{name}"),
            None => self.webhook_url.clone(),
        }
    }
}

/// The carrier. Clones are the same carrier.
#[derive(Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

struct Inner {
    config: SandboxConfig,
    outbox: Mutex<Outbox>,
    calls: Mutex<Calls>,
    service_requests: Mutex<ServiceRequests>,
    webhooks: OutboundClient,
    callbacks: OutboundClient,
}

impl Sandbox {
    pub fn new(config: SandboxConfig) -> Self {
        // The webhook is the server on this machine.
        let webhooks = OutboundClient::new(AddressPolicy { allow_private: true, allowed: Vec::new() });
        let callbacks = OutboundClient::new(config.callback_policy.clone());
        let inner = Inner {
            config,
            outbox: Mutex::default(),
            calls: Mutex::default(),
            service_requests: Mutex::default(),
            webhooks,
            callbacks,
        };
        Self { inner: Arc::new(inner) }
    }

    pub(super) fn config(&self) -> &SandboxConfig {
        &self.inner.config
    }

    /// Calls the server's own webhooks.
    pub(super) fn webhooks(&self) -> &OutboundClient {
        &self.inner.webhooks
    }

    /// Calls URLs that authors wrote.
    pub(super) fn callbacks(&self) -> &OutboundClient {
        &self.inner.callbacks
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        (self.inner.config.clock)()
    }

    pub(super) fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.inner.outbox.lock().expect("nothing panics while it holds the outbox")
    }

    pub(super) fn calls(&self) -> MutexGuard<'_, Calls> {
        self.inner.calls.lock().expect("nothing panics while it holds the calls")
    }

    pub(super) fn service_requests(&self) -> MutexGuard<'_, ServiceRequests> {
        self.inner.service_requests.lock().expect("nothing panics while it holds the requests")
    }
}
