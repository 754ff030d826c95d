//! Workflows of the Workflows API (Dispatch 8, 9): started, their messages written down, what becomes of them told.
//!
//! A workflow is an instance of one definition, the same for all accounts. A status of a message is an event like a
//! receipt: it ends the wait for the message, and is told in the same transaction.

mod fate;
mod give_up;
mod parent;
mod show;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sqlx::PgExecutor;
use trunkline_workflow::definition::{DefinitionInput, Extras};
use trunkline_workflow::dispatch::{
    self, Channel, Flavour, Link, Outcome, Refusal, Report, ReportedMessage, Status, StatusChange, Usage,
};
use trunkline_workflow::{AccountId, DefinitionId, InstanceId, InstanceStatus, JobId, Trigger, context};
use uuid::Uuid;

use crate::audit::By;
use crate::callbacks::{self, NewCallback};
use crate::control;
use crate::events::{EventKind, Incoming, Received, Recipients};
use crate::messages::{Basis, Receipt, STARTED, StatusReceipt};
use crate::nexmo_accounts::CallbackUrls;
use crate::starts::{self, NewInstance};
use crate::workers::Incarnation;
use crate::{Store, StoreError};

pub(crate) use fate::seal_fate;
pub use give_up::{OverdueMark, OverdueMessage};
pub use parent::Parent;
pub(crate) use parent::{cancelled, live_children};
pub use show::{DispatchState, STATUSES};

/// Of every account's workflows.
pub const DEFINITION: DefinitionId = DefinitionId::from_u128(0x6661_696c_6f76_4572_8000_6469_7370_6174);

/// Of every account's messages that are sent by themselves.
pub const MESSAGE_DEFINITION: DefinitionId =
    DefinitionId::from_u128(0x6661_696c_6f76_4572_8000_006d_6573_7361);

/// Whether it is one of these two, which no customer made.
pub fn is_own(definition: DefinitionId) -> bool {
    [DEFINITION, MESSAGE_DEFINITION].contains(&definition)
}

/// A workflow that was asked for.
#[derive(Debug, Clone)]
pub struct NewDispatch {
    pub link: Link,
    pub account: AccountId,
    /// The application that asked.
    pub application: Option<Uuid>,
    pub request: dispatch::Dispatch,
    /// The step that asked, and is told the end.
    pub parent: Option<Parent>,
    pub at: DateTime<Utc>,
}

/// A message that was asked for, by itself.
#[derive(Debug, Clone)]
pub struct NewMessage {
    pub account: AccountId,
    /// The application that asked.
    pub application: Option<Uuid>,
    pub message: dispatch::Message,
    pub at: DateTime<Utc>,
}

/// What is told with every status of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Echo {
    pub to: Value,
    pub from: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_ref: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<Uuid>,
}

/// How far a message is that is about to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// Nobody has sent it.
    Now,
    /// Somebody may have sent it and did not live to say so; what is known of it since.
    Before(Option<Status>),
}

/// What a provider said of a message.
#[derive(Debug, Clone)]
pub struct Change {
    pub status: Status,
    pub refusal: Option<Refusal>,
    pub usage: Option<Usage>,
    /// Under this id the provider speaks of the message.
    pub provider_id: Option<String>,
    pub at: DateTime<Utc>,
}

impl Change {
    pub fn new(status: Status, at: DateTime<Utc>) -> Self {
        Self { status, refusal: None, usage: None, provider_id: None, at }
    }
}

