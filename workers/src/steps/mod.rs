//! How each step type is done. One file per type, of the same name as in `trunkline_workflow::step`.

mod chat_apps_message;
mod failover;
mod http_request;
mod r#if;
mod report_outcome;
mod send_message;
mod send_to_converse;
mod sms;
mod voice_message;
mod wait;
mod wait_for_dtmf;
mod wait_for_receipt;
mod wait_for_reply;
mod wait_for_status;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use trunkline_connectors::correlation::receipt_key;
use trunkline_connectors::eight_by_eight::receipt::Receipt;
use trunkline_connectors::eight_by_eight::{EightByEight, SendFailure};
use trunkline_connectors::messages_api::MessagesApi;
use trunkline_connectors::outbound::OutboundClient;
use trunkline_connectors::recording::Recorder;
use trunkline_store::clock;
use trunkline_store::events::{EventKind, Incoming, Recipients};
use trunkline_store::jobs::LeasedJob;
use trunkline_store::limits::{Ask, Leave};
use trunkline_store::messages::{self, Sent};
use trunkline_store::waits::Resume;
use trunkline_store::{Store, StoreError};
use trunkline_workflow::graph::Step;
use trunkline_workflow::limits::{Channel, Outgoing};
use trunkline_workflow::outcome::Wait;
use trunkline_workflow::step::StepType;
use trunkline_workflow::{Outcome, inputs};
use uuid::Uuid;

use crate::await_event;
use crate::connectors::{Connectors, NoConnector, why_unusable};
use crate::lease::{Backoff, Lease};
use crate::limits::Limits;
use crate::measure::Provider;
use crate::tools::{ConnectorUse, Tools};

/// What waits for a worker that can read the limits is tried again so often.
const WHILE_DAMAGED: Duration = Duration::from_secs(60);
/// Whoever has had a job for longer looks whether it is still there before a side effect begins.
const CERTAIN: Duration = Duration::from_millis(50);

/// A step about to be done.
pub(crate) struct Input<'a> {
    pub(crate) step: &'a Step,
    /// The evaluated inputs; of an `If` its condition.
    pub(crate) value: Value,
    pub(crate) data: &'a Map<String, Value>,
    pub(crate) job: &'a LeasedJob,
    pub(crate) tools: &'a Tools,
    pub(crate) store: &'a Store,
    pub(crate) connectors: &'a Connectors,
    pub(crate) limits: &'a Limits,
    pub(crate) lease: &'a Lease,
    /// Then, or later, the job became this worker's.
    pub(crate) since: Instant,
    /// Takes down what the step sends and gets.
    pub(crate) recorder: Option<&'a Arc<Recorder>>,
}

