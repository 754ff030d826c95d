//! A worker dies while a provider is taking a message: it is sent again under the same key, or the instance
//! faults where the installation prefers that (U-51).

use serde_json::json;
use trunkline_store::audit::By;
use trunkline_store::connectors::{ConnectorKind, NewConnector};

use super::processes::WorkerProcess;
use crate::support::{Endpoint, TestApp, definition, sms, until};

const SMS: &str = "/api/v1/subaccounts/acme_sms/messages";

/// Kills the worker in the middle of the send; gives the ended instance and the requests that came.
async fn interrupt(rule: &str) -> (serde_json::Value, Vec<String>) {
    let app = TestApp::start().await;
    let endpoint = Endpoint::start().await;
    let settings = json!({"smsUrl": endpoint.url});
    let connector = NewConnector {
        account: app.account(),
        kind: ConnectorKind::EightByEight,
        subaccount: None,
        settings: &settings,
        secret: Some("key"),
    };
    assert!(app.store().set_connector(connector, &By::trunkline()).await.unwrap());
    endpoint.script(SMS, &[(200, json!({"umid": "u-1", "status": {"code": "QUEUED"}}))]);
    endpoint.hold_answers();
    let environment = [("TRUNKLINE_INTERRUPTED_SENDS", rule)];
    let mut worker = WorkerProcess::start_with(app.database_url(), &environment);
    let id = app.define(definition(json!([sms("send")]))).await;
    let path = app.start_instance(&id, json!({"payload": {"source": "+6590001111"}})).await;
    until("the message is handed in", || async { !endpoint.received().is_empty() }).await;
    worker.kill();
    endpoint.give_answers();
    let _next = WorkerProcess::start_with(app.database_url(), &environment);
    let show = || async { app.get(&path).await.expect(200) };
    until("the instance ends", || async { show().await["completedAt"].is_string() }).await;
    let mut shown = show().await;
    shown["errors"] = app.get(&format!("{path}/errors")).await.expect(200);
    let violations = app.store().verify().await.unwrap();
    assert!(violations.is_empty(), "{violations:#?}");
    let received = endpoint.received();
    (shown, received.iter().map(|request| request.header("idempotency-key").unwrap().to_owned()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_send_is_repeated_under_the_same_key() {
    let (shown, keys) = interrupt("repeat").await;
    assert_eq!(shown["status"], "Complete", "{shown}");
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_send_faults_where_the_installation_says_so() {
    let (shown, keys) = interrupt("fault").await;
    assert_eq!(shown["status"], "Terminated", "{shown}");
    assert_eq!(shown["errors"][0]["message"], "Step interrupted.");
    assert_eq!(keys.len(), 1);
}
