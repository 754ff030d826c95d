//! `trunkline verify` names what is broken: of what was heard and done, and of workflows of the Workflows API.

use serde_json::json;
use trunkline_connectors::clock;
use trunkline_connectors::correlation::receipt_key;
use trunkline_store::audit::By;
use trunkline_store::connectors::ConnectorKind;
use trunkline_store::dispatches::{Change, NewDispatch};
use trunkline_store::nexmo_accounts::CallbackUrls;
use trunkline_workflow::dispatch::{self, Flavour, Link, Status};
use uuid::Uuid;

use trunkline_connectors::eight_by_eight::VoiceApi;

use crate::support::{Engine, definition, inbound_sms, sample, sms, until};

const REPORTED: &str = "a workflow is reported once if it has an outcome, and not before";
const AT_LAST_STEP: &str = "the instance of a workflow with an outcome has ended, or is at its last step";
const HAS_OUTCOME: &str = "a workflow whose instance ended has an outcome, or is marked for one";
const HAS_INSTANCE: &str = "a workflow without an outcome has its instance, or is marked for one";
const CALLS_WAIT: &str =
    "of the calls about one subject the first is to be made, and the others wait behind it";
const NOT_BEHIND: &str = "no message is behind what was told of it";
const TOLD_ONCE: &str = "a status of a message is told once";
const OF_ONE_ACCOUNT: &str = "no row crosses accounts";

/// What breaks rules, which ones, and what mends them again.
const CASES: [(&str, &[&str], &str); 10] = [
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
    check(&engine, &CASES).await;
}

async fn check(engine: &Engine, cases: &[(&str, &[&str], &str)]) {
    let store = engine.app.store();
    let broken = || async {
        let violations = store.verify().await.unwrap();
        violations.into_iter().map(|violation| violation.rule).collect::<Vec<_>>()
    };
    assert!(broken().await.is_empty());
    for (breaks, rules, mends) in cases {
        sqlx::raw_sql(sqlx::AssertSqlSafe(*breaks)).execute(store.pool()).await.unwrap();
        let mut named = broken().await;
        named.sort_unstable();
        let mut expected = rules.to_vec();
        expected.sort_unstable();
        assert_eq!(named, expected, "{breaks}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(*mends)).execute(store.pool()).await.unwrap();
        assert!(broken().await.is_empty(), "{mends}");
    }
}

const USE_IS_THERE: &str = "what an event started or resumed is there";
const ONE_END: &str = "a job came to its end once, in what is told of its attempts";
const NOT_BEHIND_RECEIPT: &str = "no message is behind a receipt that came for it";
const NOT_AFTER_END: &str = "nothing of an instance is begun after its end";

/// Of what was heard and done.
const CASES_OF_HISTORY: [(&str, &[&str], &str); 7] = [
    (
        "update event_uses set instance_id = set_byte(instance_id, 11, get_byte(instance_id, 11) # 255)",
        &[USE_IS_THERE],
        "update event_uses set instance_id = set_byte(instance_id, 11, get_byte(instance_id, 11) # 255)",
    ),
    (
        "insert into attempts (instance_id, n, attempt, step, worker, outcome, started_at)
         select instance_id, n, attempt + 1, step, 'other', outcome, started_at
         from attempts where outcome = 'completed' limit 1",
        &[ONE_END],
        "delete from attempts where worker = 'other'",
    ),
    (
        "update messages set rank = 2, state = 'sent'",
        &[NOT_BEHIND_RECEIPT],
        "update messages set rank = 3, state = 'delivered'",
    ),
    (
        "update steps set started_at = started_at + interval '1 hour' where name = 'send'",
        &[NOT_AFTER_END],
        "update steps set started_at = started_at - interval '1 hour' where name = 'send'",
    ),
    (
        "update attempts set started_at = started_at + interval '1 hour' where outcome = 'failed'",
        &[NOT_AFTER_END],
        "update attempts set started_at = started_at - interval '1 hour' where outcome = 'failed'",
    ),
    (
        "update failures set account_id = 'other'",
        &[OF_ONE_ACCOUNT],
        "update failures set account_id = 'acme'",
    ),
    (
        "update event_keys set account_id = 'other'",
        &[OF_ONE_ACCOUNT],
        "update event_keys set account_id = 'acme'",
    ),
];

#[tokio::test]
async fn each_rule_about_what_was_heard_and_done_is_named_when_it_is_broken() {
    let mut engine = Engine::start().await;
    engine.connect_endpoint(VoiceApi::Callflows).await;
    let umid = "0d9c2f60-1111-4a2b-9d3e-5b1f0a7c8e21";
    let accepted = json!({"umid": umid, "status": {"code": "QUEUED"}});
    engine.endpoint.script("/api/v1/subaccounts/acme_sms/messages", &[(200, accepted)]);
    let mut answering = definition(json!([sms("send")]));
    answering["status"] = "enabled".into();
    engine.app.define(answering).await;
    engine.app.webhook(inbound_sms("m-1", "acme_sms")).await.expect_status(200);
    engine.run_until_idle().await;
    for state in ["sent", "delivered", "sent"] {
        engine.app.webhook(sample::receipt(umid, state)).await.expect_status(200);
    }
    let fails = json!([{"id": "call", "stepType": "HttpRequest",
        "inputs": {"url": "{{data.nothing.url}}", "method": "GET"}}]);
    engine.run(fails, json!({})).await;
    engine.stop_worker().await;
    check(&engine, &CASES_OF_HISTORY).await;
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