impl Input<'_> {
    fn members(&self) -> Map<String, Value> {
        self.value.as_object().cloned().unwrap_or_default()
    }

    /// The way out to a provider, with its answers counted and taken down.
    fn client(&self, provider: Provider) -> OutboundClient {
        let client = match provider {
            Provider::Http => &self.tools.outbound,
            Provider::EightByEight | Provider::MessagesApi | Provider::Converse => &self.tools.providers,
        };
        let client = provider.counted(client);
        match self.recorder {
            Some(recorder) => client.recorded(recorder.clone()),
            None => client,
        }
    }

    /// What the history must not keep.
    fn keep_secret(&self, secret: &str) {
        if let Some(recorder) = self.recorder {
            recorder.keep_secret(secret);
        }
    }

    /// The idempotency key of every attempt.
    fn key(&self) -> Uuid {
        self.job.id().as_uuid()
    }

    /// The subaccount that the step names, else the one that the instance runs under.
    fn subaccount(&self, members: &Map<String, Value>) -> Option<String> {
        named_subaccount(members).or_else(|| named_subaccount(self.data))
    }

    async fn eight_by_eight(&self, subaccount: Option<&str>) -> Result<EightByEight, Activity> {
        if subaccount.is_some_and(|id| id.contains('\0')) {
            return Err(Activity::Failed { message: "Invalid subaccount id.".to_owned() });
        }
        let found = match self.tools.connectors {
            ConnectorUse::First => {
                self.connectors.eight_by_eight(&self.job.account, subaccount, self.lease).await
            }
            ConnectorUse::Ignored => Err(NoConnector::None),
        };
        match found {
            Ok(provider) => Ok(provider),
            Err(NoConnector::None) => self.tools.fallback.clone().ok_or_else(|| Activity::Failed {
                message: "No messaging provider is configured.".to_owned(),
            }),
            Err(problem) => Err(no_connector(problem, self.job, "The messaging provider")),
        }
    }

    async fn messages_api(&self) -> Result<MessagesApi, Activity> {
        let found = match self.tools.connectors {
            ConnectorUse::First => self.connectors.messages_api(&self.job.account, self.lease).await,
            ConnectorUse::Ignored => Err(NoConnector::None),
        };
        match (found, &self.tools.messages_fallback) {
            (Err(NoConnector::None), Some(fallback)) => Ok(fallback.clone()),
            (found, _) => found.map_err(|problem| no_connector(problem, self.job, "The Messages API")),
        }
    }

    /// Leave under the limits of the account, asked for when all else is ready. Since when the step has it, where
    /// the account has limits that it comes under.
    async fn leave(&self, send: Option<Outgoing>) -> Result<Option<DateTime<Utc>>, Activity> {
        let job = self.job;
        let Some(settings) = self.limits.of(&job.account) else { return Ok(None) };
        let is_limited = send.is_some() && settings.limits_messages();
        if !is_limited && !settings.limits_concurrency_of(job.definition) {
            return Ok(None);
        }
        let ask = Ask {
            instance: job.instance,
            path: job.path.path,
            n: job.path.n,
            definition: job.definition,
            worker: self.lease.incarnation,
            send,
        };
        let asking = || async {
            match self.limits.ask(&job.account, ask.clone()).await {
                Err(error) if error.is_damage() => Ok(None),
                answer => answer.map(Some),
            }
        };
        match self.insist(asking).await? {
            Some(Leave::Given { at, after }) => {
                tokio::time::sleep(after).await;
                Ok(Some(at))
            }
            // A newer release may have written them: whoever knows them may take it, and nothing is sent without leave.
            None => {
                let message = "The limits of the account cannot be read.".to_owned();
                Err(Activity::Postponed { after: WHILE_DAMAGED, message })
            }
            Some(Leave::Waits { after, .. }) => {
                let message = "The limits of the account do not allow it yet.".to_owned();
                Err(Activity::Postponed { after, message })
            }
        }
    }

    /// Leave to send a message of the provider's own steps.
    async fn leave_to_send(
        &self,
        channel: Channel,
        senders: [Option<String>; 2],
        recipient: Option<String>,
    ) -> Result<(), Activity> {
        let senders = senders.into_iter().flatten().collect();
        self.leave(Some(Outgoing { channel, senders, recipient })).await.map(|_| ())
    }

    /// Waits until a side effect may begin: while others certainly leave the job to this worker, and its instance was not
    /// terminated meanwhile. The last thing before the request, because whatever is waited for in between may outlast
    /// the lease.
    async fn begin_effect(&self) -> Result<(), Activity> {
        let is_leased = || self.store.is_leased(self.job.instance, &self.job.path, self.lease.incarnation);
        loop {
            self.lease.hold().await.map_err(|_| Activity::Abandoned)?;
            if self.since.elapsed() > CERTAIN && !self.insist(is_leased).await? {
                return Err(Activity::Abandoned);
            }
            // The lease may have passed while the database was asked.
            if self.lease.holds() {
                return Ok(());
            }
        }
    }

    /// Asks the database until it answers.
    async fn insist<T, F>(&self, ask: impl Fn() -> F) -> Result<T, Activity>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut pause = Backoff::default();
        loop {
            match ask().await {
                Ok(answer) => return Ok(answer),
                Err(error) if error.may_pass() => {
                    if self.lease.is_lost() {
                        return Err(Activity::Abandoned);
                    }
                    pause.report(&error, "a step cannot write down what it does; trying again");
                    pause.wait().await;
                }
                Err(error) => {
                    tracing::error!(job.id = %self.key(), error = %error, "what a step does cannot be written down");
                    let message = "What the step did could not be stored.".to_owned();
                    return Err(Activity::Failed { message });
                }
            }
        }
    }

    /// The secret of the account's webhooks, asked for until the database answers.
    async fn webhook_secret(&self) -> Result<Option<String>, Activity> {
        let mut pause = Backoff::default();
        loop {
            match self.store.webhook_secret(&self.job.account).await {
                Ok(secret) => return Ok(secret),
                Err(error) if error.may_pass() => {
                    if self.lease.is_lost() {
                        return Err(Activity::Abandoned);
                    }
                    pause.report(&error, "cannot load a webhook secret; trying again");
                    pause.wait().await;
                }
                Err(error) => {
                    let account = &self.job.account;
                    tracing::error!(account.id = %account, error = %error, "a webhook secret cannot be used");
                    return Err(no_connector(why_unusable(&error), self.job, "The webhook secret"));
                }
            }
        }
    }
}

