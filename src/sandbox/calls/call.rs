//! A call, as it is remembered and shown.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use serde_json::Value;
use trunkline_connectors::eight_by_eight::VoiceApi;
use trunkline_connectors::eight_by_eight::wire::write_timestamp;
use uuid::Uuid;

use super::action::{Action, Capture};
use super::order::Order;
use super::place_call::first_api_uid;
use crate::sandbox::memory::Entry;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::sandbox) enum CallState {
    Ringing,
    Answered,
    Ended,
}

/// How a call ended, as session summaries spell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(in crate::sandbox) enum SessionStatus {
    Completed,
    NoAnswer,
    Busy,
    Canceled,
    Error,
    /// The sandbox rejected it; nobody's phone rang.
    NotCreated,
}

impl SessionStatus {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "COMPLETED",
            Self::NoAnswer => "NO_ANSWER",
            Self::Busy => "BUSY",
            Self::Canceled => "CANCELED",
            Self::Error => "ERROR",
            Self::NotCreated => "NOT_CREATED",
        }
    }

    /// The last status of the line (RFC 3261).
    pub(super) fn sip_code(self) -> u16 {
        match self {
            Self::Completed | Self::Error => 200,
            Self::NoAnswer => 480,
            Self::Busy => 486,
            Self::Canceled => 487,
            Self::NotCreated => 603,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) struct Moment(pub(super) DateTime<Utc>);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&write_timestamp(self.0))
    }
}

/// A call that was accepted (or rejected with 200).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::sandbox) struct Call {
    pub(super) uid: String,
    /// The API that it was placed through.
    pub(super) api: VoiceApi,
    pub(super) sub_account_id: String,
    pub(super) source: String,
    pub(super) destination: String,
    pub(super) client_request_id: Option<String>,
    /// The first one, as the request spells it.
    pub(super) action: String,
    /// What is said, or asked, first.
    pub(super) text: Option<String>,
    pub(super) file_url: Option<String>,
    pub(super) state: CallState,
    pub(super) result: Option<SessionStatus>,
    /// What was pressed last and counted.
    pub(super) digits: Option<String>,
    /// Only while digits are waited for.
    pub(super) tries_left: Option<u64>,
    /// What went otherwise than one could think.
    pub(super) notes: Vec<String>,
    /// The whole request body.
    pub(super) request: Value,
    pub(super) idempotency_key: Option<String>,
    pub(super) sent_at: Moment,
    pub(super) answered_at: Option<Moment>,
    pub(super) ended_at: Option<Moment>,
    /// Requests for this call, refused ones included.
    pub(super) attempts: u32,
    /// Requests for this call that were answered with 200. Above 1, a real platform would have called
    /// again.
    pub(super) deliveries: u32,
    #[serde(skip)]
    pub(super) session: Session,
}

/// What nobody outside needs to see.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Session {
    pub(super) id: Uuid,
    /// Of the only leg.
    pub(super) call_id: Uuid,
    answer: Value,
    /// What is still to be played.
    pub(super) actions: VecDeque<Action>,
    pub(super) capture: Option<Capture>,
    pub(super) dtmf_callback_url: Option<String>,
    /// Given by the last answer to `ACTION_COMPLETED`.
    pub(super) client_action_id: Option<String>,
    pub(super) last_action: &'static str,
    pub(super) is_initiation_told: bool,
}

/// The request that a call comes from.
pub(super) struct CallRequest {
    pub(super) body: Value,
    pub(super) idempotency_key: Option<String>,
    pub(super) answer: Value,
}

impl Call {
    pub(super) fn new(
        id: Uuid,
        sub_account_id: String,
        order: Order,
        request: CallRequest,
        now: DateTime<Utc>,
    ) -> Self {
        let said = |action: &Action| match action {
            Action::Say { text } | Action::SayAndCapture { prompt: text, .. } => Some(text.clone()),
            _ => None,
        };
        let played = |action: &Action| match action {
            Action::PlayFile { file_url } => Some(file_url.clone()),
            _ => None,
        };
        Self {
            uid: match order.api {
                VoiceApi::Callflows => id.to_string(),
                VoiceApi::Calls => first_api_uid(id),
            },
            api: order.api,
            sub_account_id,
            source: order.source,
            destination: order.destination,
            client_request_id: order.client_request_id,
            action: order.action,
            text: order.actions.iter().find_map(said),
            file_url: order.actions.iter().find_map(played),
            state: CallState::Ringing,
            result: None,
            digits: None,
            tries_left: None,
            notes: order.notes,
            request: request.body,
            idempotency_key: request.idempotency_key,
            sent_at: Moment(now),
            answered_at: None,
            ended_at: None,
            attempts: 1,
            deliveries: 1,
            session: Session {
                id,
                call_id: Uuid::new_v4(),
                answer: request.answer,
                actions: order.actions.into(),
                capture: None,
                dtmf_callback_url: order.dtmf_callback_url,
                client_action_id: None,
                last_action: "MAKE_CALL",
                is_initiation_told: false,
            },
        }
    }

    /// Never rings.
    pub(super) fn rejected(mut self, now: DateTime<Utc>) -> Self {
        self.state = CallState::Ended;
        self.result = Some(SessionStatus::NotCreated);
        self.ended_at = Some(Moment(now));
        self
    }

    /// Whole seconds since it was picked up.
    pub(super) fn duration(&self, now: DateTime<Utc>) -> i64 {
        self.answered_at.map_or(0, |answered| (now - answered.0).num_seconds())
    }
}

impl Entry for Call {
    fn id(&self) -> Uuid {
        self.session.id
    }

    fn answer(&self) -> &Value {
        &self.session.answer
    }

    fn attempts(&mut self) -> &mut u32 {
        &mut self.attempts
    }

    fn deliveries(&mut self) -> &mut u32 {
        &mut self.deliveries
    }
}
