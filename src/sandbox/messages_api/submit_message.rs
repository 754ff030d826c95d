//! The platform's own endpoints: a worker hands a message in.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use trunkline_connectors::eight_by_eight::wire::write_timestamp;
use trunkline_connectors::messages_api::Version;
use uuid::Uuid;

use super::check_access::has_credentials;
use super::check_message::{Checked, check_message};
use super::problem::Problem;
use super::statuses_that_follow::statuses_that_follow;
use super::tell_status::tell_later;
use crate::sandbox::carrier::Sandbox;
use crate::sandbox::memory::{Endpoint, Reception, RequestKey};
use crate::sandbox::outbox::{Outbox, OutboxMessage, Product};
use crate::sandbox::provoke_failure::provoked_by;

pub(in crate::sandbox) async fn submit_v0_1(
    State(sandbox): State<Sandbox>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), Problem> {
    submit(&sandbox, Version::V0_1, &headers, &body)
}

pub(in crate::sandbox) async fn submit_v1(
    State(sandbox): State<Sandbox>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), Problem> {
    submit(&sandbox, Version::V1, &headers, &body)
}

fn submit(
    sandbox: &Sandbox,
    version: Version,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(StatusCode, Json<Value>), Problem> {
    if !has_credentials(headers) {
        return Err(Problem::unauthorized(version));
    }
    let checked = check_message(version, body)?;
    let (channel, recipient) = (checked.message.channel, checked.message.recipient().to_owned());
    let umid = take(sandbox, version, checked)?;
    tell_later(sandbox, umid, statuses_that_follow(channel, &recipient));
    Ok((StatusCode::ACCEPTED, Json(json!({"message_uuid": umid}))))
}

fn take(sandbox: &Sandbox, version: Version, checked: Checked) -> Result<Uuid, Problem> {
    let Checked { request, message } = checked;
    let recipient = message.recipient();
    let attempts = RequestKey {
        endpoint: Endpoint::Messages,
        // There are none on this wire.
        sub_account_id: String::new(),
        id: message.client_ref.as_deref().unwrap_or(recipient).to_owned(),
    };
    let mut outbox = sandbox.outbox();
    if let Reception::Refused(fault) = outbox.receive(None, &attempts, provoked_by(recipient)) {
        let field = match version {
            Version::V0_1 if message.to.get("number").is_some() => "to.number",
            Version::V0_1 => "to.id",
            Version::V1 => "to",
        };
        return Err(Problem::provoked(version, fault, field));
    }
    let umid = Uuid::new_v4();
    let content = message.message["content"].clone();
    let message = OutboxMessage {
        umid,
        product: Product::Messages,
        version: Some(version),
        channel: message.channel.as_str().to_owned(),
        sub_account_id: None,
        destination: recipient.to_owned(),
        body: content["text"].as_str().map(str::to_owned),
        content,
        request,
        idempotency_key: None,
        client_message_id: None,
        status: "queued".to_owned(),
        sent_at: write_timestamp(sandbox.now()),
        attempts: 1,
        deliveries: 1 + sent_before(&outbox, message.client_ref.as_deref()),
        client_ref: message.client_ref,
        answer: Value::Null,
        last_status: Value::Null,
    };
    outbox.add(message, None, &attempts);
    Ok(umid)
}

/// Messages that were sent under this reference.
fn sent_before(outbox: &Outbox, client_ref: Option<&str>) -> u32 {
    let Some(client_ref) = client_ref else { return 0 };
    let last = outbox.newest_first().find(|message| message.client_ref.as_deref() == Some(client_ref));
    last.map_or(0, |message| message.deliveries)
}