/// Until a master key that others have already has come here too: the longer it has not, the less often it is
/// looked for.
pub(crate) fn key_pause(job: &LeasedJob) -> Duration {
    const SHORTEST: Duration = Duration::from_secs(60);
    const LONGEST: Duration = Duration::from_secs(3600);
    let waited = job.path.started_at.and_then(|at| (clock::now() - at).to_std().ok());
    (waited.unwrap_or_default() / 10).clamp(SHORTEST, LONGEST)
}

fn no_connector(problem: NoConnector, job: &LeasedJob, what: &str) -> Activity {
    match problem {
        NoConnector::None => Activity::Failed { message: format!("{what} is not configured.") },
        NoConnector::Unusable => Activity::Failed { message: format!("{what} cannot be used.") },
        NoConnector::Sealed => Activity::Postponed {
            after: key_pause(job),
            message: format!("{what} is sealed with another master key."),
        },
        NoConnector::Lost => Activity::Abandoned,
    }
}

/// The subaccount that is named here; blank is none. Connectors are looked up by what requests are sent as.
fn named_subaccount(members: &Map<String, Value>) -> Option<String> {
    text(members, "subAccountId").map(|id| id.trim().to_owned())
}

/// An input as text; blank is none.
fn text(members: &Map<String, Value>, name: &str) -> Option<String> {
    inputs::text(members, name).filter(|text| !text.trim().is_empty())
}

/// What the activity of a step came to.
#[derive(Debug)]
pub(crate) enum Activity {
    /// The result is what expressions see as `step`.
    Done(Value),
    /// A provider took something that receipts or key presses will refer to.
    Sent {
        result: Value,
        sent: Option<Sent>,
    },
    /// An answer that a step which asks for retries does not put up with; for all others it is the result.
    Unwelcome {
        result: Value,
        after: Option<Duration>,
        message: String,
    },
    /// A wait that ended without what it waited for.
    TimedOut(Value),
    Wait {
        wait: Wait,
        due_after: Duration,
    },
    EnterBodies,
    /// The request certainly had no effect.
    Retry {
        after: Option<Duration>,
        message: String,
    },
    Failed {
        message: String,
    },
    /// Nothing was tried: something is missing here that will come.
    Postponed {
        after: Duration,
        message: String,
    },
    /// The worker is no longer believed, or the job was taken away.
    Abandoned,
}

/// Whether the step hands something to a provider.
pub(crate) fn is_send(step_type: StepType) -> bool {
    matches!(
        step_type,
        StepType::Sms | StepType::ChatAppsMessage | StepType::VoiceMessage | StepType::SendToConverse
    )
}

/// Whether the step has an effect outside: its attempts are told one by one.
pub(crate) fn reaches_out(step_type: StepType) -> bool {
    is_send(step_type)
        || matches!(step_type, StepType::HttpRequest | StepType::SendMessage | StepType::Failover)
}

/// What sends is boxed: its state is large, and a step that only decides would carry it about.
pub(crate) async fn execute(step_type: StepType, input: Input<'_>) -> Activity {
    match step_type {
        StepType::Sms => Box::pin(sms::execute(input)).await,
        StepType::ChatAppsMessage => Box::pin(chat_apps_message::execute(input)).await,
        StepType::HttpRequest => Box::pin(http_request::execute(input)).await,
        StepType::Branch | StepType::Jump => Activity::Done(json!({})),
        StepType::If => r#if::execute(&input),
        StepType::Wait => wait::execute(&input),
        StepType::WaitForReply => wait_for_reply::execute(&input),
        StepType::VoiceMessage => Box::pin(voice_message::execute(input)).await,
        StepType::WaitForDtmf => wait_for_dtmf::execute(&input),
        StepType::WaitForReceipt => wait_for_receipt::execute(&input),
        StepType::SendToConverse => Box::pin(send_to_converse::execute(input)).await,
        StepType::Failover => Box::pin(failover::execute(input)).await,
        StepType::SendMessage => Box::pin(send_message::execute(input)).await,
        StepType::WaitForStatus => wait_for_status::execute(&input),
        StepType::ReportOutcome => Box::pin(report_outcome::execute(input)).await,
    }
}