impl Store {
    /// Durable when it returns. Of a workflow that was started before, nothing changes.
    pub async fn start_dispatch(&self, new: NewDispatch) -> Result<(), StoreError> {
        self.ensure_definition(&new.account, (DEFINITION, "Failover", dispatch::steps)).await?;
        let mut body = serde_json::to_value(&new.request).map_err(damaged)?;
        body["next"] = json!(0);
        body["link"] = serde_json::to_value(new.link).map_err(damaged)?;
        body["application"] = json!(new.application);
        let rows = starts::Rows::new(vec![NewInstance {
            account: new.account.clone(),
            definition: DEFINITION,
            version: 1,
            data: context::build(body, &new.account, None, new.at).into(),
        }]);
        let instance = rows.ids[0];
        let parent = new.parent.as_ref();
        let mut transaction = self.begin().await?;
        let mut is_suspended = false;
        if let Some(parent) = parent {
            // Shared with nobody who ends or suspends it: either it runs, or they find the workflow.
            let status: Option<String> = sqlx::query_scalar(
                "select status from instances where id = $1 and completed_at is null for share",
            )
            .bind(&parent.instance.as_bytes()[..])
            .fetch_optional(&mut *transaction)
            .await?;
            let Some(status) = status else { return Ok(()) };
            is_suspended = status == InstanceStatus::Suspended.as_str();
        }
        let inserted = sqlx::query(
            "insert into dispatches (id, account_id, instance_id, flavour, application_id, parent, parent_key)
             values ($1, $2, $3, $4, $5, $6, $7)
             on conflict (id) do nothing",
        )
        .bind(new.link.id)
        .bind(new.account.as_str())
        .bind(&instance.as_bytes()[..])
        .bind(flavour_text(new.link.flavour))
        .bind(new.application)
        .bind(parent.map(|parent| parent.instance.as_bytes().to_vec()))
        .bind(parent.map(|parent| &parent.key))
        .execute(&mut *transaction)
        .await?;
        if inserted.rows_affected() == 0 {
            return Ok(());
        }
        starts::write(&mut *transaction, &rows).await?;
        if is_suspended {
            control::suspend_new(&mut transaction, &new.account, instance).await?;
        }
        transaction.commit().await?;
        self.wake.hint();
        Ok(())
    }

    /// Durable when it returns; with the message's id.
    pub async fn start_message(&self, new: NewMessage) -> Result<Uuid, StoreError> {
        self.ensure_definition(&new.account, (MESSAGE_DEFINITION, "Message", dispatch::message_steps))
            .await?;
        let body = json!({
            "message": serde_json::to_value(&new.message).map_err(damaged)?,
            "application": new.application,
        });
        let data = context::build(body, &new.account, None, new.at);
        let instance = NewInstance {
            account: new.account,
            definition: MESSAGE_DEFINITION,
            version: 1,
            data: data.into(),
        };
        let started = self.start(vec![instance]).await?;
        // What sends it is the first job, whose id is the message's.
        Ok(JobId::new(started[0], 1).as_uuid())
    }

    async fn ensure_definition(
        &self,
        account: &AccountId,
        (id, name, steps): (DefinitionId, &str, fn() -> Value),
    ) -> Result<(), StoreError> {
        if self.definition_exists(account, id).await? {
            return Ok(());
        }
        let input = DefinitionInput {
            subaccount: None,
            trigger: Trigger::HttpRequest,
            schedule: None,
            enabled: false,
            name: name.to_owned(),
            steps: steps().to_string(),
            extras: Extras::default(),
        };
        match self.create_definition(account, id, input, &By::trunkline()).await {
            // Somebody was faster.
            Err(error) if error.is_refusal() && self.definition_exists(account, id).await? => Ok(()),
            created => created.map(drop),
        }
    }

    /// Writes a message down before it is sent, so that a status which is faster than the answer finds it.
    pub async fn begin_message(
        &self,
        account: &AccountId,
        job: JobId,
        message: Uuid,
        channel: Channel,
        echo: &Echo,
    ) -> Result<Begun, StoreError> {
        let echo = serde_json::to_string(echo).map_err(damaged)?;
        let inserted = sqlx::query(
            "insert into messages (account_id, umid, channel, state, rank, changed_at, instance_id, n, echo)
             values ($1, $2, $3, $4, 0, now(), $5, $6, $7)
             on conflict do nothing",
        )
        .bind(account.as_str())
        .bind(message.to_string())
        .bind(channel.as_str())
        .bind(STARTED)
        .bind(&job.instance.as_bytes()[..])
        .bind(job.n)
        .bind(echo)
        .execute(&self.pool)
        .await?;
        if inserted.rows_affected() == 1 {
            return Ok(Begun::Now);
        }
        let state = self.message_state(account, &message.to_string()).await?;
        Ok(Begun::Before(state.and_then(|state| Status::parse(&state.state))))
    }

