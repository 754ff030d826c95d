//! Of what was heard and of what was done, as it was written down.

use serde_json::json;
use trunkline_connectors::eight_by_eight::VoiceApi;

use super::{Case, OF_ONE_ACCOUNT, check};
use crate::support::{Engine, definition, inbound_sms, sample, sms};

const USE_IS_THERE: &str = "what an event started or resumed is there";
const ONE_END: &str = "a job came to its end once, in what is told of its attempts";
const NOT_BEHIND_RECEIPT: &str = "no message is behind a receipt that came for it";
const NOT_AFTER_END: &str = "nothing of an instance is begun after its end";

pub const CASES: &[Case] = &[
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
        "update messages set account_id = 'other'",
        &[OF_ONE_ACCOUNT],
        "update messages set account_id = 'acme'",
    ),
    (
        "update events set account_id = 'other';
         update event_keys set account_id = 'other'",
        &[OF_ONE_ACCOUNT],
        "update events set account_id = 'acme';
         update event_keys set account_id = 'acme'",
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
    check(&engine, CASES).await;
}