/// Goes on behind the activity, with what ended the wait.
pub(crate) fn resume(step_type: StepType, resume: &Resume) -> Activity {
    let output = match step_type {
        StepType::WaitForStatus => return wait_for_status::resume(resume),
        StepType::Failover => return failover::resume(resume),
        StepType::WaitForReply => wait_for_reply::OUTPUT,
        StepType::WaitForDtmf => wait_for_dtmf::OUTPUT,
        StepType::WaitForReceipt => wait_for_receipt::OUTPUT,
        _ => return Activity::Done(json!({})),
    };
    match resume {
        Resume::Event(event) => await_event::came(output, event),
        Resume::Due | Resume::BodiesEnded | Resume::Interrupted => await_event::timed_out(output),
    }
}

/// Tries after which a request that never got through is given up.
const MAX_RETRIES: i32 = 3;

/// The longest pause that the other side may ask for.
pub(crate) const LONGEST_ASKED: Duration = Duration::from_secs(300);

/// Half a second, one, two, each up to half as long again, so that the retries of many instances spread;
/// or what the other side asked for, within reason.
pub(crate) fn retry_or_fail(attempt: i32, asked: Option<Duration>, message: String) -> Outcome {
    if attempt > MAX_RETRIES {
        return Outcome::Failed { message, result: None };
    }
    let own = Duration::from_millis(250 << attempt.max(1)).mul_f64(rand::random_range(1.0..1.5));
    let after = asked.map_or(own, |asked| asked.min(LONGEST_ASKED));
    Outcome::Retry { after, message }
}

/// A send that a provider did not take.
fn not_sent(failure: SendFailure) -> Activity {
    match failure {
        SendFailure::Retry { after, message } => Activity::Retry { after, message },
        SendFailure::Failed { message } => Activity::Failed { message },
    }
}

/// What receipts will refer to; `None` when the provider gave the message no id.
fn sent_message(input: &Input<'_>, result: &Value, namespace: &str, channel: Option<&str>) -> Option<Sent> {
    let id = result["umid"].as_str().filter(|id| !id.is_empty())?.to_lowercase();
    let state = result["status"].as_str().map_or_else(|| "queued".to_owned(), str::to_lowercase);
    let rank = Receipt::rank_of(&state).into();
    let mut sent = Sent { id, channel: channel.map(str::to_owned), state, rank, call: None, reported: None };
    if sent.rank == i32::from(Receipt::FINAL) {
        sent.reported = Some(Box::new(final_answer(input, result, namespace, &sent)));
    }
    Some(sent)
}

/// The answer to a send as a receipt, because no other may come: it ends waits for one, and starts nothing.
fn final_answer(input: &Input<'_>, result: &Value, namespace: &str, sent: &Sent) -> Incoming {
    let now = clock::now();
    let reason = &result["description"];
    let members = input.members();
    Incoming {
        account: input.job.account.clone(),
        dedupe_key: format!("answer:{}", sent.id),
        kind: EventKind::Receipt {
            receipt: messages::Receipt {
                id: sent.id.clone(),
                channel: sent.channel.clone(),
                state: sent.state.clone(),
                rank: sent.rank,
                detail: None,
                error_code: None,
                error_message: reason.as_str().map(str::to_owned),
                changed_at: now,
            },
            trigger: None,
        },
        subaccount: named_subaccount(&members),
        keys: vec![receipt_key(&sent.id)],
        body: json!({
            "namespace": namespace,
            "eventType": "outbound_message_status_changed",
            "description": "the answer to the send",
            "payload": {
                "umid": result["umid"],
                "clientMessageId": result["clientMessageId"],
                "subAccountId": inputs::get(&members, "subAccountId"),
                "destination": result["destination"],
                "status": {
                    "state": sent.state,
                    "timestamp": now.to_rfc3339_opts(SecondsFormat::Millis, true),
                    "errorMessage": reason,
                },
            },
        }),
        received_at: now,
        recipients: Recipients::All,
        callback: None,
    }
}

/// An input that became null or empty when it was evaluated (U-78).
fn input_required(step: &Step, name: &str) -> Activity {
    Activity::Failed { message: format!("Step '{}': input '{name}' is required.", step.id) }
}
