//! `SendMessage`: a message of a workflow goes to the provider, once for all that anybody knows (Dispatch 8.2, 12.3).
//! SMS may go to the account's other one.
//!
//! It is written down before it is sent. Who finds it written down does not send it again: the Messages API has no
//! idempotency key, and a status will tell, or the deadline.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use trunkline_connectors::correlation::receipt_key;
use trunkline_connectors::eight_by_eight::{EightByEight, send_workflow_sms};
use trunkline_connectors::messages_api::status_code::{COMMUNICATION_FAILED, NOT_ALLOWED};
use trunkline_connectors::messages_api::{
    self, MessagesApi, NotTaken, OutgoingMessage, Sending, StatusError,
};
use trunkline_store::clock;
use trunkline_store::dispatches::{Begun, Change, Echo, Running};
use trunkline_workflow::dispatch::{Channel, Message, Refusal, Status};
use trunkline_workflow::limits;
use uuid::Uuid;

use super::{Activity, Input, input_required};
use crate::measure::Provider;

/// The last message has no deadline of its own; after that long nobody waits for it (U9).
const LAST_RESORT: TimeDelta = TimeDelta::hours(72);
/// How long a throttled last message is tried.
const LAST_MESSAGE: TimeDelta = TimeDelta::seconds(60);
/// How long a status is waited for of a last message of which nobody knows whether it was sent.
const SILENCE: Duration = Duration::from_secs(60);
/// How long a provider that does not work is tried, and the pause between two tries.
const PATIENCE: TimeDelta = TimeDelta::seconds(10);
const PAUSE: Duration = Duration::from_secs(4);
/// What a provider may ask for.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(86_400);

pub(super) async fn execute(input: Input<'_>) -> Activity {
    match send(&input).await {
        Ok(activity) | Err(activity) => activity,
    }
}

/// The message, and what is known about its time.
struct Sent {
    message: Message,
    started_at: DateTime<Utc>,
    is_last: bool,
}

impl Sent {
    fn deadline(&self) -> DateTime<Utc> {
        let own = self.message.failover.filter(|_| !self.is_last);
        self.started_at + own.map_or(LAST_RESORT, |failover| TimeDelta::seconds(failover.expiry.into()))
    }

    /// Until when a provider that takes no message is tried.
    fn patience(&self, why: NotTaken) -> DateTime<Utc> {
        let longest = match why {
            NotTaken::Throttled if self.is_last => self.started_at + LAST_MESSAGE,
            NotTaken::Throttled => self.deadline(),
            NotTaken::ProviderError | NotTaken::NoConnection => self.started_at + PATIENCE,
        };
        longest.min(self.deadline())
    }
}

/// Who is handed the message.
enum Carrier {
    MessagesApi(MessagesApi),
    /// In the name of the subaccount.
    EightByEight(EightByEight, String),
}

impl Carrier {
    async fn find(input: &Input<'_>, channel: Channel) -> Result<Self, Activity> {
        let provider = input.messages_api().await?;
        match provider.sms_sub_account().filter(|_| channel == Channel::Sms) {
            None => Ok(Self::MessagesApi(provider)),
            Some(id) => Ok(Self::EightByEight(input.eight_by_eight(Some(id)).await?, id.to_owned())),
        }
    }

    async fn send(&self, input: &Input<'_>, message: &OutgoingMessage, id: Uuid) -> Sending {
        let now = clock::now();
        match self {
            Self::MessagesApi(provider) => {
                let client = input.client(Provider::MessagesApi);
                messages_api::send(&client, provider, message, id, now).await
            }
            Self::EightByEight(provider, sub_account) => {
                let client = input.client(Provider::EightByEight);
                send_workflow_sms(&client, provider, sub_account, message, id, now).await
            }
        }
    }
}

/// The message as limits see it.
fn under_limits(carrier: &Carrier, message: &Message) -> limits::Outgoing {
    let subaccount = match carrier {
        Carrier::MessagesApi(_) => None,
        Carrier::EightByEight(_, id) => Some(id.clone()),
    };
    limits::Outgoing {
        channel: match message.channel {
            Channel::Sms | Channel::Mms => limits::Channel::Sms,
            Channel::Whatsapp | Channel::ViberServiceMsg | Channel::Messenger => limits::Channel::Chat,
        },
        senders: [subaccount, Some(message.sender().to_owned())].into_iter().flatten().collect(),
        recipient: Some(message.recipient().to_owned()),
    }
}

/// The message that is sent next, and whether it is the last one.
fn next_message(data: &Map<String, Value>) -> Option<(&Value, bool)> {
    let Some(workflow) = data.get("workflow").and_then(Value::as_array) else {
        return Some((data.get("message")?, true));
    };
    let next = usize::try_from(data.get("next")?.as_u64()?).ok()?;
    Some((workflow.get(next)?, next + 1 == workflow.len()))
}

