//! Of workflows of the Workflows API, of their messages, and of what is told of both.

use serde_json::json;
use trunkline_connectors::clock;
use trunkline_connectors::correlation::receipt_key;
use trunkline_store::audit::By;
use trunkline_store::connectors::ConnectorKind;
use trunkline_store::dispatches::{Change, NewDispatch};
use trunkline_store::nexmo_accounts::CallbackUrls;
use trunkline_workflow::dispatch::{self, Flavour, Link, Status};
use uuid::Uuid;

use super::{Case, OF_ONE_ACCOUNT, check};
use crate::support::{Engine, until};

const REPORTED: &str = "a workflow is reported once if it has an outcome, and not before";
const AT_LAST_STEP: &str = "the instance of a workflow with an outcome has ended, or is at its last step";
const HAS_OUTCOME: &str = "a workflow whose instance ended has an outcome, or is marked for one";
const HAS_INSTANCE: &str = "a workflow without an outcome has its instance, or is marked for one";
const CALLS_WAIT: &str =
    "of the calls about one subject the first is to be made, and the others wait behind it";
const NOT_BEHIND: &str = "no message is behind what was told of it";
const TOLD_ONCE: &str = "a status of a message is told once";

pub const CASES: &[Case] = &[
    (
        "update callbacks set event = 'other' where event = 'report'",
        &[REPORTED],
        "update callbacks set event = 'report' where event = 'other'",
    ),
    (
        "update dispatches set outcome = null, ended_at = null where outcome is not null",
        &[REPORTED, HAS_OUTCOME],
        "update dispatches d set outcome = 'completed', ended_at = now()
         from instances i where i.id = d.instance_id and i.status = 'Complete'",
    ),
    (
        "update dispatches set outcome = 'error', ended_at = now() where outcome is null",
        &[REPORTED, AT_LAST_STEP],
        "update dispatches set outcome = null, ended_at = null where outcome = 'error'",
    ),
    (
        "update dispatches set outcome = 'cancelled', ended_at = now() where outcome is null",
        &[AT_LAST_STEP],
        "update dispatches set outcome = null, ended_at = null where outcome = 'cancelled'",
    ),
    (
        "update callbacks set event = 'other' where event = 'report';
         update dispatches set outcome = null, ended_at = null where outcome is not null",
        &[HAS_OUTCOME],
        "update callbacks set event = 'report' where event = 'other';
         update dispatches d set outcome = 'completed', ended_at = now()
         from instances i where i.id = d.instance_id and i.status = 'Complete'",
    ),
    (
        "update dispatches set instance_id = set_byte(instance_id, 11, get_byte(instance_id, 11) # 255)
         where outcome is null",
        &[HAS_INSTANCE],
        "update dispatches set instance_id = set_byte(instance_id, 11, get_byte(instance_id, 11) # 255)
         where outcome is null",
    ),
    (
        "update callbacks set state = 'queued' where event = 'delivered'",
        &[CALLS_WAIT],
        "update callbacks set state = 'delivered' where event = 'delivered'",
    ),
    (
        "update callbacks set state = 'pending', due_at = now() + interval '1 hour'
         where subject = (select subject from callbacks where event = 'delivered')",
        &[CALLS_WAIT],
        "update callbacks set state = 'delivered', due_at = null",
    ),
    (
        "update messages set rank = 1 where state = 'delivered'",
        &[NOT_BEHIND],
        "update messages set rank = 2 where state = 'delivered'",
    ),
    (
        "update callbacks set event = 'other' where event = 'delivered'",
        &[TOLD_ONCE],
        "update callbacks set event = 'delivered' where event = 'other'",
    ),
    (
        "alter table callbacks drop constraint callbacks_account_id_subject_event_key;
         insert into callbacks (account_id, subject, event, url, body, state)
         select account_id, subject, event, url, body, state from callbacks where event = 'delivered'",
        &[TOLD_ONCE],
        "delete from callbacks where id = (select max(id) from callbacks)",
    ),
    (
        "insert into accounts (id) values ('other');
         update dispatches set account_id = 'other' where outcome is null",
        &[OF_ONE_ACCOUNT],
        "update dispatches set account_id = 'acme'",
    ),
];

#[tokio::test]
async fn each_rule_about_workflows_is_named_when_it_is_broken() {
    let mut engine = engine_with_one_ended_and_one_live().await;
    engine.stop_worker().await;
    check(&engine, CASES).await;
}

/// Neither an outcome nor a report is missed where nobody is to be told of an end.
#[tokio::test]
async fn a_workflow_that_was_cancelled_breaks_no_rule() {
    let engine = engine_with_one_ended_and_one_live().await;
    let store = engine.app.store();
    let live: Uuid = sqlx::query_scalar("select id from dispatches where outcome is null")
        .fetch_one(store.pool())
        .await
        .unwrap();
    let found = store.find_dispatch(engine.app.account(), live).await.unwrap().unwrap();
    store.cancel_dispatch(engine.app.account(), &found, &By::trunkline()).await.unwrap();
    engine.finish().await;
}

async fn engine_with_one_ended_and_one_live() -> Engine {
    let engine = Engine::start().await;
    let (store, account) = (engine.app.store(), engine.app.account());
    let settings = json!({"baseUrl": engine.endpoint.url, "auth": {"type": "basic", "apiKey": "key"}});
    engine.connect(ConnectorKind::MessagesApi, &settings, "secret").await;
    engine.endpoint.script("/v0.1/messages", &[(202, json!({"message_uuid": "p"}))]);
    store.ensure_nexmo_account(account, "abcd1234", &By::trunkline()).await.unwrap().unwrap();
    let urls = CallbackUrls { status: Some(format!("{}/st", engine.endpoint.url)), inbound: None };
    assert!(store.set_account_callbacks(account, &urls, &By::trunkline()).await.unwrap());
    let workflow = json!({"template": "failover", "workflow": [{
        "from": {"type": "sms", "number": "447700900001"},
        "to": {"type": "sms", "number": "447700900000"},
        "message": {"content": {"type": "text", "text": "Your parcel is here"}},
    }]});
    for _ in 0..2 {
        let new = NewDispatch {
            link: Link { id: Uuid::new_v4(), flavour: Flavour::Dispatch },
            account: account.clone(),
            application: None,
            request: dispatch::parse(workflow.to_string().as_bytes()).unwrap(),
            parent: None,
            at: clock::now(),
        };
        store.start_dispatch(new).await.unwrap();
    }
    engine.run_until_idle().await;
    let message = engine.endpoint.bodies_at("/v0.1/messages")[0]["client_ref"].as_str().unwrap().to_owned();
    let change = Change::new(Status::Delivered, clock::now());
    let subject = (message.parse().unwrap(), receipt_key(&message));
    store.change_status(account, subject, &change).await.unwrap().unwrap();
    engine.run_until_idle().await;
    until("all is told", || async {
        let told: i64 = sqlx::query_scalar("select count(*) from callbacks where state = 'delivered'")
            .fetch_one(store.pool())
            .await
            .unwrap();
        told == 4
    })
    .await;
    engine
}
