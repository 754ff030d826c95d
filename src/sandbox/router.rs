//! Every route of the sandbox and its handler.

use axum::Router;
use axum::routing::{get, post};

use super::carrier::Sandbox;
use super::{describe_sandbox, list_outbox, receive_message, report_status, submit_message};

/// The sandbox's routes, all below `/sandbox`. `/sandbox/8x8/sms` and `/sandbox/8x8/chatapps` are
/// the base URLs to give to the messaging connector.
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
        .route("/sandbox/outbox", get(list_outbox::list).delete(list_outbox::clear))
        .route("/sandbox/outbox/{umid}/status", post(report_status::report))
        .route("/sandbox/sms", post(receive_message::receive_sms))
        .route("/sandbox/chat", post(receive_message::receive_chat_message))
        .with_state(sandbox)
}
