//! The person at the phone: picks up, presses keys, hangs up, or does not come. What follows from it is
//! delivered before the answer.

use std::collections::VecDeque;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use trunkline_connectors::outbound::OutboundResponse;

use super::call::{Call, SessionStatus};
use super::list_calls::find_id;
use super::obey_answer::read_answer;
use super::play_call::{Event, EventKind, Illegal};
use crate::sandbox::call_webhook::post_event;
use crate::sandbox::carrier::Sandbox;
use crate::sandbox::refusal::{Invalid, Refusal};
use crate::sandbox::request_body::{INVALID_PARAMETER, json_object};

/// The call after the step, and what was delivered.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::sandbox) struct Stepped {
    #[serde(flatten)]
    call: Call,
    /// The first status that is no success, else the last one; null without any delivery.
    webhook_status: Option<u16>,
    webhooks: Vec<Delivery>,
}

#[derive(Debug, Serialize)]
struct Delivery {
    event: &'static str,
    status: u16,
}

type Answer = Result<Json<Stepped>, Refusal>;

pub(in crate::sandbox) async fn answer(State(sandbox): State<Sandbox>, Path(uid): Path<String>) -> Answer {
    step(&sandbox, &uid, Call::answer).await
}

pub(in crate::sandbox) async fn hang_up(State(sandbox): State<Sandbox>, Path(uid): Path<String>) -> Answer {
    step(&sandbox, &uid, Call::hang_up).await
}

pub(in crate::sandbox) async fn busy(State(sandbox): State<Sandbox>, Path(uid): Path<String>) -> Answer {
    step(&sandbox, &uid, |call, now| call.fail_to_connect(SessionStatus::Busy, now)).await
}

pub(in crate::sandbox) async fn no_answer(State(sandbox): State<Sandbox>, Path(uid): Path<String>) -> Answer {
    step(&sandbox, &uid, |call, now| call.fail_to_connect(SessionStatus::NoAnswer, now)).await
}

/// `{digits}`: the keys of one try, null when none is pressed.
pub(in crate::sandbox) async fn dtmf(
    State(sandbox): State<Sandbox>,
    Path(uid): Path<String>,
    body: Bytes,
) -> Answer {
    let request = json_object(&body).map_err(|invalid| invalid.at(sandbox.now()))?;
    let digits = read_digits(&request).map_err(|invalid| invalid.at(sandbox.now()))?;
    step(&sandbox, &uid, |call, now| call.press(digits, now)).await
}

fn read_digits(request: &Map<String, Value>) -> Result<Option<&str>, Invalid> {
    let is_key = |key: char| key.is_ascii_digit() || matches!(key, '*' | '#' | 'A'..='D');
    match request.get("digits") {
        Some(Value::Null) => Ok(None),
        Some(Value::String(digits)) if digits.chars().all(is_key) => Ok(Some(digits)),
        _ => Err(Invalid::new(INVALID_PARAMETER, "Invalid digits.")),
    }
}

async fn step(
    sandbox: &Sandbox,
    uid: &str,
    step: impl FnOnce(&mut Call, DateTime<Utc>) -> Result<Vec<Event>, Illegal>,
) -> Answer {
    let now = sandbox.now();
    let (id, mut events) = {
        let mut calls = sandbox.calls();
        let id = find_id(&calls, uid, now)?;
        let call = calls.find_mut(id).expect("it was there and the calls are locked");
        let events = step(call, now)
            .map_err(|Illegal(why)| Refusal::new(StatusCode::CONFLICT, INVALID_PARAMETER, why, now))?;
        (id, VecDeque::from(events))
    };
    let mut webhooks = Vec::new();
    let mut unanswered = None;
    while let Some(event) = events.pop_front() {
        let response = deliver(sandbox, &event).await;
        if event.kind == EventKind::ActionCompleted
            && let Some(call) = sandbox.calls().find_mut(id)
        {
            events.extend(call.obey(read_answer(&response), sandbox.now()));
        }
        match response {
            Ok(response) => webhooks.push(Delivery { event: event.kind.name(), status: response.status }),
            Err(message) => {
                unanswered.get_or_insert(message);
            }
        }
    }
    if let Some(message) = unanswered {
        return Err(Refusal::new(StatusCode::BAD_GATEWAY, 2000, message, sandbox.now()));
    }
    let failed = webhooks.iter().find(|delivery| !(200..300).contains(&delivery.status));
    let webhook_status = failed.or(webhooks.last()).map(|delivery| delivery.status);
    let call = sandbox.calls().find(id).cloned();
    let gone = || Refusal::new(StatusCode::NOT_FOUND, 1300, "The call was forgotten meanwhile.", now);
    Ok(Json(Stepped { call: call.ok_or_else(gone)?, webhook_status, webhooks }))
}

/// One attempt. The callback of the first API is a URL of the call's own: it gets no `Authorization` of
/// ours and leads only where its author may call.
async fn deliver(sandbox: &Sandbox, event: &Event) -> Result<OutboundResponse, String> {
    let config = sandbox.config();
    let (client, url, authorization) = match &event.kind {
        EventKind::LegacyDtmf { url } => (sandbox.callbacks(), url.clone(), None),
        EventKind::CallStatus(_) | EventKind::ActionCompleted | EventKind::SessionSummary => {
            (sandbox.webhooks(), config.voice_webhook_url(), config.webhook_authorization.as_deref())
        }
    };
    post_event(client, &url, authorization, &event.body).await
}
