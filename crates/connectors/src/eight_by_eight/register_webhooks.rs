//! What an operator tells the platform so that its webhooks reach us (spec 7.9): calls to be made
//! with the platform's key, as plain data to be shown.

use std::fmt;

use serde_json::{Value, json};

use super::config::{Settings, VoiceApi};
use super::product::Product;
use super::sub_account::sub_account_path;

/// Where the platform is to report to.
#[derive(Clone, Copy)]
pub struct OurWebhooks<'a> {
    /// Of our server, as the platform reaches it: `https://automation.example.com`.
    pub base_url: &'a str,
    pub account: &'a str,
    /// The whole value of the `Authorization` header that we expect.
    pub secret: &'a str,
    /// The account's id on the platform, or a word for it.
    pub platform_account: &'a str,
    /// The subaccount that calls, or a word for it: voice webhooks are registered one by one.
    pub sub_account: &'a str,
}

impl fmt::Debug for OurWebhooks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OurWebhooks")
            .field("base_url", &self.base_url)
            .field("account", &self.account)
            .field("platform_account", &self.platform_account)
            .field("sub_account", &self.sub_account)
            .finish_non_exhaustive()
    }
}

/// One call that registers webhooks.
#[derive(Clone, PartialEq, Eq)]
pub struct Registration {
    pub product: Product,
    pub method: &'static str,
    pub url: String,
    /// With our secret in it.
    pub body: Value,
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("product", &self.product)
            .field("method", &self.method)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// Messages and receipts of all subaccounts, and the call events of one.
///
/// The first generation of the voice API has no webhooks to be registered: every call brings its
/// `dtmfCallbackUrl` along.
pub fn register_webhooks(settings: &Settings, ours: &OurWebhooks<'_>) -> Vec<Registration> {
    let url = |kind: &str| {
        let base = ours.base_url.trim_end_matches('/');
        format!("{base}/webhooks/v1/accounts/{}/{kind}", ours.account)
    };
    let message = |kind: Option<&str>| {
        let mut webhook = json!({"subAccountId": "*", "url": url("messages"), "enabled": true,
            "httpAuthorization": ours.secret});
        if let Some(kind) = kind {
            webhook["type"] = json!(kind);
        }
        webhook
    };
    let account_webhooks = |product, host: &str, body| Registration {
        product,
        method: "POST",
        url: format!("{host}/api/v1/accounts/{}/webhooks", ours.platform_account),
        body,
    };
    let mut registrations = vec![
        account_webhooks(Product::Sms, settings.sms_url(), json!([message(None)])),
        account_webhooks(
            Product::ChatApps,
            settings.chat_apps_url(),
            json!([message(Some("MSG")), message(Some("CADR"))]),
        ),
    ];
    if settings.voice_api == VoiceApi::Callflows {
        registrations.extend(["VCA", "VSS", "VCS"].map(|kind| Registration {
            product: Product::Voice,
            method: "POST",
            url: format!("{}{}", settings.voice_url(), sub_account_path(ours.sub_account, "webhooks")),
            body: json!({"type": kind, "url": url("voice"), "httpAuthHeader": ours.secret, "enabled": true}),
        }));
    }
    registrations
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{OurWebhooks, register_webhooks};
    use crate::eight_by_eight::{EightByEightSettings, Product, Region, VoiceApi};

    const OURS: OurWebhooks<'_> = OurWebhooks {
        base_url: "https://automation.example.com/",
        account: "acme",
        secret: "s-1",
        platform_account: "{platformAccountId}",
        sub_account: "acme_voice",
    };

    #[test]
    fn every_product_is_told_where_to_report_and_with_which_header() {
        let settings = EightByEightSettings { region: Region::Europe, ..EightByEightSettings::default() };
        let registrations = register_webhooks(&settings, &OURS);
        assert!(registrations.iter().all(|registration| registration.method == "POST"));
        let written: Vec<_> = registrations
            .into_iter()
            .map(|registration| (registration.product, registration.url, registration.body))
            .collect();
        let messages = "https://automation.example.com/webhooks/v1/accounts/acme/messages";
        let voice = "https://automation.example.com/webhooks/v1/accounts/acme/voice";
        let voice_host = "https://voice.8x8.com/api/v1/subaccounts/acme_voice/webhooks".to_owned();
        assert_eq!(
            written,
            [
                (
                    Product::Sms,
                    "https://sms.8x8.uk/api/v1/accounts/{platformAccountId}/webhooks".to_owned(),
                    json!([{"subAccountId": "*", "url": messages, "enabled": true, "httpAuthorization": "s-1"}]),
                ),
                (
                    Product::ChatApps,
                    "https://chatapps.8x8.uk/api/v1/accounts/{platformAccountId}/webhooks".to_owned(),
                    json!([
                        {"subAccountId": "*", "url": messages, "enabled": true, "httpAuthorization": "s-1",
                            "type": "MSG"},
                        {"subAccountId": "*", "url": messages, "enabled": true, "httpAuthorization": "s-1",
                            "type": "CADR"},
                    ]),
                ),
                (
                    Product::Voice,
                    voice_host.clone(),
                    json!({"type": "VCA", "url": voice, "httpAuthHeader": "s-1", "enabled": true}),
                ),
                (
                    Product::Voice,
                    voice_host.clone(),
                    json!({"type": "VSS", "url": voice, "httpAuthHeader": "s-1", "enabled": true}),
                ),
                (
                    Product::Voice,
                    voice_host,
                    json!({"type": "VCS", "url": voice, "httpAuthHeader": "s-1", "enabled": true}),
                ),
            ]
        );
    }

    #[test]
    fn the_first_voice_api_has_nothing_to_register() {
        let settings = EightByEightSettings { voice_api: VoiceApi::Calls, ..EightByEightSettings::default() };
        let products: Vec<_> = register_webhooks(&settings, &OURS).into_iter().map(|r| r.product).collect();
        assert_eq!(products, [Product::Sms, Product::ChatApps]);
    }

    #[test]
    fn a_subaccount_is_encoded_for_the_path_and_a_word_for_it_stays() {
        for (sub_account, written) in [("acme&co.sg", "acme%26co.sg"), ("{SUBACCOUNT}", "{SUBACCOUNT}")] {
            let ours = OurWebhooks { sub_account, ..OURS };
            let registrations = register_webhooks(&EightByEightSettings::default(), &ours);
            let url = format!("https://voice.8x8.com/api/v1/subaccounts/{written}/webhooks");
            assert_eq!(registrations.iter().filter(|registration| registration.url == url).count(), 3);
        }
    }

    #[test]
    fn the_secret_is_not_in_the_debug_output() {
        let registrations = register_webhooks(&EightByEightSettings::default(), &OURS);
        let shown = format!("{OURS:?} {registrations:?}");
        assert!(shown.contains("acme_voice/webhooks") && !shown.contains("s-1"), "{shown}");
    }
}