async fn send(input: &Input<'_>) -> Result<Activity, Activity> {
    let unreadable = || input_required(input.step, "message");
    let (given, is_last) = next_message(input.data).ok_or_else(unreadable)?;
    let message = Message::deserialize(given).map_err(|_| unreadable())?;
    let outgoing = OutgoingMessage::deserialize(given).map_err(|_| unreadable())?;
    let running = Running::read(input.data).map_err(|_| unreadable())?;
    let mut sent =
        Sent { message, started_at: input.job.path.started_at.unwrap_or_else(clock::now), is_last };
    let (account, id) = (&input.job.account, input.key());
    let carrier = match Carrier::find(input, sent.message.channel).await {
        Ok(carrier) => Ok(carrier),
        Err(Activity::Failed { message }) => Err(message),
        Err(activity) => return Err(activity),
    };
    if let Ok(carrier) = &carrier {
        // What waits for leave has its time from then on.
        let leave = input.leave(Some(under_limits(carrier, &sent.message))).await?;
        sent.started_at = leave.map_or(sent.started_at, |at| at.max(sent.started_at));
    }
    input.begin_effect().await?;
    let echo = Echo {
        to: sent.message.to.clone(),
        from: sent.message.from.clone(),
        client_ref: sent.message.client_ref.clone(),
        link: running.link,
        application: running.application,
    };
    let job = input.job.id();
    let begin = || input.store.begin_message(account, job, id, sent.message.channel, &echo);
    match input.insist(begin).await? {
        Begun::Now => hold_or_withdraw(input).await?,
        Begun::Before(None) => return unknown(input, &sent).await,
        Begun::Before(status) => return Ok(done(input, &sent, status)),
    }
    // Nobody began it in time, and the next one's time has come.
    if clock::now() >= sent.deadline() {
        change(input, Status::Rejected, Some(&StatusError::of(COMMUNICATION_FAILED))).await?;
        return Ok(done(input, &sent, Some(Status::Rejected)));
    }
    let sending = match carrier {
        Ok(carrier) => carrier.send(input, &outgoing, id).await,
        // As a provider that refuses us: the customer is told, and the next message may have another way.
        Err(detail) => Sending::Refused { error: StatusError::of(NOT_ALLOWED), alarm: true, detail },
    };
    match sending {
        Sending::Accepted { provider_uuid } => {
            submitted(input, provider_uuid.to_lowercase()).await?;
            Ok(done(input, &sent, Some(Status::Submitted)))
        }
        Sending::Refused { error, alarm, detail } => {
            if alarm {
                tracing::error!(account.id = %account, detail, "the provider of messages takes none");
            }
            change(input, Status::Rejected, Some(&error)).await?;
            Ok(done(input, &sent, Some(Status::Rejected)))
        }
        Sending::Retry { why, after, detail } => {
            let pause = pause_after(why, after);
            if clock::now() + pause < sent.patience(why) {
                withdraw(input).await?;
                return Ok(Activity::Postponed { after: pause, message: detail });
            }
            change(input, Status::Rejected, Some(&why.given_up())).await?;
            Ok(done(input, &sent, Some(Status::Rejected)))
        }
        Sending::Unknown { detail } => {
            tracing::warn!(account.id = %account, message.id = %id, detail, "a message may have been sent");
            unknown(input, &sent).await
        }
    }
}

/// As long as the database took to write it down, the instance may have been terminated.
async fn hold_or_withdraw(input: &Input<'_>) -> Result<(), Activity> {
    let held = input.begin_effect().await;
    if held.is_err() {
        withdraw(input).await?;
    }
    held
}

async fn withdraw(input: &Input<'_>) -> Result<(), Activity> {
    let (path, worker) = (input.job.path.path, input.lease.incarnation);
    input.insist(|| input.store.withdraw_message(&input.job.account, input.key(), path, worker)).await
}

/// Nobody knows whether it was sent. Of a message that others follow its deadline decides.
async fn unknown(input: &Input<'_>, sent: &Sent) -> Result<Activity, Activity> {
    if sent.is_last {
        let (account, id) = (&input.job.account, input.key());
        input.insist(|| input.store.give_up_after(account, id, SILENCE)).await?;
    }
    Ok(done(input, sent, None))
}

/// `asked`: what the provider said, which may be anything.
fn pause_after(why: NotTaken, asked: Option<Duration>) -> Duration {
    match why {
        NotTaken::Throttled => asked.unwrap_or_default().clamp(SHORTEST_PAUSE, LONGEST_PAUSE),
        NotTaken::ProviderError | NotTaken::NoConnection => PAUSE,
    }
}

/// In one transaction with the provider's id of it, so that who finds the id finds the status.
async fn submitted(input: &Input<'_>, provider_id: String) -> Result<(), Activity> {
    let id = input.key();
    let (status, at) = (Status::Submitted, clock::now());
    let change = Change { provider_id: Some(provider_id.clone()), ..Change::new(status, at) };
    let subject = || (id, receipt_key(&id.to_string()));
    let account = &input.job.account;
    let told = input.insist(|| input.store.change_status(account, subject(), &change)).await?;
    if told.is_some_and(|told| told.duplicate) {
        // The provider said it first, under our reference.
        input.insist(|| input.store.note_provider_id(account, id, &provider_id)).await?;
    }
    Ok(())
}

async fn change(input: &Input<'_>, status: Status, error: Option<&StatusError>) -> Result<(), Activity> {
    let id = input.key();
    let refusal = error.map(|error| Refusal { code: error.code, reason: error.reason.clone() });
    let change = Change { refusal, ..Change::new(status, clock::now()) };
    let subject = || (id, receipt_key(&id.to_string()));
    input.insist(|| input.store.change_status(&input.job.account, subject(), &change)).await?;
    Ok(())
}

fn done(input: &Input<'_>, sent: &Sent, status: Option<Status>) -> Activity {
    let deadline = sent.deadline();
    let result: Value = json!({
        "message_uuid": input.key(),
        "channel": sent.message.channel,
        "status": status,
        "condition": sent.message.condition(),
        "deadline": deadline.to_rfc3339_opts(SecondsFormat::Micros, true),
    });
    Activity::Done(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_provider_asks_for_is_kept_within_reason() {
        for (asked, pause) in [(None, 1), (Some(0), 1), (Some(7), 7), (Some(u64::MAX), 86_400)] {
            let pause = Duration::from_secs(pause);
            assert_eq!(pause_after(NotTaken::Throttled, asked.map(Duration::from_secs)), pause);
        }
        assert_eq!(pause_after(NotTaken::ProviderError, Some(Duration::MAX)), PAUSE);
    }
}