    /// The message that this worker began was certainly not sent, and may be begun again. Another worker that has its job
    /// by now builds on what it found, and it stays.
    pub async fn withdraw_message(
        &self,
        account: &AccountId,
        message: Uuid,
        path: i32,
        worker: Incarnation,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "delete from messages m
             where m.account_id = $1 and m.umid = $2 and m.state = $3 and m.give_up_at is null
               and not exists (
                   select from jobs j
                   where j.instance_id = m.instance_id and j.path = $4 and j.n = m.n and j.worker <> $5
               )",
        )
        .bind(account.as_str())
        .bind(message.to_string())
        .bind(STARTED)
        .bind(path)
        .bind(worker.0)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Under this id the provider speaks of the message.
    pub async fn note_provider_id(
        &self,
        account: &AccountId,
        message: Uuid,
        provider_id: &str,
    ) -> Result<(), StoreError> {
        sqlx::query("update messages set provider_id = $3 where account_id = $1 and umid = $2")
            .bind(account.as_str())
            .bind(message.to_string())
            .bind(provider_id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Whether it is a message of this API.
    pub async fn is_workflow_message(&self, account: &AccountId, message: Uuid) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar(
            "select exists (
                 select from messages where account_id = $1 and umid = $2 and echo is not null
             )",
        )
        .bind(account.as_str())
        .bind(message.to_string())
        .fetch_one(&self.pool)
        .await?)
    }

    /// The message that the provider calls so.
    pub async fn find_by_provider_id(
        &self,
        account: &AccountId,
        provider_id: &str,
    ) -> Result<Option<Uuid>, StoreError> {
        let message: Option<String> = sqlx::query_scalar(
            "select umid from messages where account_id = $1 and provider_id = $2 limit 1",
        )
        .bind(account.as_str())
        .bind(provider_id)
        .fetch_optional(&self.pool)
        .await?;
        message.map(|id| id.parse().map_err(damaged)).transpose()
    }

    /// Takes what a provider said of a message: ends the wait for it that this decides, and has it told. `key` is the
    /// message's correlation key. `None`: there is no such message.
    pub async fn change_status(
        &self,
        account: &AccountId,
        (message, key): (Uuid, String),
        change: &Change,
    ) -> Result<Option<Received>, StoreError> {
        self.take_status(account, (message, key), change, Basis::Known).await
    }

    async fn take_status(
        &self,
        account: &AccountId,
        (message, key): (Uuid, String),
        change: &Change,
        basis: Basis,
    ) -> Result<Option<Received>, StoreError> {
        let Some(echo) = self.find_echo(account, message).await? else { return Ok(None) };
        let urls = self.callback_urls(account, echo.application).await?;
        let status = change.status.as_str();
        let body = StatusChange {
            message,
            to: &echo.to,
            from: &echo.from,
            at: change.at,
            status: change.status,
            refusal: change.refusal.clone(),
            usage: change.usage,
            client_ref: echo.client_ref.as_deref(),
            link: echo.link,
        };
        let callback = NewCallback {
            account: account.clone(),
            subject: message.to_string(),
            event: status.to_owned(),
            signer: echo.application,
            url: urls.status,
            body: body.body(),
        };
        let receipt = Receipt {
            id: message.to_string(),
            channel: None,
            state: status.to_owned(),
            // A failure is the end of what was submitted, as a delivery is.
            rank: change.status.rank().unwrap_or(2).into(),
            detail: None,
            error_code: change.refusal.as_ref().and_then(|refusal| refusal.code.try_into().ok()),
            error_message: change.refusal.as_ref().map(|refusal| refusal.reason.clone()),
            changed_at: change.at,
        };
        let price = change.usage.map(|usage| usage.price.to_string());
        let incoming = Incoming {
            account: account.clone(),
            dedupe_key: format!("status:{message}:{status}"),
            kind: EventKind::Status(StatusReceipt {
                receipt,
                price,
                basis,
                provider_id: change.provider_id.clone(),
            }),
            subaccount: None,
            keys: vec![key],
            body: json!({"message_uuid": message, "status": status}),
            received_at: change.at,
            recipients: Recipients::All,
            callback: Some(Box::new(callback)),
        };
        self.receive(incoming).await.map(Some)
    }

    /// Ends a workflow and has it told, once. `fee`: what it costs besides its messages, in euros.
    pub async fn end_dispatch(
        &self,
        account: &AccountId,
        instance: InstanceId,
        outcome: Outcome,
        fee: dispatch::Price,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let found: Option<(Uuid, String, Option<Uuid>)> =
            sqlx::query_as("select id, flavour, application_id from dispatches where instance_id = $1")
                .bind(&instance.as_bytes()[..])
                .fetch_optional(&self.pool)
                .await?;
        let (id, flavour, application) =
            found.ok_or_else(|| StoreError::Damaged(format!("instance {instance} is of no dispatch")))?;
        let link = Link { id, flavour: read_flavour(&flavour)? };
        let urls = self.callback_urls(account, application).await?;
        let messages = messages_of(&self.pool, account, instance).await?;
        let status = match outcome {
            Outcome::Completed => "completed",
            Outcome::Error => "error",
        };
        let report = Report { link, outcome, at, fee, messages };
        let callback = NewCallback {
            account: account.clone(),
            subject: id.to_string(),
            event: "report".to_owned(),
            signer: application,
            url: urls.status,
            body: report.body(),
        };
        let mut transaction = self.begin().await?;
        let ended = sqlx::query(
            "update dispatches set outcome = $2, ended_at = $3 where id = $1 and outcome is null",
        )
        .bind(id)
        .bind(status)
        .bind(at)
        .execute(&mut *transaction)
        .await?;
        if ended.rows_affected() == 0 {
            return Ok(());
        }
        callbacks::enqueue(&mut transaction, &callback).await?;
        let end = parent::End { dispatch: id, status, messages: &report.messages, at };
        let is_awaited = parent::tell_parent(&mut transaction, account, &end).await?;
        transaction.commit().await?;
        self.callback_wake.hint();
        if is_awaited {
            self.wake.hint();
        }
        Ok(())
    }

    async fn find_echo(&self, account: &AccountId, message: Uuid) -> Result<Option<Echo>, StoreError> {
        let echo: Option<Option<String>> =
            sqlx::query_scalar("select echo from messages where account_id = $1 and umid = $2")
                .bind(account.as_str())
                .bind(message.to_string())
                .fetch_optional(&self.pool)
                .await?;
        echo.flatten().map(|echo| serde_json::from_str(&echo).map_err(damaged)).transpose()
    }

    /// The application's own addresses, else the account's (Dispatch 9.1).
    async fn callback_urls(
        &self,
        account: &AccountId,
        application: Option<Uuid>,
    ) -> Result<CallbackUrls, StoreError> {
        let own = match application {
            Some(id) => {
                let application = self.find_application(id).await?;
                application
                    .filter(|application| application.account == *account)
                    .map(|application| application.urls)
            }
            None => None,
        };
        let own = own.unwrap_or_default();
        if own.status.is_some() && own.inbound.is_some() {
            return Ok(own);
        }
        let of_account =
            self.find_nexmo_account(account).await?.map(|account| account.urls).unwrap_or_default();
        Ok(CallbackUrls {
            status: own.status.or(of_account.status),
            inbound: own.inbound.or(of_account.inbound),
        })
    }
}

