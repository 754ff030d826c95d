//! What this sandbox is set up for, so that a console can fill in its forms.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::carrier::Sandbox;

pub(super) async fn describe(State(sandbox): State<Sandbox>) -> Json<Value> {
    let config = sandbox.config();
    Json(json!({
        "account": config.account,
        "smsSubAccount": config.sms_sub_account,
        "chatSubAccount": config.chat_sub_account,
        "webhookUrl": config.webhook_url,
        "voiceWebhookUrl": config.voice_webhook_url(),
        "messageStatusWebhookUrl": config.webhook_url_of("message-status"),
        "inboundMessageWebhookUrl": config.webhook_url_of("inbound-message"),
    }))
}
