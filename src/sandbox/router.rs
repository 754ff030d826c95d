//! Every route of the sandbox and its handler.

use axum::Router;
use axum::routing::{any, get, post};

use super::carrier::Sandbox;
use super::{
    calls, describe_sandbox, find_message, list_outbox, messages_api, own_service, receive_message,
    report_status, submit_message,
};

/// The sandbox's routes, all below `/sandbox`. `/sandbox/8x8/sms`, `/sandbox/8x8/chatapps` and
/// `/sandbox/8x8/voice` are the base URLs to give to the one connector, `/sandbox/nexmo` to the other.
pub fn router(sandbox: Sandbox) -> Router {
    Router::new()
        .route("/sandbox", get(describe_sandbox::describe))
        .route(
            "/sandbox/8x8/sms/api/v1/subaccounts/{sub_account_id}/messages",
            post(submit_message::submit_sms),
        )
        .route(
            "/sandbox/8x8/chatapps/api/v1/subaccounts/{sub_account_id}/messages",
            post(submit_message::submit_chat_message),
        )
        .route(
            "/sandbox/8x8/sms/api/v1/subaccounts/{sub_account_id}/messages/{umid}",
            get(find_message::find_sms),
        )
        .route(
            "/sandbox/8x8/chatapps/api/v1/subaccounts/{sub_account_id}/messages/{umid}",
            get(find_message::find_chat_message),
        )
        .route(
            "/sandbox/8x8/voice/api/v1/subaccounts/{sub_account_id}/callflows",
            post(calls::place_by_callflow),
        )
        .route("/sandbox/8x8/voice/api/v1/subaccounts/{sub_account_id}/calls", post(calls::place_by_action))
        .route("/sandbox/8x8/voice/api/v1/subaccounts/{sub_account_id}/webhooks", get(calls::list_webhooks))
        .route("/sandbox/nexmo/v0.1/messages", post(messages_api::submit_v0_1))
        .route("/sandbox/nexmo/v1/messages", post(messages_api::submit_v1))
        .route("/sandbox/outbox", get(list_outbox::list).delete(list_outbox::clear))
        .route("/sandbox/outbox/{umid}/status", post(report_status::report))
        .route("/sandbox/sms", post(receive_message::receive_sms))
        .route("/sandbox/chat", post(receive_message::receive_chat_message))
        .route("/sandbox/messages", post(messages_api::receive))
        .route("/sandbox/calls", get(calls::list))
        .route("/sandbox/calls/{uid}", get(calls::find))
        .route("/sandbox/calls/{uid}/answer", post(calls::answer))
        .route("/sandbox/calls/{uid}/dtmf", post(calls::dtmf))
        .route("/sandbox/calls/{uid}/busy", post(calls::busy))
        .route("/sandbox/calls/{uid}/no-answer", post(calls::no_answer))
        .route("/sandbox/calls/{uid}/hangup", post(calls::hang_up))
        .route("/sandbox/service", get(own_service::list))
        .route("/sandbox/service/{*path}", any(own_service::receive))
        .with_state(sandbox)
}
