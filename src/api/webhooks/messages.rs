//! `POST /webhooks/v1/accounts/{accountId}/messages`: SMS and chat apps (spec 7.1–7.5, 7.8).
//!
//! ```text
//! message ─► written down once ─► waits that it answers ─► definitions that it triggers ─► 200
//! receipt ─► last state of the sent message ─► the same ───────────────────────────────► 200
//!         └► of a message of the Workflows API: a status of it ────────────────────────► 200
//! anything else ───────────────────────────────────────────────────────────────────────► 200
//! ```
//!
//! Only what we cannot read is refused: a refusal makes the platform send the same thing again.

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Map, Value};
use trunkline_connectors::correlation::receipt_key;
use trunkline_connectors::eight_by_eight::inbound::{self, Inbound, InboundMessage};
use trunkline_connectors::eight_by_eight::receipt::Receipt;
use trunkline_connectors::messages_api::{ReceiptStatus, status_of_receipt};
use trunkline_store::dispatches::Change;
use trunkline_store::events::{EventKind, Incoming, Recipients};
use trunkline_store::messages;
use trunkline_workflow::strict_json::Malformed;
use trunkline_workflow::{AccountId, Trigger};
use uuid::Uuid;

use super::credentials::Registered;
use super::message_status::{refusal_of, status_of};
use super::storable::{check_id, check_text};
use crate::api::body::Body;
use crate::api::error::{ApiError, BodyErrors, ErrorBody};
use crate::api::state::{ApiState, SmsAliases};

/// Receive a message event
///
/// Called by the messaging platform for inbound messages and delivery receipts. Each event takes effect
/// once, however often it is delivered; unknown events are accepted and left alone.
#[utoipa::path(
    post,
    path = "/webhooks/v1/accounts/{accountId}/messages",
    operation_id = "receive-message-event",
    tag = "Webhooks",
    security(("webhookAuthorization" = [])),
    params(Registered),
    request_body(
        content = Object,
        description = "The platform's event: `namespace`, `eventType`, `payload`.",
        example = json!({"namespace": "SMS", "eventType": "inbound_message_received", "payload": {
            "umid": "5f0c1d7e-2b34-4f0e-8a55-0a4b6e1c9d21", "subAccountId": "acme_sms",
            "timestamp": "2026-02-03T04:05:06.117Z", "source": "+6590001111", "destination": "+6580002222",
            "body": "hi"}})
    ),
    responses(
        (status = 200, description = "Stored, known already, or of no concern."),
        (status = 400, description = "The body is no JSON object, or an event without `payload`.",
         body = ErrorBody),
        (status = 401, description = "The `Authorization` value is not the account's, or the caller's address is not allowed.", body = ErrorBody),
        (status = 500, description = "A defect of ours.", body = ErrorBody),
        (status = 503, description = "The database is not available.", body = ErrorBody),
        BodyErrors,
    )
)]
pub async fn receive(
    State(state): State<ApiState>,
    Registered(account): Registered,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let body = body.webhook_json()?;
    match inbound::parse(&body).map_err(|error| Malformed::whole(error.to_string()))? {
        Inbound::Message(message) => take_message(&state, account, message, body).await?,
        Inbound::Receipt(receipt) => take_receipt(&state, account, receipt, body).await?,
        Inbound::Ignored { reason } => {
            tracing::debug!(account.id = %account, reason, "a webhook was ignored");
        }
    }
    Ok(StatusCode::OK)
}

async fn take_message(
    state: &ApiState,
    account: AccountId,
    message: InboundMessage,
    mut body: Value,
) -> Result<(), ApiError> {
    let keys = message.reply_keys();
    let names = keys.iter().chain([&message.dedupe_key]).chain(&message.sub_account_id);
    names.into_iter().try_for_each(|name| check_id(name))?;
    if message.trigger == Trigger::InboundSms && state.config.sms_aliases == SmsAliases::Added {
        add_aliases(&mut body);
    }
    let received = state
        .store
        .receive(Incoming {
            account: account.clone(),
            dedupe_key: message.dedupe_key,
            kind: EventKind::Message(message.trigger),
            subaccount: message.sub_account_id.clone(),
            keys,
            body,
            received_at: (state.clock)(),
            recipients: state.config.recipients,
            callback: None,
        })
        .await?;
    if received.resumed.is_empty() && received.started.is_empty() && !received.duplicate {
        // Also how a subaccount shows that no definition knows (C-239).
        let subaccount = message.sub_account_id.unwrap_or_default();
        tracing::info!(account.id = %account, subaccount.id = subaccount, "a message was of use to nobody");
    }
    Ok(())
}

