//! Whether a key works, found out by reading something that costs nothing and changes nothing:
//! a message that cannot exist, and the list of voice webhooks.

use std::fmt;
use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use super::config::{EightByEight, VoiceApi};
use super::product::Product;
use super::sub_account::{is_sub_account_id, sub_account_url};
use super::wire::text;
use crate::outbound::{OutboundClient, OutboundRequest, OutboundResponse, call_failed};

/// Somebody waits for it at a terminal.
const CHECK_TIMEOUT: Duration = Duration::from_secs(15);

/// Codes of the platform (spec 2.17.2).
const INVALID_PARAMETER: i64 = 1000;
const ILLEGAL_SUB_ACCOUNT: i64 = 1001;
const INVALID_ID: i64 = 1008;
const NOT_FOUND: i64 = 1300;
const UMID_MISSING: i64 = 3029;

/// What a product said to the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    Works,
    /// The key is not good, or not for this. The platform's own words.
    Refused {
        message: String,
    },
    /// The key is good and the subaccount is not the key's.
    UnknownSubAccount {
        message: String,
    },
    /// Nothing can be said: no answer, or none that is known.
    Unclear {
        message: String,
    },
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Works => f.write_str("works"),
            Self::Refused { message } => write!(f, "the key is refused: {message}"),
            Self::UnknownSubAccount { message } => write!(f, "the subaccount is not known: {message}"),
            Self::Unclear { message } => f.write_str(message),
        }
    }
}

/// Asks every product, at the same time. Sends no message and places no call.
pub async fn check_access(
    client: &OutboundClient,
    config: &EightByEight,
    subaccount: &str,
) -> Vec<(Product, Access)> {
    let subaccount = subaccount.trim();
    let (sms, chat_apps, voice) = tokio::join!(
        check(client, config, Product::Sms, subaccount),
        check(client, config, Product::ChatApps, subaccount),
        check(client, config, Product::Voice, subaccount),
    );
    vec![(Product::Sms, sms), (Product::ChatApps, chat_apps), (Product::Voice, voice)]
}

async fn check(client: &OutboundClient, config: &EightByEight, product: Product, subaccount: &str) -> Access {
    if !is_sub_account_id(subaccount) {
        let message = format!(
            "`{subaccount}` cannot be one; they have 3 to 50 letters, digits and characters of `-._&`"
        );
        return Access::UnknownSubAccount { message };
    }
    let resource = match product {
        Product::Sms | Product::ChatApps => format!("messages/{}", Uuid::nil()),
        Product::Voice if config.voice_api == VoiceApi::Calls => {
            let message = "the `calls` API has nothing that can be read without placing a call".to_owned();
            return Access::Unclear { message };
        }
        Product::Voice => "webhooks".to_owned(),
    };
    let url = sub_account_url(config, product, subaccount, &resource);
    let request = OutboundRequest {
        method: "GET".to_owned(),
        url: url.clone(),
        headers: vec![
            ("Authorization".to_owned(), config.authorization()),
            ("Accept".to_owned(), "application/json".to_owned()),
        ],
        body: None,
        timeout: CHECK_TIMEOUT,
        follow_redirects: false,
    };
    match client.send(request).await {
        Ok(response) => read_access(product, &response),
        Err(error) => Access::Unclear { message: call_failed(&error, "GET", &url) },
    }
}

fn read_access(product: Product, response: &OutboundResponse) -> Access {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let code =
        ["code", "statusCode"].into_iter().find_map(|name| text(&body[name])?.trim().parse::<i64>().ok());
    let said = ["message", "statusMessage"].into_iter().find_map(|name| text(&body[name]));
    let message =
        said.unwrap_or_else(|| format!("HTTP {} {}", response.status, response.reason).trim_end().to_owned());
    match (response.status, product) {
        (401 | 403, _) => Access::Refused { message },
        (200..=299, _) if is_the_platforms(product, &body) => Access::Works,
        (_, _) if code == Some(ILLEGAL_SUB_ACCOUNT) => Access::UnknownSubAccount { message },
        // The voice API's word for a subaccount that is not the key's (spec 2.17.3).
        (404, Product::Voice) if code == Some(404) => Access::UnknownSubAccount { message },
        // It looked for the message, so it knew the key and the subaccount.
        (404, Product::Sms | Product::ChatApps) if code == Some(NOT_FOUND) => Access::Works,
        (400, Product::Sms | Product::ChatApps) if is_about_umid(code, &message) => Access::Works,
        _ => Access::Unclear { message: format!("the answer is not one that is known: {message}") },
    }
}

/// Any server may say 200 to anything: whether this is what was asked for.
fn is_the_platforms(product: Product, body: &Value) -> bool {
    match product {
        Product::Sms | Product::ChatApps => body["umid"].is_string(),
        Product::Voice => {
            body.as_array().is_some_and(|webhooks| webhooks.iter().all(|webhook| webhook["type"].is_string()))
        }
    }
}

fn is_about_umid(code: Option<i64>, message: &str) -> bool {
    match code {
        Some(INVALID_ID | UMID_MISSING) => true,
        Some(INVALID_PARAMETER) => message.to_lowercase().contains("umid"),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
