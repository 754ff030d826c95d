//! An application as clients see it, and as they describe it.

use serde::{Deserialize, Serialize};
use trunkline_store::applications::Application;
use utoipa::ToSchema;
use uuid::Uuid;

#[derive(Serialize, ToSchema)]
#[schema(as = Application)]
pub struct ApplicationView {
    id: Uuid,
    #[schema(example = "Parcel alerts")]
    name: String,
    keys: KeysView,
    capabilities: Capabilities,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ApplicationKeys)]
pub struct KeysView {
    /// PEM.
    #[schema(example = "-----BEGIN PUBLIC KEY-----\n…\n-----END PUBLIC KEY-----\n")]
    public_key: String,
    /// PEM. Told once, when the server made the key: it is not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key: Option<String>,
}

/// What an application is for.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = ApplicationCapabilities)]
pub struct Capabilities {
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<MessagesCapability>,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct MessagesCapability {
    webhooks: MessagesWebhooks,
}

/// Where the application is told things; where it has no address, the account's is called.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct MessagesWebhooks {
    /// Called with inbound messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    inbound_url: Option<MessagesWebhook>,
    /// Called with statuses of messages and final reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    status_url: Option<MessagesWebhook>,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct MessagesWebhook {
    #[schema(max_length = 2000, example = "https://shop.example/hooks/st")]
    address: String,
    /// `POST`.
    #[schema(example = "POST")]
    http_method: String,
}

/// For the OpenAPI document: what `ApplicationInput` reads.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewApplication)]
#[expect(dead_code, reason = "describes what `ApplicationInput` reads")]
pub struct ApplicationBody {
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    keys: Option<KeysBody>,
    capabilities: Option<Capabilities>,
}

/// For the OpenAPI document.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewApplicationKeys)]
#[expect(dead_code, reason = "describes what `ApplicationInput` reads")]
pub struct KeysBody {
    /// PEM: an RSA key of 2048 to 4096 bits, `BEGIN PUBLIC KEY` or `BEGIN RSA PUBLIC KEY`.
    public_key: Option<String>,
}

impl ApplicationView {
    pub fn new(application: Application) -> Self {
        let webhook = |address| MessagesWebhook { address, http_method: "POST".to_owned() };
        let urls = application.urls;
        let webhooks =
            MessagesWebhooks { inbound_url: urls.inbound.map(webhook), status_url: urls.status.map(webhook) };
        let has_webhooks = webhooks.inbound_url.is_some() || webhooks.status_url.is_some();
        Self {
            id: application.id,
            name: application.name,
            keys: KeysView { public_key: application.public_key, private_key: None },
            capabilities: Capabilities { messages: has_webhooks.then_some(MessagesCapability { webhooks }) },
        }
    }

    pub(super) fn with_private_key(mut self, pem: Option<String>) -> Self {
        self.keys.private_key = pem;
        self
    }
}
