//! `SendMessage`: a message of a workflow goes to the provider, once for all that anybody knows (Dispatch 8.2, 12.3).
//!
//! It is written down before it is sent. Who finds it written down does not send it again: there is no idempotency
//! key, and a status will tell, or the deadline.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use trunkline_connectors::clock;
use trunkline_connectors::correlation::receipt_key;
use trunkline_connectors::messages_api::{self, NotTaken, OutgoingMessage, Sending, StatusError};
use trunkline_store::dispatches::{Begun, Change, Echo, Running};
use trunkline_workflow::dispatch::{Message, Refusal, Status};
use trunkline_workflow::inputs;

use super::{Activity, Input, input_required};
use crate::measure::Provider;

/// The last message has no deadline of its own; after that long nobody waits for it (U9).
const LAST_RESORT: TimeDelta = TimeDelta::hours(72);
/// How long a throttled last message is tried, and one waited for of which nobody knows whether it was sent.
const LAST_MESSAGE: TimeDelta = TimeDelta::seconds(60);
/// How long a provider that does not work is tried, and the pause between two tries.
const PATIENCE: TimeDelta = TimeDelta::seconds(10);
const PAUSE: Duration = Duration::from_secs(4);

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

async fn send(input: &Input<'_>) -> Result<Activity, Activity> {
    let members = input.members();
    let given = inputs::get(&members, "message").cloned().unwrap_or_default();
    let unreadable = || input_required(input.step, "message");
    let message: Message = serde_json::from_value(given.clone()).map_err(|_| unreadable())?;
    let outgoing: OutgoingMessage = serde_json::from_value(given).map_err(|_| unreadable())?;
    let running = Running::read(input.data).map_err(|_| unreadable())?;
    let sent = Sent {
        message,
        started_at: input.job.path.started_at.unwrap_or_else(clock::now),
        is_last: inputs::get(&members, "isLast").is_some_and(|is_last| is_last == true),
    };
    let (account, id) = (&input.job.account, input.key());
    let provider = input.messages_api().await?;
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
    if let Begun::Before(status) = input.insist(begin).await? {
        return Ok(done(input, &sent, status));
    }
    match messages_api::send(
        &Provider::MessagesApi.counted(&input.tools.providers),
        &provider,
        &outgoing,
        id,
        clock::now(),
    )
    .await
    {
        Sending::Accepted { provider_uuid } => {
            input.insist(|| input.store.note_provider_id(account, id, &provider_uuid)).await?;
            change(input, Status::Submitted, None).await?;
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
            let pause = match why {
                NotTaken::Throttled => after.unwrap_or(Duration::from_secs(1)),
                NotTaken::ProviderError | NotTaken::NoConnection => PAUSE,
            };
            if clock::now() + pause < sent.patience(why) {
                input.insist(|| input.store.withdraw_message(account, id)).await?;
                return Ok(Activity::Postponed { after: pause, message: detail });
            }
            change(input, Status::Rejected, Some(&why.given_up())).await?;
            Ok(done(input, &sent, Some(Status::Rejected)))
        }
        Sending::Unknown { detail } => {
            tracing::warn!(account.id = %account, message.id = %id, detail, "a message may have been sent");
            Ok(done(input, &sent, None))
        }
    }
}

async fn change(input: &Input<'_>, status: Status, error: Option<&StatusError>) -> Result<(), Activity> {
    let id = input.key();
    let change = Change {
        status,
        refusal: error.map(|error| Refusal { code: error.code, reason: error.reason.clone() }),
        usage: None,
        at: clock::now(),
    };
    let subject = || (id, receipt_key(&id.to_string()));
    input.insist(|| input.store.change_status(&input.job.account, subject(), &change)).await?;
    Ok(())
}

fn done(input: &Input<'_>, sent: &Sent, status: Option<Status>) -> Activity {
    let deadline = match status {
        None if sent.is_last => clock::now() + LAST_MESSAGE,
        _ => sent.deadline(),
    };
    let result: Value = json!({
        "message_uuid": input.key(),
        "channel": sent.message.channel,
        "status": status,
        "condition": sent.message.condition(),
        "deadline": deadline.to_rfc3339_opts(SecondsFormat::Micros, true),
    });
    Activity::Done(result)
}
