//! A call's life: what the person does at the phone, what is played, and how it ends. No IO; what has to
//! be told to the server is returned.

use chrono::{DateTime, Utc};
use serde_json::Value;
use trunkline_connectors::eight_by_eight::VoiceApi;

use super::action::{Action, Capture};
use super::call::{Call, CallState, Moment, SessionStatus};
use super::obey_answer::Answer;
use super::write_event::{action_completed, call_status, legacy_dtmf, session_summary};

/// Something to tell the server.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    pub(super) kind: EventKind,
    pub(super) body: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum EventKind {
    CallStatus(&'static str),
    /// The only one whose answer matters: it says how the call goes on.
    ActionCompleted,
    SessionSummary,
    /// To the `dtmfCallbackUrl` of the call.
    LegacyDtmf {
        url: String,
    },
}

impl EventKind {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::CallStatus(status) => status,
            Self::ActionCompleted => "ACTION_COMPLETED",
            Self::SessionSummary => "SESSION_SUMMARY",
            Self::LegacyDtmf { .. } => "DTMF",
        }
    }
}

/// A step that the state of the call does not allow.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Illegal(pub(super) String);

type Events = Result<Vec<Event>, Illegal>;

impl Call {
    /// Picks up; everything up to the first capture is played.
    pub(super) fn answer(&mut self, now: DateTime<Utc>) -> Events {
        self.must_ring()?;
        let mut events = self.initiation();
        self.state = CallState::Answered;
        self.answered_at = Some(Moment(now));
        events.extend(self.status("CALL_CONNECTED", Some(200), now));
        self.play(now, &mut events);
        Ok(events)
    }

    /// One try at the keys; `None` presses nothing until the time is up. Picks up first if need be.
    pub(super) fn press(&mut self, digits: Option<&str>, now: DateTime<Utc>) -> Events {
        let is_capture = |action: &Action| matches!(action, Action::SayAndCapture { .. });
        let mut events = match self.state {
            CallState::Ringing if self.session.actions.iter().any(is_capture) => self.answer(now)?,
            CallState::Ended => return Err(self.has_ended()),
            CallState::Ringing | CallState::Answered => Vec::new(),
        };
        let Some(capture) = self.session.capture.clone() else {
            let action = &self.action;
            let why = match self.state {
                CallState::Ringing => format!("its action is `{action}`"),
                _ => "the digits before are being told to the webhook".to_owned(),
            };
            return Err(Illegal(format!("The call does not wait for digits: {why}.")));
        };
        self.digits = self.count_digits(digits.unwrap_or_default(), &capture);
        let tries_left = self.tries_left.unwrap_or(1).saturating_sub(1);
        let is_enough = self.digits.as_ref().is_some_and(|digits| digits.len() >= capture.min_digits);
        if !is_enough && tries_left > 0 {
            self.tries_left = Some(tries_left);
            return Ok(events);
        }
        self.session.capture = None;
        self.tries_left = None;
        let captured = if is_enough { self.digits.clone() } else { None };
        match self.api {
            VoiceApi::Callflows => {
                let body = action_completed(self, captured.as_deref(), now);
                events.push(Event { kind: EventKind::ActionCompleted, body });
            }
            VoiceApi::Calls => {
                match (captured, self.session.dtmf_callback_url.clone()) {
                    (Some(digits), Some(url)) => {
                        let body = legacy_dtmf(self, &digits, now);
                        events.push(Event { kind: EventKind::LegacyDtmf { url }, body });
                    }
                    _ => self.notes.push(
                        "too few digits in the last try: nothing is posted to `dtmfCallbackUrl`".to_owned(),
                    ),
                }
                self.play(now, &mut events);
            }
        }
        Ok(events)
    }