/// Where chat messages have their text and sender, for definitions written when SMS had them there too (U-41).
fn add_aliases(body: &mut Value) {
    let Some(payload) = body.get_mut("payload").and_then(Value::as_object_mut) else { return };
    for (at, member, from) in [("content", "text", "body"), ("user", "msisdn", "source")] {
        let Some(value) = payload.get(from).cloned() else { continue };
        if let Value::Object(members) = payload.entry(at).or_insert_with(|| Value::Object(Map::new())) {
            members.entry(member).or_insert(value);
        }
    }
}

async fn take_receipt(
    state: &ApiState,
    account: AccountId,
    receipt: Receipt,
    body: Value,
) -> Result<(), ApiError> {
    let optional = [&receipt.detail, &receipt.error_message, &receipt.sub_account_id].into_iter().flatten();
    [&receipt.umid, &receipt.dedupe_key].into_iter().try_for_each(|id| check_id(id))?;
    [&receipt.channel, &receipt.state].into_iter().chain(optional).try_for_each(|text| check_text(text))?;
    let now = (state.clock)();
    let id = receipt.umid.to_lowercase();
    if let Some(message) = find_workflow_message(state, &account, &receipt).await? {
        return take_status(state, &account, message, &receipt).await;
    }
    let incoming = Incoming {
        account,
        dedupe_key: receipt.dedupe_key,
        subaccount: receipt.sub_account_id,
        keys: vec![receipt_key(&id)],
        kind: EventKind::Receipt {
            receipt: messages::Receipt {
                id,
                channel: Some(receipt.channel).filter(|channel| !channel.is_empty()),
                state: receipt.state,
                rank: receipt.rank.into(),
                detail: receipt.detail,
                error_code: receipt.error_code.and_then(|code| i32::try_from(code).ok()),
                error_message: receipt.error_message,
                changed_at: receipt.timestamp.unwrap_or(now),
            },
            trigger: Some(Trigger::DeliveryReceipt),
        },
        body,
        received_at: now,
        recipients: Recipients::All,
        callback: None,
    };
    state.store.receive(incoming).await?;
    Ok(())
}

/// The SMS of a workflow of the Workflows API that went this way, by the reference that we gave it, else by the
/// platform's id.
async fn find_workflow_message(
    state: &ApiState,
    account: &AccountId,
    receipt: &Receipt,
) -> Result<Option<Uuid>, ApiError> {
    Ok(match &receipt.client_message_id {
        Some(reference) => match Uuid::parse_str(reference.trim()) {
            Ok(message) if state.store.is_workflow_message(account, message).await? => Some(message),
            Ok(_) | Err(_) => None,
        },
        None => state.store.find_by_provider_id(account, &receipt.umid.to_lowercase()).await?,
    })
}

async fn take_status(
    state: &ApiState,
    account: &AccountId,
    message: Uuid,
    receipt: &Receipt,
) -> Result<(), ApiError> {
    let Some(ReceiptStatus { status, error }) = status_of_receipt(receipt) else {
        tracing::debug!(account.id = %account, message.id = %message, "a receipt says nothing");
        return Ok(());
    };
    let change = Change {
        status: status_of(status),
        refusal: error.map(refusal_of),
        usage: None,
        provider_id: None,
        at: receipt.timestamp.unwrap_or_else(state.clock),
    };
    let key = receipt_key(&message.to_string());
    state.store.change_status(account, (message, key), &change).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn aliases_are_added_where_nothing_stands() {
        let mut body = json!({"payload": {"source": "+65", "body": "hi", "user": {"msisdn": "own"}}});
        add_aliases(&mut body);
        assert_eq!(
            body["payload"],
            json!({"source": "+65", "body": "hi", "user": {"msisdn": "own"}, "content": {"text": "hi"}})
        );
    }
}