/// The messages of a workflow that were begun, in order.
async fn messages_of(
    executor: impl PgExecutor<'_>,
    account: &AccountId,
    instance: InstanceId,
) -> Result<Vec<ReportedMessage>, StoreError> {
    let rows: Vec<(String, Option<String>, String, Option<String>)> = sqlx::query_as(
        "select m.umid, m.channel, m.state, m.price
         from steps s
         join messages m on m.instance_id = s.instance_id and m.n = s.n and m.account_id = $1
         where s.instance_id = $2
         order by s.n",
    )
    .bind(account.as_str())
    .bind(&instance.as_bytes()[..])
    .fetch_all(executor)
    .await?;
    rows.into_iter()
        .map(|(id, channel, state, price)| {
            Ok(ReportedMessage {
                id: id.parse().map_err(damaged)?,
                channel: channel
                    .as_deref()
                    .and_then(Channel::parse)
                    .ok_or_else(|| StoreError::Damaged(format!("the channel of message {id}")))?,
                status: Status::parse(&state),
                usage: price.and_then(|price| price.parse().ok()).map(|price| Usage { price }),
            })
        })
        .collect()
}

pub(crate) fn flavour_text(flavour: Flavour) -> &'static str {
    match flavour {
        Flavour::Dispatch => "dispatch",
        Flavour::Legacy => "legacy",
    }
}

pub(crate) fn read_flavour(text: &str) -> Result<Flavour, StoreError> {
    match text {
        "dispatch" => Ok(Flavour::Dispatch),
        "legacy" => Ok(Flavour::Legacy),
        other => Err(StoreError::Damaged(format!("`{other}` is no flavour"))),
    }
}

fn damaged(error: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged(error.to_string())
}

/// What the loop of messages keeps in the context besides the request.
#[derive(Debug, Clone, Deserialize)]
pub struct Running {
    pub link: Option<Link>,
    pub application: Option<Uuid>,
}

impl Running {
    pub fn read(data: &Map<String, Value>) -> Result<Self, StoreError> {
        let member = |name: &str| data.get(name).cloned().unwrap_or_default();
        serde_json::from_value(json!({"link": member("link"), "application": member("application")}))
            .map_err(damaged)
    }
}