    /// Goes on as the answer to `ACTION_COMPLETED` says.
    pub(super) fn obey(&mut self, answer: Answer, now: DateTime<Utc>) -> Vec<Event> {
        let mut events = Vec::new();
        self.notes.extend(answer.notes);
        if self.state == CallState::Ended {
            return events;
        }
        if let Some(skipped) = self.session.actions.front() {
            let skipped = skipped.name();
            self.notes.push(format!("`{skipped}` after `sayAndCapture` is not played: the webhook decides"));
        }
        self.session.client_action_id = answer.client_action_id;
        match answer.actions {
            Some(actions) => {
                self.session.actions = actions.into();
                self.play(now, &mut events);
            }
            None => self.end(SessionStatus::Error, now, &mut events),
        }
        events
    }

    /// The line is taken, or nobody comes to the phone.
    pub(super) fn fail_to_connect(&mut self, result: SessionStatus, now: DateTime<Utc>) -> Events {
        self.must_ring()?;
        let mut events = self.initiation();
        self.end(result, now, &mut events);
        Ok(events)
    }

    /// A ringing call is canceled.
    pub(super) fn hang_up(&mut self, now: DateTime<Utc>) -> Events {
        let result = match self.state {
            CallState::Ringing => SessionStatus::Canceled,
            CallState::Answered => SessionStatus::Completed,
            CallState::Ended => return Err(self.has_ended()),
        };
        let mut events = self.initiation();
        self.end(result, now, &mut events);
        Ok(events)
    }

    /// Until something is waited for, or nothing is left.
    fn play(&mut self, now: DateTime<Utc>, events: &mut Vec<Event>) {
        while let Some(action) = self.session.actions.pop_front() {
            self.session.last_action = action.summary_name();
            match action {
                Action::Say { .. } | Action::PlayFile { .. } => {}
                Action::SayAndCapture { capture, .. } => {
                    self.tries_left = Some(capture.tries);
                    self.session.capture = Some(capture);
                    return;
                }
                Action::Hangup => break,
            }
        }
        self.end(SessionStatus::Completed, now, events);
    }

    fn end(&mut self, result: SessionStatus, now: DateTime<Utc>, events: &mut Vec<Event>) {
        self.state = CallState::Ended;
        self.result = Some(result);
        self.ended_at = Some(Moment(now));
        self.tries_left = None;
        self.session.capture = None;
        events.extend(self.status("CALL_DISCONNECTED", Some(result.sip_code()), now));
        if self.api == VoiceApi::Callflows {
            let body = session_summary(self, result, now);
            events.push(Event { kind: EventKind::SessionSummary, body });
        }
    }

    /// Digits up to the hash and the most that are asked for; `None` when none is left.
    fn count_digits(&mut self, pressed: &str, capture: &Capture) -> Option<String> {
        let before_hash = pressed.split('#').next().unwrap_or_default();
        let digits = if capture.complete_on_hash { before_hash } else { pressed };
        let most = capture.max_digits.unwrap_or(usize::MAX);
        let counted: String = digits.chars().take(most).collect();
        if counted.len() < digits.len() {
            self.notes.push(format!("`{digits}` is more than {most} digits: the rest was cut"));
        }
        (!counted.is_empty()).then_some(counted)
    }

    /// The call's beginning, unless it was told.
    fn initiation(&mut self) -> Vec<Event> {
        if std::mem::replace(&mut self.session.is_initiation_told, true) {
            return Vec::new();
        }
        self.status("CALL_INITIATED", None, self.sent_at.0).into_iter().collect()
    }

    /// Only the current API tells these.
    fn status(&self, status: &'static str, sip_code: Option<u16>, now: DateTime<Utc>) -> Option<Event> {
        (self.api == VoiceApi::Callflows).then(|| Event {
            kind: EventKind::CallStatus(status),
            body: call_status(self, status, sip_code, now),
        })
    }

    fn must_ring(&self) -> Result<(), Illegal> {
        match self.state {
            CallState::Ringing => Ok(()),
            CallState::Answered => Err(Illegal("The call is answered already.".to_owned())),
            CallState::Ended => Err(self.has_ended()),
        }
    }

    fn has_ended(&self) -> Illegal {
        let result = self.result.map_or("", SessionStatus::as_str);
        Illegal(format!("The call has ended: {result}."))
    }
}
